"""Finds the bundle that a user means: ``1.0.0``, ``v1``, ``worktree``, a path."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile, is_zipfile

from tools.contracts.bundle import Bundle, BundleError
from tools.contracts.compat.baselines import load_baseline, versions_in

WORKTREE: Final = "worktree"
_VERSION: Final = re.compile(r"v?[0-9]+(\.[0-9]+){0,2}")


class UnknownSourceError(ValueError):
    """No bundle has this name. The message is one line, and says which there are."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where bundles are looked for."""

    released: Path
    archive: Path
    """What the code exports now: the output of ``//contracts:bundle``."""
    here: Path
    """What a relative path is relative to."""

    def load(self, name: str) -> Bundle:
        """The bundle that a user means.

        Args:
            name: ``1.0.0``; ``v1`` or ``1.2``, the newest release of that line;
                ``worktree``; or the path of a bundle's folder or archive.

        Raises:
            UnknownSourceError: There is none of that name.
            BundleError: It is broken.
        """
        if name == WORKTREE:
            return load_archive(self.archive, WORKTREE)
        if _VERSION.fullmatch(name):
            return self._release(name)
        path = self.here / name
        if path.is_file() and is_zipfile(path):
            return load_archive(path, name)
        if path.is_dir():
            return Bundle.load(path, name)
        raise UnknownSourceError(
            f"{name} is no version, no folder and no archive. Say 1.0.0, v1, "
            f"{WORKTREE}, or a path."
        )

    def _release(self, name: str) -> Bundle:
        asked = [int(number) for number in name.removeprefix("v").split(".")]
        versions = versions_in(self.released)
        for version in reversed(versions):
            if [version.major, version.minor, version.patch][: len(asked)] == asked:
                return load_baseline(self.released, version).bundle
        known = ", ".join(map(str, versions)) or "none"
        raise UnknownSourceError(f"There is no release {name}; there are: {known}.")


def load_archive(archive: Path, name: str) -> Bundle:
    """Read a bundle from the archive that ``//contracts:bundle`` makes.

    Its vectors can't be asked for: the folder is gone.

    Raises:
        BundleError: It is no archive, or the bundle in it is broken.
    """
    with _unpacked(archive) as folder:
        return Bundle.load(folder, name)


@contextmanager
def _unpacked(archive: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / archive.name
        try:
            with ZipFile(archive) as opened:
                opened.extractall(folder)
        except (OSError, BadZipFile, RuntimeError, NotImplementedError) as error:
            raise BundleError(f"{archive} is no bundle: {error}.") from None
        yield folder
