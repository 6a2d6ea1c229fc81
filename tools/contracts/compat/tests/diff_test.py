from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.contracts.compat.diff import main
from tools.contracts.compat.tests.documents import (
    Document,
    write_archive,
    write_bundle,
    write_release,
)

DTO = "dtos/UserDTO.schema.json"
Run = Callable[..., int]


def shorter_name(files: Document) -> None:
    """A break."""
    files[DTO]["properties"]["name"]["maxLength"] = 10


def reworded(files: Document) -> None:
    """Words only."""
    files[DTO]["description"] = "Somebody."


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program, started by `bazel run` in the folder ``here`` of a checkout."""
    released = tmp_path / "contracts" / "released"
    write_release(released, "1.0.0")
    write_release(released, "1.9.0", reworded, previous="1.0.0")
    write_release(released, "1.10.0", reworded, previous="1.9.0")
    write_release(released, "2.0.0", shorter_name, previous="1.10.0")
    archive = write_archive(tmp_path / "contracts.zip", shorter_name)
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(tmp_path / "here"))
    return lambda *arguments: main([str(archive), *arguments])


def test_a_break_is_exit_code_1(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """People read what it is, where, and what to do."""
    code = run("1.0.0", "worktree")

    told = capsys.readouterr()
    assert (code, told.err) == (1, "")
    assert told.out.startswith(f"1.0.0 -> worktree: 1 breaking\n\n{DTO}\n")
    assert "BREAKING  max-length-tightened  #/properties/name/maxLength" in told.out
    assert "\x1b" not in told.out


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        ("1.0.0", "1.9.0", "1.0.0 -> 1.9.0: 1 change of wording\n"),
        ("2.0.0", "worktree", "2.0.0 -> worktree: no difference\n"),
    ],
)
def test_what_breaks_nobody_is_exit_code_0(
    run: Run, capsys: pytest.CaptureFixture[str], before: str, after: str, first: str
) -> None:
    """Words, and nothing at all."""
    assert run(before, after) == 0
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("1.9.0", "1.9.0"),
        ("v1.9.0", "1.9.0"),
        ("v1", "1.10.0"),
        ("1", "1.10.0"),
        ("v1.9", "1.9.0"),
        ("v2", "2.0.0"),
        ("worktree", "worktree"),
    ],
)
def test_what_names_mean(
    run: Run, capsys: pytest.CaptureFixture[str], name: str, meant: str
) -> None:
    """A part of a version is the newest of its line."""
    run("1.0.0", name)

    assert capsys.readouterr().out.startswith(f"1.0.0 -> {meant}: ")


@pytest.mark.parametrize("name", ["bundle", "./bundle", "../here/bundle.zip"])
def test_a_path_is_from_where_the_user_is(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A folder or an archive, such as one downloaded."""
    write_bundle(tmp_path / "here" / "bundle", reworded)
    write_archive(tmp_path / "here" / "bundle.zip", reworded)

    assert run("1.0.0", name) == 0
    assert capsys.readouterr().out.startswith(f"1.0.0 -> {name}: 1 change of wording")


def test_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with the same exit codes."""
    code = run("v1.0.0", "worktree", "--json")

    document = json.loads(capsys.readouterr().out)
    assert code == 1
    assert document["before"] == "1.0.0"
    assert document["after"] == "worktree"
    assert document["step"] == "major"
    assert [each["rule"] for each in document["findings"]] == ["max-length-tightened"]


WRONG: dict[str, tuple[list[str], str]] = {
    "no such version": (
        ["v3", "worktree"],
        "There is no release v3; there are: 1.0.0, 1.9.0, 1.10.0, 2.0.0.",
    ),
    "no such patch": (["1.0.1", "worktree"], "There is no release 1.0.1; there are"),
    "nothing": (["1.0.0", "main"], "main is no version, no folder and no archive. Say"),
    "an empty name": (["1.0.0", ""], "has no manifest.json."),
    "a folder that is no bundle": (["1.0.0", "."], "has no manifest.json."),
}
MISUSED: dict[str, tuple[list[str], str]] = {
    "one name": (["1.0.0"], "Missing argument 'AFTER'. See --help."),
    "three names": (["1", "2", "3"], "Got unexpected extra argument"),
    "an option": (["1", "2", "--yaml"], "No such option: --yaml"),
}


@pytest.mark.parametrize(
    ("case", "exit_code"),
    [
        *((case, 1) for case in WRONG.values()),
        *((case, 2) for case in MISUSED.values()),
    ],
    ids=[*WRONG, *MISUSED],
)
def test_bad_input(
    run: Run,
    capsys: pytest.CaptureFixture[str],
    case: tuple[list[str], str],
    exit_code: int,
) -> None:
    """One line on stderr and nothing on stdout; how it was called has its own code."""
    arguments, message = case
    code = run(*arguments)

    told = capsys.readouterr()
    assert (code, told.out) == (exit_code, "")
    assert told.err.startswith("diff: ")
    assert message in told.err
    assert told.err.count("\n") == 1


def test_a_broken_baseline(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the file."""
    (tmp_path / "contracts/released/1.0.0/errors.json").write_text("{}")

    assert run("1.0.0", "worktree") == 1
    assert capsys.readouterr().err == (
        f"diff: {tmp_path}/contracts/released/1.0.0/errors.json is not as it was "
        "released.\n"
    )


def test_a_document_that_can_not_be_followed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reference that leads nowhere is a broken bundle."""

    def dangle(files: Document) -> None:
        files[DTO]["properties"]["name"] = {"$ref": "Nowhere.schema.json"}

    write_bundle(tmp_path / "here" / "bundle", dangle)

    assert run("1.0.0", "bundle") == 1
    assert capsys.readouterr().err == (
        f"diff: {DTO}#/properties/name: $ref 'Nowhere.schema.json' leads nowhere.\n"
    )


def test_a_broken_archive(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worktree's own, too."""
    (tmp_path / "contracts.zip").write_bytes(b"PK")

    assert run("1.0.0", "worktree") == 1
    assert capsys.readouterr().err == (
        f"diff: {tmp_path}/contracts.zip is no bundle: File is not a zip file.\n"
    )


@pytest.mark.parametrize(("arguments", "exit_code"), [([], 2), (["--help"], 0)])
def test_help(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], exit_code: int
) -> None:
    """It says what a bundle is called; asked for or not, the code differs."""
    code = run(*arguments)

    text = " ".join(capsys.readouterr().out.split())
    assert code == exit_code
    assert "//contracts:diff -- [OPTIONS] {BEFORE} {AFTER} " in text
    assert "--json" in text
    assert "the newest of a line (v1, 1.2)" in text
    assert "Exit codes: 0 nothing breaks;" in text


def start(*arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    """The program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tools.contracts.compat.diff", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONUNBUFFERED": "",  # as for users, whatever runs the tests
            **environ,
        },
    )


@pytest.mark.parametrize("number", [1, 3000])
def test_who_reads_no_further_is_no_error(
    run: Run, tmp_path: Path, number: int
) -> None:
    """`| head -1` ends it without a traceback, however much there is to say."""
    archive = write_archive(
        tmp_path / "many.zip",
        lambda d: d["manifest.json"].update(
            dtos={
                f"New{i}DTO": d["manifest.json"]["dtos"]["UserDTO"]
                for i in range(number)
            }
        ),
    )
    process = start(str(archive), "1.0.0", "worktree")
    assert process.stdout is not None
    process.stdout.close()

    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_a_locale_that_can_not_show_it(run: Run, tmp_path: Path) -> None:
    """ASCII terminals get escapes, not a traceback."""
    archive = write_archive(
        tmp_path / "accents.zip", lambda d: d[DTO].update(description="Réservé.")
    )
    process = start(str(archive), "1.0.0", "worktree", PYTHONIOENCODING="ascii")
    out, err = process.communicate()

    assert (process.returncode, err) == (0, b"")
    assert b"R\\xe9serv\\xe9." in out
