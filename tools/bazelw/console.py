"""What bazelw says, all of it on standard error: standard output is Bazel's."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERMINAL_SECONDS = 0.1
_LOG_SECONDS = 10.0


class Trouble(Exception):
    """Something bazelw can't do: what, why, and what helps."""


class Console:
    """Messages and progress, for a terminal (one line, redrawn) and for a plain log."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()

    def say(self, text: str) -> None:
        """Print *text*, its further lines indented under the first."""
        lines = text.splitlines()
        print("bazelw:", "\n    ".join(lines), file=self._stream, flush=True)

    @contextmanager
    def step(self, text: str, *, announce: bool = True) -> Iterator[Step]:
        """Announce work that takes a while, and on a terminal how long it took.

        Without *announce*, work that turns out to be short leaves no trace.
        """
        started = time.monotonic()
        if announce and not self._terminal:
            self.say(f"{text} ...")
        try:
            yield Step(
                self, text, _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
            )
        finally:
            self._redraw("")
        if announce and self._terminal:
            self.say(f"{text}: {time.monotonic() - started:.1f} s")

    def show(self, progress: str) -> None:
        """Show how far work is: in place of the last time, or as a line of a log."""
        if self._terminal:
            self._redraw(f"bazelw: {progress}")
        else:
            self.say(progress)

    def _redraw(self, line: str) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", file=self._stream, flush=True)


class Step:
    """Long work under way; `Console.step` makes it."""

    def __init__(self, console: Console, text: str, interval: float) -> None:
        self._console = console
        self._text = text
        self._interval = interval
        self._shown = time.monotonic()

    def progress(self, detail: str) -> None:
        """Say how far the work is. It may be called often: most calls show nothing."""
        now = time.monotonic()
        if now - self._shown >= self._interval:
            self._shown = now
            self._console.show(f"{self._text}: {detail}")
