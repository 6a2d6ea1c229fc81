from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from shared.http_client._portal import Portal, in_thread, portal, stream_in_thread

number: ContextVar[int] = ContextVar("number", default=0)


def test_there_is_one() -> None:
    """All clients of a process share a thread, whoever is first."""
    found: list[Portal] = []
    threads = [
        threading.Thread(target=lambda: found.append(portal())) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert set(found) == {portal()}


def test_values_errors_and_context() -> None:
    """What happens there happens here."""

    async def value() -> int:
        return number.get()

    async def error() -> int:
        raise ValueError("there")

    number.set(7)

    assert portal().run(value()) == 7
    with pytest.raises(ValueError, match="there"):
        portal().run(error())


def test_the_thread_survives() -> None:
    """Who exits there exits here, and the calls of others go on."""

    async def quit_there() -> None:
        raise SystemExit(3)

    async def one() -> int:
        return 1

    with pytest.raises(SystemExit, match="3"):
        portal().run(quit_there())
    assert portal().run(one()) == 1


def test_it_does_not_wait_for_itself() -> None:
    """A blocking call in the thread that would do the work is refused."""

    async def inner() -> int:
        return 1

    async def outer() -> int:
        return portal().run(inner())

    with pytest.raises(RuntimeError, match="would wait for itself"):
        portal().run(outer())


def test_ctrl_c_ends_the_call() -> None:
    """Whoever is interrupted leaves nothing running."""
    program = (
        "import asyncio, signal, threading\n"
        "from shared.http_client._portal import portal\n"
        "ended = threading.Event()\n"
        "async def call():\n"
        "    try:\n"
        "        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)\n"
        "        await asyncio.Event().wait()\n"
        "    finally:\n"
        "        ended.set()\n"
        "try:\n"
        "    portal().run(call())\n"
        "except KeyboardInterrupt:\n"
        "    print(ended.wait(30))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks() -> None:
    """The child, which has none of the parent's threads, starts its own."""
    program = (
        "import os, sys\n"
        "from shared.http_client._portal import portal\n"
        "async def one(): return 1\n"
        "assert portal().run(one()) == 1\n"
        "child = os.fork()\n"
        "assert portal().run(one()) == 1\n"
        "if not child: os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "7\n"


async def test_pieces() -> None:
    """They are asked for outside the loop, one after the other, to their end."""
    threads = set()

    def pieces() -> Any:
        for piece in (b"a", b"", b"b"):
            threads.add(threading.current_thread())
            yield piece

    assert [piece async for piece in stream_in_thread(pieces())] == [b"a", b"", b"b"]
    assert threading.current_thread() not in threads


async def test_functions() -> None:
    """They may wait, for the loop goes on."""
    assert await in_thread(threading.current_thread)() is not threading.current_thread()
