"""The committed bundle: what differs is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.contracts.goldens import differences, files_of, main, write
from tools.wheel.archive import write_zip

EXPORTED = {"a.json": b'{\n  "x": 1\n}\n', "sub/b.json": b"{}\n"}


def archive(folder: Path) -> Path:
    """A bundle's archive with `EXPORTED` in it."""
    path = folder / "contracts.zip"
    write_zip(path, sorted(EXPORTED.items()))
    return path


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A folder with what was exported."""
    folder = tmp_path / "current"
    write(EXPORTED, folder)
    return folder


def test_nothing_differs_after_writing(committed: Path) -> None:
    """And the archive holds what was put into it."""
    assert list(differences(EXPORTED, committed)) == []
    assert files_of(archive(committed.parent)) == EXPORTED


def test_an_edited_file_is_named_with_its_line(committed: Path) -> None:
    """Both sides are shown."""
    (committed / "a.json").write_bytes(b'{\n  "x": 2\n}\n')

    assert list(differences(EXPORTED, committed)) == [
        f'{committed}/a.json:2: has "x": 2, the code says "x": 1.'
    ]


def test_a_file_that_ends_early_is_named_with_the_line_it_lacks(
    committed: Path,
) -> None:
    """What is not there differs too."""
    (committed / "a.json").write_bytes(b'{\n  "x": 1\n')

    assert list(differences(EXPORTED, committed)) == [
        f"{committed}/a.json:3: has nothing, the code says }}."
    ]


def test_other_ends_of_lines_are_a_difference(committed: Path) -> None:
    """The bytes are the contract."""
    (committed / "sub/b.json").write_bytes(b"{}\r\n")

    assert list(differences(EXPORTED, committed)) == [
        f"{committed}/sub/b.json: ends of lines or of the file differ."
    ]


def test_missing_and_surplus_files_are_named(committed: Path) -> None:
    """A contract that the code dropped does not stay behind unseen."""
    (committed / "a.json").rename(committed / "old.json")

    assert list(differences(EXPORTED, committed)) == [
        f"{committed}/a.json is missing; the code exports it.",
        f"{committed}/old.json is not exported by the code any more.",
    ]


def test_writing_mends_everything(committed: Path) -> None:
    """Stale files and empty folders go, and only what differs is written."""
    (committed / "old").mkdir()
    (committed / "old/c.json").write_bytes(b"{}")
    (committed / "a.json").write_bytes(b"{}")

    assert write(EXPORTED, committed) == ["a.json", "old/c.json"]
    assert list(differences(EXPORTED, committed)) == []
    assert not (committed / "old").exists()


def test_the_command_writes_into_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says what it wrote; the second time there is nothing to write."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))

    assert main([str(archive(tmp_path))]) == 0
    first = capsys.readouterr().out
    assert "wrote contracts/current/sub/b.json" in first
    assert main([str(archive(tmp_path))]) == 0
    assert "wrote" not in capsys.readouterr().out


def test_checking_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits with 1 and the lines."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))

    assert main(["--check", str(archive(tmp_path))]) == 1
    assert "a.json is missing" in capsys.readouterr().out
    assert not (tmp_path / "contracts").exists()


def test_a_broken_archive_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is written."""
    broken = tmp_path / "contracts.zip"
    broken.write_bytes(b"PK no")

    assert main([str(broken)]) == 1
    assert capsys.readouterr().err.startswith(f"{broken} is no bundle: ")
