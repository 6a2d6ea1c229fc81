"""Released bundles: ``contracts/released/<version>``, and that nobody touched them.

Each has a ``release.json`` beside the files of the bundle::

    {"version": "1.2.0", "previous": "1.1.0", "date": "2026-03-01", "files": {...}}

``files`` holds the SHA-256 of every other file, so a baseline that was edited is found;
``previous``, null for the first, tells of one that was removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.contracts.bundle import Bundle, BundleError
from tools.contracts.compat.versions import Version

RELEASE: Final = "release.json"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A released bundle."""

    version: Version
    bundle: Bundle


def versions_in(released: Path) -> list[Version]:
    """The versions that a folder of baselines has, the oldest first.

    Raises:
        BundleError: Something else lies there.
    """
    if not released.is_dir():
        return []
    found = []
    for path in released.iterdir():
        # What people and their systems leave beside: README.md, .DS_Store.
        if path.name == "README.md" or (path.is_file() and path.name[0] == "."):
            continue
        try:
            found.append(Version.parse(path.name))
        except ValueError as error:
            raise BundleError(f"{path} is no baseline: {error}") from None
    return sorted(found)


def load_baseline(released: Path, version: Version) -> Baseline:
    """Read one baseline, and check that it is what was released.

    Raises:
        BundleError: It was changed since, or can't be read; one line names the file.
    """
    folder = released / str(version)
    facts = _facts(folder)
    if facts["version"] != str(version):
        raise BundleError(
            f"{folder / RELEASE}: version must be {version} (got {facts['version']!r})."
        )
    _check(folder, facts["files"])
    return Baseline(version, Bundle.load(folder, str(version)))


def load_baselines(released: Path) -> list[Baseline]:
    """Read all baselines, the oldest first.

    Raises:
        BundleError: One of them is broken or was removed; one line names the file.
    """
    versions = versions_in(released)
    before: Version | None = None
    for version in versions:
        path = released / str(version)
        expected = None if before is None else str(before)
        previous = _facts(path)["previous"]
        if previous != expected:
            raise BundleError(
                f"{path / RELEASE} says that {previous or 'nothing'} came before, but "
                f"{released} has {expected or 'nothing'} before it: a baseline is gone "
                "or was added by hand."
            )
        before = version
    return [load_baseline(released, version) for version in versions]


def digests_of(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below *folder* but ``release.json``, by its path."""
    return {
        str(path.relative_to(folder).as_posix()): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / RELEASE
    }


def facts_of(
    version: Version,
    previous: Version | None,
    date: str | None,
    files: Mapping[str, str],
) -> dict[str, Any]:
    """What ``release.json`` says."""
    return {
        "version": str(version),
        "previous": None if previous is None else str(previous),
        "date": date,
        "files": dict(files),
    }


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / RELEASE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path} is missing.") from None
    except OSError as error:
        raise BundleError(f"{path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is no JSON: {error}.") from None
    if not (
        isinstance(facts, dict)
        and isinstance(facts.get("version"), str)
        and isinstance(facts.get("previous"), str | None)
        and isinstance(facts.get("files"), dict)
    ):
        raise BundleError(f"{path} must say version, previous and files.")
    return facts


def _check(folder: Path, files: Mapping[str, str]) -> None:
    present = digests_of(folder)
    for name in sorted({*files, *present}):
        path = folder / name
        if name not in present:
            raise BundleError(f"{path} is missing.")
        if name not in files:
            raise BundleError(f"{path} was not released: {RELEASE} doesn't list it.")
        if present[name] != files[name]:
            raise BundleError(f"{path} is not as it was released.")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def enforced(versions: Sequence[Version]) -> tuple[list[Version], list[Version]]:
    """Which baselines hold in full, and which for stored events only.

    All of the newest major version are promises to whoever runs today. Programs that
    kept to an older one had to change, but events outlive programs: in queues, in
    outboxes, in dead letters.
    """
    newest = max(versions).major if versions else 0
    full = [version for version in versions if version.major == newest]
    return full, [version for version in versions if version.major != newest]
