"""Processes and all that they started: to be killed, stopped and never left behind.

Run as a program this file is the keeper of a folder: it reads from standard input, "7"
to keep process 7 and "-7" to forget it, and at the end of the input kills those it
keeps and removes the folder. The end of a pipe is the one sign that a process gives
whatever kills it; ``PR_SET_PDEATHSIG`` is tied to a thread, and to Linux.

It needs nothing but the standard library, so that it runs without site-packages.

Private to ``shared.testing.server_processes``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def tree(root: int) -> list[int]:
    """Return *root* and its descendants, parents first."""
    children = _children()
    found = [root]
    for pid in found:  # grows meanwhile
        found += children[pid]
    return found


def signal_tree(root: int, number: signal.Signals) -> list[int]:
    """Send a signal to *root* and its descendants, and return whom it was meant for.

    PostgreSQL's and Erlang's children are in sessions of their own, so that a signal to
    a process group would not reach them.
    """
    pids: list[int] = []
    # Stopped first, and looked at until nobody is new: a running process may fork.
    while new := [pid for pid in tree(root) if pid not in pids]:
        pids += new
        if number is not signal.SIGCONT:
            for pid in new:
                _signal(pid, signal.SIGSTOP)
    for pid in pids:
        _signal(pid, number)
    return pids


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def alive(pid: int) -> bool:
    """Tell whether *pid* still runs; a zombie does not."""
    if (_PROC / "self").exists():
        return _parent_of(pid) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _children() -> defaultdict[int, list[int]]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    if (_PROC / "self").exists():
        for entry in _PROC.iterdir():
            if entry.name.isdecimal():
                parent = _parent_of(int(entry.name))
                if parent is not None:
                    children[parent].append(int(entry.name))
        return children
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    for line in listing.stdout.splitlines():
        pid, parent = map(int, line.split())
        children[parent].append(pid)
    return children


def _parent_of(pid: int) -> int | None:
    """Return the parent; None of a process that is gone or a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # "7 (any name, with brackets) S 1 ...", proc(5)
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state in "ZX" else int(parent)


def _keep(folder: str) -> None:
    kept: set[int] = set()
    for line in sys.stdin:
        pid = int(line)
        if pid > 0:
            kept.add(pid)
        else:
            kept.discard(-pid)
    for pid in kept:
        signal_tree(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _keep(sys.argv[1])
