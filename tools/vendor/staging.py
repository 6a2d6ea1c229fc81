"""Fills a folder whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.vendor.errors import VendorError

SUMS = "SHA256SUMS"


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over all files of *folder*, for `sha256sum --check`."""
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.name}\n")
    (folder / SUMS).write_text("".join(lines))


def check_replaceable(out: Path) -> None:
    """Raise unless *out* may be replaced: absent, empty, or written by us and no more.

    Raises:
        VendorError: It holds something that would be lost.
    """
    nearest = next(path for path in (out, *out.parents) if path.exists())
    if not nearest.is_dir():
        raise VendorError(f"{nearest} is a file, not a folder. Choose another --out.")
    if nearest != out:
        return
    present = {path.name for path in out.iterdir()}
    try:
        sums = (out / SUMS).read_text().splitlines()
    except FileNotFoundError:
        sums = []
    listed = {line.partition("  ")[2] for line in sums} | {SUMS}
    if foreign := sorted(present - listed):
        raise VendorError(
            f"{out} holds {foreign[0]}, which this program did not write. "
            "Empty the folder or choose another --out."
        )


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes *out* if the block succeeds.

    Raises:
        VendorError: *out* can't be written, or ``check_replaceable`` objects.
    """
    out = out.resolve()
    try:
        check_replaceable(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            fresh = scratch / "new"
            fresh.mkdir()
            yield fresh
            if out.exists():
                out.rename(scratch / "old")
            try:
                fresh.rename(out)
            except OSError:
                if (scratch / "old").exists():
                    (scratch / "old").rename(out)
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise VendorError(f"cannot write {out}: {reason}") from error


def copy(source: Path, folder: Path) -> None:
    """Copy a file, readable by everyone, without its time or owner."""
    target = folder / source.name
    shutil.copyfile(source, target)
    os.chmod(target, 0o644)
