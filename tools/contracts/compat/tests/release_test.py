from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.contracts.compat.baselines import load_baselines
from tools.contracts.compat.release import main
from tools.contracts.compat.tests.documents import (
    Change,
    Document,
    add_version,
    nothing,
    texts,
    write_archive,
    write_bundle,
    write_release,
)

DTO = "dtos/UserDTO.schema.json"
Run = Callable[..., int]


def shorter_name(files: Document) -> None:
    """A break."""
    files[DTO]["properties"]["name"]["maxLength"] = 10


def new_version(files: Document) -> None:
    """An addition."""
    add_version(files, 2)


def reworded(files: Document) -> None:
    """Words only."""
    files[DTO]["description"] = "Somebody."


def other_vectors(files: Document) -> None:
    """What no rule looks at."""
    files["vectors/dtos/UserDTO.json"]["valid"].append({"name": "x"})


def lay_out(folder: Path, change: Change) -> None:
    """A checkout whose code and committed bundle have this change."""
    write_bundle(folder / "contracts" / "current", change)
    write_archive(folder / "contracts.zip", change)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two baselines, and a committed bundle that is the same."""
    released = tmp_path / "contracts" / "released"
    write_release(released, "1.0.0")
    write_release(released, "1.1.0", previous="1.0.0")
    lay_out(tmp_path, nothing)
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(checkout: Path) -> Run:
    """The program, started by `bazel run`."""
    return lambda *arguments: main([str(checkout / "contracts.zip"), *arguments])


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_release_is_the_committed_bundle(
    run: Run, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file as it is, and the facts of the release beside them."""
    lay_out(checkout, new_version)
    code = run("1.2.0", "--date", "2026-03-01")

    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert told.out.startswith(
        "contracts/released/1.2.0: 9 files, 1 finding since 1.1.0 (step: minor)\n"
    )
    written = tree(checkout / "contracts/released/1.2.0")
    facts = json.loads(written.pop("release.json"))
    assert written == texts(new_version)
    assert (facts["version"], facts["previous"]) == ("1.2.0", "1.1.0")
    assert facts["date"] == "2026-03-01"
    assert sorted(facts["files"]) == sorted(written)
    assert sorted(p.name for p in (checkout / "contracts").iterdir()) == [
        "current",
        "released",
    ]


def test_a_release_can_be_read_again(run: Run, checkout: Path) -> None:
    """The next run, and the gate, take it for a baseline."""
    lay_out(checkout, reworded)
    run("1.1.1")

    versions = [str(b.version) for b in load_baselines(checkout / "contracts/released")]
    assert versions == ["1.0.0", "1.1.0", "1.1.1"]


def test_two_releases_of_one_tree_are_equal(run: Run, checkout: Path) -> None:
    """Without a date it is made of the bundle alone, to the byte."""
    lay_out(checkout, reworded)
    run("1.1.1")
    first = tree(checkout / "contracts/released/1.1.1")
    shutil.rmtree(checkout / "contracts/released/1.1.1")
    run("1.1.1")

    assert tree(checkout / "contracts/released/1.1.1") == first


def test_the_first_release(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It may have any version: there is nothing to compare with."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    lay_out(tmp_path, nothing)

    assert main([str(tmp_path / "contracts.zip"), "1.0.0"]) == 0
    assert "8 files, the first release" in capsys.readouterr().out
    assert len(load_baselines(tmp_path / "contracts/released")) == 1


def test_a_dry_run_writes_nothing(
    run: Run, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It checks all the same."""
    lay_out(checkout, reworded)
    before = tree(checkout)

    assert run("1.2.0", "--dry-run") == 0
    assert capsys.readouterr().out == (
        "would write contracts/released/1.2.0: 8 files, 1 finding since 1.1.0 "
        "(step: patch)\n"
    )
    assert tree(checkout) == before


@pytest.mark.parametrize(
    ("change", "enough", "too_small"),
    [
        (shorter_name, "2.0.0", ["1.1.1", "1.2.0", "1.99.0"]),
        (new_version, "1.2.0", ["1.1.1", "1.1.99"]),
        (reworded, "1.1.1", []),
        (other_vectors, "1.1.1", []),
        (reworded, "3.0.0", []),
    ],
)
def test_the_step_must_be_large_enough(
    run: Run, checkout: Path, change: Change, enough: str, too_small: list[str]
) -> None:
    """Major if something breaks, minor for additions, patch for the rest."""
    lay_out(checkout, change)

    assert [run(version, "--dry-run") for version in too_small] == [1] * len(too_small)
    assert run(enough, "--dry-run") == 0


def edit_baseline(checkout: Path) -> None:
    """By hand, the older of the two."""
    (checkout / "contracts/released/1.0.0/errors.json").write_text("{}")


def edit_golden(checkout: Path) -> None:
    """By hand, so that it is not what the code says."""
    path = checkout / "contracts/current" / DTO
    path.write_text(path.read_text().replace("A user.", "A person."))


def forget_update(checkout: Path) -> None:
    """The code has changed, and the committed bundle has not."""
    write_archive(checkout / "contracts.zip", reworded)


def break_archive(checkout: Path) -> None:
    """No archive."""
    (checkout / "contracts.zip").write_bytes(b"PK")


def dangle(files: Document) -> None:
    """A reference that leads nowhere."""
    files[DTO]["properties"]["name"] = {"$ref": "Nowhere.schema.json"}


def changed(change: Change) -> Callable[[Path], None]:
    """Code and committed bundle, both."""
    return lambda checkout: lay_out(checkout, change)


TOO_SMALL = (
    "1.2.0 is too small a step: since 1.1.0 there is max-length-tightened at "
    f"{DTO}#/properties/name/maxLength, which asks for 2.0.0. See ./bazelw run "
    "//contracts:diff -- 1.1.0 worktree"
)
OUTDATED = (
    f'{DTO}:4: has "description": "A person.",, the code says "description": "A user.",'
    ". Run ./bazelw run //contracts:update and commit it first."
)
REFUSED: dict[str, tuple[Callable[[Path], None], list[str], str]] = {
    "no version": (
        changed(reworded),
        ["1.2"],
        "a version is three numbers such as 1.2.0 (got '1.2').",
    ),
    "a v before it": (changed(reworded), ["v1.2.0"], "a version is three numbers such"),
    "a pre-release": (changed(reworded), ["1.2.0-rc1"], "a version is three numbers"),
    "a path": (changed(reworded), ["../1.2.0"], "a version is three numbers such as"),
    "there already": (
        changed(reworded),
        ["1.0.0"],
        "1.0.0 is released already, and stays as it is.",
    ),
    "older": (
        changed(reworded),
        ["1.0.1"],
        "1.0.1 is older than the newest release, 1.1.0.",
    ),
    "nothing new": (
        lambda checkout: None,
        ["1.2.0"],
        "nothing has changed since 1.1.0",
    ),
    "too small a step": (
        changed(shorter_name),
        ["1.2.0"],
        TOO_SMALL,
    ),
    "an edited golden": (
        edit_golden,
        ["1.2.0"],
        OUTDATED,
    ),
    "an old golden": (
        forget_update,
        ["1.2.0"],
        "Run ./bazelw run //contracts:update and commit it first.",
    ),
    "a broken baseline": (
        edit_baseline,
        ["1.2.0"],
        "contracts/released/1.0.0/errors.json is not as it was released.",
    ),
    "a broken archive": (
        break_archive,
        ["1.2.0"],
        "contracts.zip is no bundle: File is not a zip file.",
    ),
    "a broken bundle": (
        changed(dangle),
        ["2.0.0"],
        f"{DTO}#/properties/name: $ref 'Nowhere.schema.json' leads nowhere.",
    ),
    "a date": (
        changed(reworded),
        ["1.2.0", "--date", "1 March"],
        "--date must be as in 2026-03-01 (got '1 March').",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_writes_nothing(
    run: Run, checkout: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """One line on stderr, exit code 1, and every file as it was."""
    prepare, arguments, message = REFUSED[case]
    prepare(checkout)
    before = tree(checkout)
    code = run(*arguments)

    told = capsys.readouterr()
    assert (code, told.out) == (1, "")
    assert told.err.startswith("release: ")
    assert message in told.err
    assert told.err.count("\n") == 1
    assert tree(checkout) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1.2.0", "1.3.0"], "Got unexpected extra argument"),
        (["1.2.0", "--force"], "No such option: --force"),
        (["--dry-run"], "Missing argument 'VERSION'. See --help."),
    ],
)
def test_wrong_arguments(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """One line, and exit code 2."""
    assert run(*arguments) == 2

    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0)])
def test_help(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    """It says what a step is."""
    assert run(*arguments) == code

    text = " ".join(capsys.readouterr().out.split())
    assert "//contracts:release -- [OPTIONS] {VERSION} " in text
    assert "--dry-run" in text
    assert "Exit codes: 0 written;" in text


def test_a_folder_that_can_not_be_written(
    run: Run, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full ends so, too."""
    lay_out(checkout, reworded)
    limited = (
        "import resource, sys, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
    )
    process = start(checkout, limited)

    assert process.returncode == 1
    assert process.stderr == (
        f"release: can't write {checkout}/contracts/released/1.2.0: File too large.\n"
    )
    assert sorted(p.name for p in (checkout / "contracts").rglob("*1.2.0*")) == []
    assert sorted(p.name for p in (checkout / "contracts").iterdir()) == [
        "current",
        "released",
    ]


def test_one_at_a_time(
    run: Run, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run does not wait: what it checked may be wrong by then."""
    lay_out(checkout, reworded)
    folder = os.open(checkout / "contracts", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        code = run("1.2.0")
    finally:
        os.close(folder)

    assert code == 1
    assert capsys.readouterr().err == (
        f"release: another release is writing to {checkout}/contracts.\n"
    )


def start(checkout: Path, before: str) -> subprocess.CompletedProcess[str]:
    """Release 1.2.0 in a process of its own, after the lines of Python *before*."""
    program = (
        f"{before}\n"
        "import sys\n"
        "from tools.contracts.compat.release import main\n"
        f"sys.exit(main([{str(checkout / 'contracts.zip')!r}, '1.2.0']))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "BUILD_WORKSPACE_DIRECTORY": str(checkout),
        },
    )


KILL = """\
import os, pathlib, signal
calls = 0
def die(name, number):
    real = getattr(pathlib.Path, name)
    def dying(*args, **kwargs):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(pathlib.Path, name, dying)
"""


@pytest.mark.parametrize(
    "moment",
    [
        "die('write_bytes', 1)",
        "die('write_bytes', 5)",
        "die('write_text', 1)",
        "die('rename', 1)",
    ],
)
def test_killed_in_the_middle(run: Run, checkout: Path, moment: str) -> None:
    """Nothing half-written is a baseline, and the next run cleans up and succeeds."""
    lay_out(checkout, reworded)
    released = checkout / "contracts" / "released"
    before = tree(released)
    process = start(checkout, KILL + moment)

    assert process.returncode == -signal.SIGKILL
    assert tree(released) == before
    assert run("1.2.0") == 0
    assert sorted(p.name for p in (checkout / "contracts").iterdir()) == [
        "current",
        "released",
    ]
    assert str(load_baselines(released)[-1].version) == "1.2.0"
