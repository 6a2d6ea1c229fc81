"""Runs other programs: their output kept, their progress watched, none left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Command = Sequence[str | Path]

_TICK_SECONDS = 0.02
# Of apt, of pip, of npm (which begins with three lines of codes).
_ERROR = re.compile(r"E: |ERROR|npm error (?!code |syscall |errno )")
_NOT_STARTED = 127  # what a shell reports


class Finished(NamedTuple):
    """A program that has ended.

    Attributes:
        code: Its exit code; negative for a signal.
        output: Standard output and standard error, as they came.
        stopped: Why it was stopped; empty if it ended by itself.
    """

    code: int
    output: str
    stopped: str = ""

    @property
    def reason(self) -> str:
        """Why it failed: the first error that it printed, else its last line."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = list(filter(_ERROR.match, lines))
        return self.stopped or (errors[:1] or lines or [f"exit code {self.code}"])[-1]


def run(
    command: Command,
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    watch: Callable[[str], str] | None = None,
) -> Finished:
    """Run one program to its end; see `run_all`."""
    watch_all = (lambda outputs: watch(outputs[0])) if watch else None
    return run_all([command], environ=environ, cwd=cwd, watch=watch_all)[0]


def run_all(
    commands: Sequence[Command],
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    watch: Callable[[list[str]], str] | None = None,
) -> list[Finished]:
    """Run programs side by side to their end.

    Args:
        commands: Program and arguments of each.
        environ: Their environment.
        cwd: The folder they start in.
        watch: Called many times a second with what each has printed so far, to show
            progress. If it returns a reason, all are stopped for it.

    Returns:
        A result for each command.
    """
    stopped = ""
    with ExitStack() as stack:
        started = [_start(command, stack, environ, cwd) for command in commands]
        running = [child for child, _ in started if child]
        while not stopped and any(child.poll() is None for child in running):
            if watch:
                stopped = watch([_read(log) for _, log in started])
            time.sleep(_TICK_SECONDS)
        for child in running:
            _kill(child)
        return [
            Finished(child.wait() if child else _NOT_STARTED, _read(log), stopped)
            for child, log in started
        ]


def _start(
    command: Command, stack: ExitStack, environ: Mapping[str, str], cwd: Path | None
) -> tuple[subprocess.Popen[bytes] | None, IO[bytes]]:
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - in the stack
    try:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # The one inheritable descriptor is the lock (files.locked): when bazelw is
            # killed outright, nobody works beside what its children still do.
            close_fds=False,
        )
    except OSError as error:
        log.write(f"{error.filename}: {error.strerror}".encode())
        log.flush()
        return None, log
    stack.callback(_kill, child)
    return child, log


def _read(log: IO[bytes]) -> str:
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), size, 0).decode(errors="replace")


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End *child* and what it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
