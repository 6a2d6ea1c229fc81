"""Wheel files and what they need of each other."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from tools.vendor.errors import VendorError


@dataclass(frozen=True)
class Wheel:
    """A wheel on disk."""

    path: Path

    @cached_property
    def name(self) -> str:
        """Canonical name of the distribution."""
        return parse_wheel_filename(self.path.name)[0]

    @cached_property
    def version(self) -> str:
        """Version of the distribution."""
        return str(parse_wheel_filename(self.path.name)[1])

    @cached_property
    def sha256(self) -> str:
        """Digest of the file, in hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def metadata(self) -> RawMetadata:
        """Its METADATA, as written."""
        with zipfile.ZipFile(self.path) as archive:
            member = next(
                name
                for name in archive.namelist()
                if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
            )
            return parse_email(archive.read(member))[0]

    @cached_property
    def extras(self) -> frozenset[str]:
        """The extras it offers."""
        return frozenset(self.metadata.get("provides_extra", ()))

    def requirements(self, extras: Iterable[str]) -> Iterator[Requirement]:
        """Yield what it needs on this machine's platform with the extras installed."""
        environments = [{"extra": extra} for extra in ("", *extras)]
        for text in self.metadata.get("requires_dist", ()):
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate(env) for env in environments):
                yield requirement


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A wheel that gets installed, with which extras, and the names it needs."""

    wheel: Wheel
    extras: frozenset[str]
    needs: frozenset[str]

    @property
    def spelled(self) -> str:
        """``name[extra,...]``, as one writes it in a requirement."""
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return self.wheel.name + extras


def closure(
    available: Mapping[str, Wheel], wanted: Mapping[str, frozenset[str]]
) -> list[Chosen]:
    """Everything that *wanted* needs, itself included, sorted by name.

    Args:
        available: Canonical name -> the one wheel there is.
        wanted: Canonical name -> extras.

    Raises:
        VendorError: A wheel is not there, or not of a version that is asked for.
    """
    extras_of: dict[str, frozenset[str]] = {}
    needs_of: dict[str, frozenset[str]] = {}
    waiting = list(wanted.items())
    while waiting:
        name, extras = waiting.pop()
        known = extras_of.get(name)
        if known is not None and extras <= known:
            continue
        wheel = available[name]
        extras_of[name] = extras | (known or frozenset())
        needed = list(wheel.requirements(extras_of[name]))
        for requirement in needed:
            other = canonicalize_name(requirement.name)
            _check(available.get(other), requirement, wheel)
            waiting.append((other, frozenset(requirement.extras)))
        needs_of[name] = frozenset(canonicalize_name(need.name) for need in needed)
    return [
        Chosen(wheel=available[name], extras=extras_of[name], needs=needs_of[name])
        for name in sorted(extras_of)
    ]


def _check(found: Wheel | None, requirement: Requirement, by: Wheel) -> None:
    if found is None:
        raise VendorError(
            f"{by.name} needs {requirement.name}, which is not among the locked "
            "wheels. Add it to _RUNTIME in third_party/BUILD.bazel."
        )
    if not requirement.specifier.contains(found.version, prereleases=True):
        raise VendorError(
            f"{by.name} needs {requirement.name}{requirement.specifier}, and "
            f"requirements_lock.txt pins {found.version}. "
            "Write the lock anew: ./bazelw run //:lock"
        )
