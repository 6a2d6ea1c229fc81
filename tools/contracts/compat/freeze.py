"""Makes a release of the committed bundle: a folder that never changes again."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from tools.contracts.bundle import Bundle, BundleError, to_text
from tools.contracts.compat.baselines import (
    RELEASE,
    Baseline,
    digests_of,
    facts_of,
    load_baselines,
)
from tools.contracts.compat.compare import compare_bundles
from tools.contracts.compat.finding import Finding
from tools.contracts.compat.place import PlaceError
from tools.contracts.compat.versions import (
    Step,
    Version,
    step_asked_by,
    step_between,
)
from tools.contracts.goldens import UPDATE, differences

CURRENT: Final = "current"
RELEASED: Final = "released"
_SCRATCH: Final = ".release."
_DIFF: Final = "./bazelw run //contracts:diff --"


class ReleaseError(Exception):
    """The release can't be made. The message is one line: why, what to do."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release that may be written."""

    version: Version
    previous: Version | None
    date: date | None
    findings: list[Finding]
    files: Mapping[str, bytes]


def plan(
    contracts: Path, exported: Mapping[str, bytes], version: str, day: date | None
) -> Release:
    """Check that the committed bundle may be released as *version*. Writes nothing.

    Args:
        contracts: The folder with ``current`` and ``released``.
        exported: What the code says: the files of ``//contracts:bundle``.
        version: As the user typed it.
        day: Of the release, for people; none is fine.

    Raises:
        ReleaseError: It may not.
    """
    try:
        asked = Version.parse(version)
    except ValueError as error:
        raise ReleaseError(str(error)) from None
    current = contracts / CURRENT
    try:
        baselines = load_baselines(contracts / RELEASED)
        newest = baselines[-1] if baselines else None
        _check_newer(asked, [baseline.version for baseline in baselines])
        _check_committed(exported, current)
        bundle = Bundle.load(current, CURRENT)
        findings = compare_bundles(newest.bundle, bundle) if newest else []
        if newest:
            _check_step(asked, newest, findings, current)
        else:
            # Whatever it says, it must be one that a later release can be compared to.
            compare_bundles(bundle, bundle)
    except (BundleError, PlaceError) as error:
        raise ReleaseError(str(error)) from None
    previous = newest.version if newest else None
    return Release(asked, previous, day, findings, exported)


def _check_newer(asked: Version, versions: list[Version]) -> None:
    if asked in versions:
        raise ReleaseError(f"{asked} is released already, and stays as it is.")
    if versions and asked < versions[-1]:
        raise ReleaseError(f"{asked} is older than the newest release, {versions[-1]}.")


def _check_committed(exported: Mapping[str, bytes], current: Path) -> None:
    found = list(differences(exported, current))
    if found:
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        raise ReleaseError(f"{found[0]}{more} Run {UPDATE} and commit it first.")


def _check_step(
    asked: Version, newest: Baseline, findings: list[Finding], current: Path
) -> None:
    needed = step_asked_by(findings)
    if needed is Step.NONE:
        if digests_of(current) == digests_of(newest.bundle.folder):
            raise ReleaseError(f"nothing has changed since {newest.version}.")
        needed = Step.PATCH  # vectors, or the order of members
    if step_between(newest.version, asked).size >= needed.size:
        return
    gravest = [each for each in findings if step_asked_by([each]) is needed]
    first, more = gravest[0], len(gravest) - 1
    raise ReleaseError(
        f"{asked} is too small a step: since {newest.version} there is "
        f"{first.rule} at {first.document}#{first.pointer}"
        f"{f' and {more} more' if more else ''}, which asks for "
        f"{needed.after(newest.version)}. See {_DIFF} {newest.version} worktree"
    )


def write(release: Release, contracts: Path) -> Path:
    """Write the release, whole or not at all, and return its folder.

    It grows in a hidden folder beside ``released`` and is moved there when it is
    complete. What a killed run left behind is removed.

    Raises:
        ReleaseError: It can't be written, or is there by now.
    """
    target = contracts / RELEASED / str(release.version)
    try:
        with _alone(contracts):
            if target.exists():
                raise ReleaseError(f"{target} is there by now.")
            for leftover in contracts.glob(f"{_SCRATCH}*"):
                shutil.rmtree(leftover)
            scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=contracts))
            try:
                fresh = scratch / target.name
                _fill(fresh, release)
                target.parent.mkdir(exist_ok=True)
                fresh.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise ReleaseError(f"can't write {target}: {error.strerror}.") from None
    return target


def _fill(folder: Path, release: Release) -> None:
    for name, data in release.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    day = release.date.isoformat() if release.date else None
    facts = facts_of(release.version, release.previous, day, digests_of(folder))
    (folder / RELEASE).write_text(to_text(facts), encoding="utf-8")


@contextmanager
def _alone(contracts: Path) -> Iterator[None]:
    """Hold a lock on the folder, which ends with the process."""
    folder = os.open(contracts, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReleaseError(f"another release is writing to {contracts}.") from None
        yield
    finally:
        os.close(folder)
