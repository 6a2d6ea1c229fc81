from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from shared.config._errors import ConfigurationProblem
from shared.config._sources import (
    Found,
    Source,
    env_file,
    environment,
    secrets_directory,
)


@pytest.fixture
def problems() -> list[ConfigurationProblem]:
    """What a source could not read."""
    return []


def only(problems: list[ConfigurationProblem]) -> str:
    """The text of the one problem."""
    (problem,) = problems
    return str(problem)


def test_first_name_wins(problems: list[ConfigurationProblem]) -> None:
    """In one source the names are tried in their order; blanks are no value."""
    source = environment({"A": " 1 ", "B": "2", "C": "  "})

    assert source.find(("C", "B", "A"), problems) == Found("B", "2", "environment")
    assert source.find(("A", "B"), problems) == Found("A", "1", "environment")
    assert source.find(("C", "D"), problems) is None
    assert problems == []


def test_a_file_named_in_a_variable(
    tmp_path: Path, problems: list[ConfigurationProblem]
) -> None:
    """NAME_FILE is read, as Docker's own images do."""
    file = tmp_path / "url"
    file.write_text("text\n")
    source = environment({"A_FILE": str(file), "B": "1", "B_FILE": str(file)})

    found = source.find(("A",), problems)
    assert found == Found("A_FILE", "text", "file named in the environment")
    assert problems == []
    source.find(("B",), problems)
    assert only(problems) == (
        "B_FILE (environment): Is set, and so is B. Remove one of the two."
    )


def test_files_of_a_directory(
    tmp_path: Path, problems: list[ConfigurationProblem]
) -> None:
    """Upper and lower case are one name; hidden files and folders are none."""
    (tmp_path / "secret_key").write_text("one\n")
    (tmp_path / "AES_KEY").write_bytes(b" two \r\n")
    (tmp_path / "..data").mkdir()
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "folder").mkdir()
    source = secrets_directory(tmp_path, problems)

    assert sorted(source.origins) == ["AES_KEY", "EMPTY", "SECRET_KEY"]
    assert source.find(("SECRET_KEY",), problems) == Found(
        "SECRET_KEY", "one", f"file {tmp_path}/secret_key"
    )
    assert source.find(("EMPTY", "AES_KEY"), problems) == Found(
        "AES_KEY", "two", f"file {tmp_path}/AES_KEY"
    )
    assert problems == []


def test_a_kubernetes_volume(
    tmp_path: Path, problems: list[ConfigurationProblem]
) -> None:
    """Its names are links into the folder of the current version."""
    version = tmp_path / "..2026_01_01"
    version.mkdir()
    (version / "SECRET_KEY").write_text("one")
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "SECRET_KEY").symlink_to("..data/SECRET_KEY")

    found = secrets_directory(tmp_path, problems).find(("SECRET_KEY",), problems)
    assert found is not None
    assert found.value == "one"


def test_one_secret_in_two_files(
    tmp_path: Path, problems: list[ConfigurationProblem]
) -> None:
    """Which one is meant nobody knows; it is told only of names that are looked for."""
    (tmp_path / "a").write_text("1")
    (tmp_path / "A").write_text("2")
    source = secrets_directory(tmp_path, problems)

    assert source.find(("B",), problems) is None
    assert problems == []
    assert source.find(("A",), problems) is None
    assert only(problems) == (
        f"A ({tmp_path}): Is there twice, as A and as a. Remove one of the two."
    )


def unreadable(tmp_path: Path) -> Source:
    """A variable that points at what is no readable file of text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    return environment(
        {
            "GONE_FILE": str(tmp_path / "gone"),
            "FOLDER_FILE": str(tmp_path),
            "BINARY_FILE": str(tmp_path / "binary"),
            "LARGE_FILE": str(tmp_path / "large"),
            "NUL_FILE": "a\0b",
        }
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("GONE", "Can't be read: No such file or directory."),
        ("FOLDER", "Can't be read: Is a directory."),
        ("BINARY", "The file is not UTF-8 text."),
        ("LARGE", "The file is larger than 1,048,576 bytes."),
        ("NUL", "Can't be read: it is no path."),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, problems: list[ConfigurationProblem], name: str, rule: str
) -> None:
    """The rule is told, and not the path: it may be the secret itself, by mistake."""
    assert unreadable(tmp_path).find((name,), problems) is None
    assert rule in only(problems)
    assert str(tmp_path) not in only(problems)


def test_a_directory_that_is_none(
    tmp_path: Path, problems: list[ConfigurationProblem]
) -> None:
    """It is told where it was named."""
    assert secrets_directory(tmp_path / "gone", problems).origins == {}
    assert "SECRETS_DIR" in only(problems)
    assert "No such file or directory" in only(problems)


def test_a_directory_that_is_no_path(problems: list[ConfigurationProblem]) -> None:
    """A NUL is in no path, and is not printed."""
    assert secrets_directory(Path("a\0b"), problems).origins == {}
    assert only(problems) == (
        "SECRETS_DIR ('a\\x00b'): Can't be read: it is no path. "
        "Correct the path, or the rights of the file."
    )


def test_a_directory_that_may_be_listed_only(
    tmp_path: Path,
    problems: list[ConfigurationProblem],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the right to search it, its secrets can't be read: not none are there."""

    def refuse(path: Path, **_options: bool) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    (tmp_path / "secret_key").write_text("1")
    monkeypatch.setattr(Path, "stat", refuse)

    assert secrets_directory(tmp_path, problems).origins == {}
    assert only(problems) == (
        f"SECRETS_DIR ({tmp_path}): Can't be read: Permission denied. "
        "Correct the path, or the rights of the file."
    )


def test_a_link_to_nothing_is_no_secret(
    tmp_path: Path, problems: list[ConfigurationProblem]
) -> None:
    """It is left alone, as a folder is."""
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to("loop")

    assert secrets_directory(tmp_path, problems).origins == {}
    assert problems == []


def test_lines_of_env(tmp_path: Path, problems: list[ConfigurationProblem]) -> None:
    """The origin is the line; what is broken is told if it is looked for."""
    file = tmp_path / ".env"
    file.write_text("A=1\nB=${C}\nD=1\nD=2\nE_FILE=${C}\n???\n")
    source = env_file(file, problems)

    assert only(problems).startswith(f"{file} line 6: Is no assignment")
    problems.clear()
    assert source.find(("A",), problems) == Found("A", "1", f"{file} line 1")
    assert problems == []
    for name in ("B", "D", "E"):
        assert source.find((name,), problems) is None
    assert [(problem.name, problem.origin) for problem in problems] == [
        ("B", f"{file} line 2"),
        ("D", f"{file} line 4"),
        ("E_FILE", f"{file} line 5"),
    ]
    assert problems[1].rule == f"Is set twice, the first time in {file} line 3."


def test_no_rights(
    tmp_path: Path,
    problems: list[ConfigurationProblem],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file without read permission is a problem, not a missing setting."""

    def refuse(path: Path, _mode: str) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    (tmp_path / "a").write_text("1")
    monkeypatch.setattr(Path, "open", refuse)

    assert secrets_directory(tmp_path, problems).find(("A",), problems) is None
    assert "Permission denied" in only(problems)


def test_values_are_not_in_a_repr() -> None:
    """Tracebacks with local variables show objects of this module."""
    source = environment({"A": "hunter2"})

    assert "hunter2" not in repr(source)
    assert "hunter2" not in repr(source.find(("A",), []))
