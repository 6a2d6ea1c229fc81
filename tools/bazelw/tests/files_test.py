"""Files that are whole or absent, and locks."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tools.bazelw import files
from tools.bazelw.console import Console, Trouble


@pytest.mark.parametrize("content", ["text", b"bytes"])
def test_write_makes_folders_and_leaves_nothing_else(
    tmp_path: Path, content: str | bytes
) -> None:
    """Others may read the file; a shared cache has several users."""
    path = tmp_path / "a/b/file"
    files.write(path, "before")
    files.write(path, content)

    assert path.read_text() in ("text", "bytes")
    assert os.listdir(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_can_not_be_written_is_told(tmp_path: Path) -> None:
    """With the variable that helps."""
    (tmp_path / "file").touch()

    with pytest.raises(Trouble, match="set KERNEL_CACHE"):
        files.write(tmp_path / "file/below", "text")
    with pytest.raises(Trouble, match="set KERNEL_CACHE"):
        files.write(tmp_path, "text over a folder")


def test_lock_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    """A folder in its place, for one."""
    with (
        pytest.raises(Trouble, match=f"{tmp_path} can't be written"),
        files.locked(tmp_path, Console(), doing="nothing"),
    ):
        pass


def test_lock_is_free_after_use(tmp_path: Path) -> None:
    """After a failure as well, and nobody is told to wait."""
    stream = io.StringIO()
    lock = tmp_path / "folder/.lock"
    with (
        pytest.raises(ValueError, match="boom"),
        files.locked(lock, Console(stream), doing="something"),
    ):
        raise ValueError("boom")
    with files.locked(lock, Console(stream), doing="something"):
        pass

    assert stream.getvalue() == ""


def test_staging_clears_what_a_killed_run_left(tmp_path: Path) -> None:
    """And itself; what was moved out of it stays."""
    (tmp_path / ".staging-abandoned/deep").mkdir(parents=True)
    with files.staging(tmp_path) as staging:
        (staging / "a").touch()
        (staging / "a").rename(tmp_path / "kept")

    assert os.listdir(tmp_path) == ["kept"]


def test_size_of_what_changes_meanwhile(tmp_path: Path) -> None:
    """Links count as links; what is not there has no size."""
    (tmp_path / "a").write_text("12345")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c").write_text("123")

    assert files.size_of(tmp_path) == 8
    assert files.size_of(tmp_path / "gone") == 0
