"""Other programs are run to their end, and none is left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tools.bazelw.process import Finished, run, run_all

ENVIRON = {"PATH": os.environ["PATH"]}


def test_output_of_both_streams_and_code() -> None:
    """They are told together, as the reason for a failure may be in either."""
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], environ=ENVIRON)

    assert (done.code, sorted(done.output.split())) == (3, ["err", "out"])


def test_run_all_runs_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other's file, so neither would end alone."""
    script = 'touch "$0"; while [ ! -e "$1" ]; do sleep 0.01; done; echo done'
    a, b = tmp_path / "a", tmp_path / "b"

    done = run_all(
        [["sh", "-c", script, a, b], ["sh", "-c", script, b, a]], environ=ENVIRON
    )

    assert [(one.code, one.output) for one in done] == [(0, "done\n")] * 2


def test_program_that_is_not_there() -> None:
    """It is a result like another: ways are tried one after the other."""
    done = run_all([["/nowhere/program"], ["echo", "here"]], environ=ENVIRON)

    assert done[0] == Finished(127, "/nowhere/program: No such file or directory")
    assert done[1] == Finished(0, "here\n")


def test_watch_sees_output_grow_and_can_stop_it(tmp_path: Path) -> None:
    """Whatever the program has started ends with it."""
    alive = tmp_path / "alive"
    script = f"(while :; do touch '{alive}'; sleep 0.02; done) & echo up; wait"

    done = run(
        ["sh", "-c", script],
        environ=ENVIRON,
        watch=lambda output: "seen enough" if "up" in output and alive.exists() else "",
    )
    alive.unlink()
    time.sleep(0.1)

    assert (done.stopped, done.reason, done.output) == (
        "seen enough",
        "seen enough",
        "up\n",
    )
    assert done.code < 0
    assert not alive.exists()


def test_exception_ends_programs_too(tmp_path: Path) -> None:
    """Such as the one that Ctrl-C raises."""
    alive = tmp_path / "alive"

    def interrupt(_: str) -> str:
        if alive.exists():
            raise KeyboardInterrupt
        return ""

    script = f"while :; do touch '{alive}'; sleep 0.02; done"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script], environ=ENVIRON, watch=interrupt)
    alive.unlink()
    time.sleep(0.1)

    assert not alive.exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("one\ntwo\n\n", "two"),
        ("W: well\nE: first\nE: second\nhint\n", "E: first"),
        ("npm error code X\nnpm error what\nnpm error log\n", "npm error what"),
        ("", "exit code 9"),
    ],
)
def test_reason_is_one_line(output: str, reason: str) -> None:
    """The first error, else the last line, else the code."""
    assert Finished(9, output).reason == reason


def test_output_that_is_no_text() -> None:
    """It is shown as far as it goes."""
    assert run(["printf", r"a\377b"], environ=ENVIRON).output == "a\ufffdb"
