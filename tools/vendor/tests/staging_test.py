from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tools.vendor.errors import VendorError
from tools.vendor.staging import replacing, write_sums


def fill(out: Path, name: str) -> None:
    """Write one file and the sums, as the program does."""
    with replacing(out) as folder:
        (folder / name).write_text(name)
        write_sums(folder)


def names(folder: Path) -> list[str]:
    """What lies in the folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_of_ours_is_replaced_whole(tmp_path: Path) -> None:
    """No wheel of an older export may stay and be installed."""
    out = tmp_path / "deep" / "vendored"
    fill(out, "old")
    fill(out, "new")

    assert names(out) == ["SHA256SUMS", "new"]
    assert names(out.parent) == ["vendored"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """`mkdir out` first is what many do."""
    out = tmp_path / "out"
    out.mkdir()
    fill(out, "new")

    assert names(out) == ["SHA256SUMS", "new"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    """The folder behind it is what gets replaced."""
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    fill(link, "new")

    assert link.is_symlink()
    assert names(real) == ["SHA256SUMS", "new"]


def test_foreign_files_are_never_lost(tmp_path: Path) -> None:
    """Even beside an export of ours: the message names what would be."""
    fill(tmp_path / "out", "old")
    (tmp_path / "out" / "thesis.tex").touch()

    with pytest.raises(VendorError, match=r"holds thesis\.tex, which this program did"):
        fill(tmp_path / "out", "new")

    assert names(tmp_path / "out") == ["SHA256SUMS", "old", "thesis.tex"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """It is not replaced either."""
    (tmp_path / "out").write_text("text")

    with pytest.raises(VendorError, match=r"out is a file, not a folder\."):
        fill(tmp_path / "out", "new")

    assert (tmp_path / "out").read_text() == "text"


def test_a_folder_below_a_file_names_the_file(tmp_path: Path) -> None:
    """The system's own words would be "File exists"."""
    (tmp_path / "file").touch()

    with pytest.raises(VendorError, match=r"/file is a file, not a folder\."):
        fill(tmp_path / "file" / "a" / "out", "new")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A name longer than file systems allow stops even the superuser."""
    with pytest.raises(VendorError, match=r"^cannot write .*x: File name too long$"):
        fill(tmp_path / ("x" * 300), "new")


def test_a_failure_halfway_leaves_the_old_export(tmp_path: Path) -> None:
    """A full disk must not cost the wheels that were there."""
    out = tmp_path / "out"
    fill(out, "old")

    def fail_halfway() -> None:
        with replacing(out) as folder:
            (folder / "half").touch()
            raise OSError(28, "No space left on device")

    with pytest.raises(VendorError, match=r"^cannot write .*: No space left on device"):
        fail_halfway()

    assert names(out) == ["SHA256SUMS", "old"]
    assert names(tmp_path) == ["out"]


def test_a_failed_rename_puts_the_old_export_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two renames there is no folder; an error there must not be final."""
    out = tmp_path / "out"
    fill(out, "old")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)

    with pytest.raises(VendorError, match=r"Device or resource busy$"):
        fill(out, "new")

    assert names(out) == ["SHA256SUMS", "old"]


def test_sums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    """`sha256sum --check SHA256SUMS` is how a receiver verifies a copy."""
    fill(tmp_path / "out", "a file")

    digest = hashlib.sha256(b"a file").hexdigest()
    assert (tmp_path / "out" / "SHA256SUMS").read_text() == f"{digest}  a file\n"
