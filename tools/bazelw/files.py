"""Files that are whole or absent, and locks between processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bazelw.console import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.bazelw.console import Console


_STAGING = ".staging-"


def digest(text: str) -> str:
    """A name made of *text*: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_folder(folder: Path) -> None:
    """Make *folder* and those above it.

    Raises:
        Trouble: It can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def write(path: Path, content: str | bytes) -> None:
    """Put *content* at *path* in one step: nobody ever reads half of it.

    Raises:
        Trouble: It can't be written.
    """
    make_folder(path.parent)
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def locked(path: Path, console: Console, *, doing: str) -> Iterator[None]:
    """Hold the lock file *path*; wait, and say so, while another process has it.

    Children inherit the lock (`process.run_all`).

    Raises:
        Trouble: There can't be a file.
    """
    make_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say(f"another bazelw is {doing}; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.set_inheritable(handle, True)
        yield
    finally:
        os.close(handle)


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder for the time being, in *folder*, so that its files can be moved there.

    What a killed run left is removed; so the caller has the lock of *folder*.
    """
    for abandoned in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_STAGING) as name:
        yield Path(name)


def size_of(folder: Path) -> int:
    """Bytes in *folder* and below, as far as they can be seen."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # gone since it was listed
                continue
    return total


def _unwritable(path: Path, error: OSError) -> Trouble:
    return Trouble(
        f"{path} can't be written ({error.strerror}).\n"
        "Make room or set KERNEL_CACHE to a folder that you may write to."
    )
