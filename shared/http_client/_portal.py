"""A thread with an event loop, in which blocking calls are made.

Why blocking code goes through a loop: a socket's own time-out bounds each read and not
their sum, so that an answer that drips a byte a second holds a thread for ever. A loop
can end any call at its deadline, and both clients are the same code.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import CancelledError
from typing import Any, Final, TypeVar

_T = TypeVar("_T")


class Portal:
    """The thread. It is a daemon: it ends with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="shared.http_client", daemon=True
        )
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """What *coroutine* returns, in the context of this thread.

        Raises:
            RuntimeError: This is the thread that would do the work.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                "A SyncServiceClient can't be used in a coroutine or callback that a "
                "SyncServiceClient runs: it would wait for itself."
            )
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise
        except BaseException:
            future.cancel()  # Ctrl-C here ends the call there
            raise


_guard: Final = threading.Lock()
_portal: Portal | None = None


def portal() -> Portal:
    """The one thread of this process, started when it is first needed."""
    global _portal
    found = _portal
    if found is None:
        with _guard:
            if _portal is None:
                if not _forking:
                    _forking.append(True)
                    # A child has no threads but the one that forked.
                    os.register_at_fork(
                        before=_guard.acquire,
                        after_in_parent=_guard.release,
                        after_in_child=_forget,
                    )
                _portal = Portal()
            found = _portal
    return found


_forking: Final[list[bool]] = []


def _forget() -> None:
    global _portal
    _portal = None
    _guard.release()


_END: Final = object()


async def stream_in_thread(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """*pieces*, asked for in threads, since they may wait and others use the loop."""
    iterator = iter(pieces)
    while (piece := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield piece  # type: ignore[misc]


def in_thread(function: Callable[[], _T]) -> Callable[[], Coroutine[Any, Any, _T]]:
    """*function*, called in a thread, since it may wait."""

    async def call() -> _T:
        return await asyncio.to_thread(function)

    return call
