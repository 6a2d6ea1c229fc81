"""Reads requirements_lock.txt, the file `./bazelw run //:lock` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.vendor.errors import VendorError

_HASH = "--hash="


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One locked distribution."""

    requirement: Requirement
    hashes: tuple[str, ...]  # "sha256:<hex>", one for each file of the release


def read_lock(text: str) -> Mapping[str, Pin]:
    """Map canonical names to pins.

    Raises:
        VendorError: An entry is no pin by ``==`` or has no hash.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    pins: dict[str, Pin] = {}
    for entry in "\n".join(lines).replace("\\\n", " ").splitlines():
        words = entry.split()
        if not words:
            continue
        hashes = [w.removeprefix(_HASH) for w in words if w.startswith(_HASH)]
        spelled = " ".join(word for word in words if not word.startswith(_HASH))
        try:
            requirement = Requirement(spelled)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise VendorError(f"requirements_lock.txt: {spelled}: {reason}") from None
        if not hashes or not str(requirement.specifier).startswith("=="):
            raise VendorError(
                f"requirements_lock.txt: {spelled} is not pinned with == and a hash. "
                "Write the lock anew: ./bazelw run //:lock"
            )
        pin = Pin(requirement=requirement, hashes=tuple(hashes))
        pins[canonicalize_name(requirement.name)] = pin
    return pins
