"""The built site for tests."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpacked(folder: Path) -> Path:
    """Put the site, which Bazel has built, into *folder*."""
    with tarfile.open("docs/site/site.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder
