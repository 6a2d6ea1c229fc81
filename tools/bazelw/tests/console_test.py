"""Messages and progress, on a terminal and in a log."""

from __future__ import annotations

import io
import re

import pytest

from tools.bazelw import console
from tools.bazelw.console import Console


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_further_lines_are_indented() -> None:
    """One message stays one block in a log of many programs."""
    stream = io.StringIO()
    Console(stream).say("first\nsecond\n  third")

    assert stream.getvalue() == "bazelw: first\n    second\n      third\n"


def test_log_has_a_line_for_each_step() -> None:
    """No control characters, and nothing more for work that is soon done."""
    stream = io.StringIO()
    with Console(stream).step("unpacking") as step:
        step.progress("1 of 2")

    assert stream.getvalue() == "bazelw: unpacking ...\n"


def test_long_work_shows_signs_of_life_in_a_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CI ends jobs that are silent for too long."""
    monkeypatch.setattr(console, "_LOG_SECONDS", 0)
    stream = io.StringIO()
    with Console(stream).step("fetching") as step:
        step.progress("1 MB of 2 MB")

    assert stream.getvalue() == "bazelw: fetching ...\nbazelw: fetching: 1 MB of 2 MB\n"


def test_terminal_redraws_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays in the end is how long it took."""
    monkeypatch.setattr(console, "_TERMINAL_SECONDS", 0)
    stream = Terminal()
    with Console(stream).step("fetching") as step:
        step.progress("1 MB of 2 MB")
        step.progress("2 MB of 2 MB")

    clear = "\r\x1b[K"
    assert re.fullmatch(
        re.escape(
            f"{clear}bazelw: fetching: 1 MB of 2 MB"
            f"{clear}bazelw: fetching: 2 MB of 2 MB"
            f"{clear}bazelw: fetching: "
        )
        + r"\d+\.\d s\n",
        stream.getvalue(),
    )


def test_line_is_no_longer_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapped line can't be redrawn."""
    monkeypatch.setattr(console, "_TERMINAL_SECONDS", 0)
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    with Console(stream).step("a long text", announce=False) as step:
        step.progress("x" * 100)

    assert stream.getvalue() == "\r\x1b[Kbazelw: a long text\r\x1b[K"


def test_unannounced_work_that_is_short_leaves_no_trace() -> None:
    """Asking an installed Bazel for its version takes a hundredth of a second."""
    stream = io.StringIO()
    with Console(stream).step("asking", announce=False) as step:
        step.progress("soon")

    assert stream.getvalue() == ""


def test_failed_step_is_cleared_and_takes_no_credit() -> None:
    """The error that follows starts on a clean line."""
    stream = Terminal()
    with pytest.raises(ValueError, match="boom"), Console(stream).step("work"):
        raise ValueError("boom")

    assert stream.getvalue() == "\r\x1b[K"
