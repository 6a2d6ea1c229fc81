"""A thread with an event loop, in which blocking calls are made.

Why blocking code goes through a loop: a socket's own time-out bounds each read and not
their sum, so that an answer that drips a byte a second holds a thread for ever. A loop
can end any call at its deadline, and both clients are the same code.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import CancelledError, Future
from typing import Any, Final, Generic, TypeVar

_T = TypeVar("_T")


class Portal:
    """The thread. It is a daemon: it ends with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._work, name="shared.http_client", daemon=True
        )
        self._thread.start()

    def _work(self) -> None:
        while True:
            # A SystemExit, of a token_provider for example, leaves the loop; it goes to
            # whoever made the call, and the calls of others go on.
            with contextlib.suppress(BaseException):
                self._loop.run_forever()

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
        call = _Call(coroutine)
        try:
            # In the context of this thread, of which this takes a copy.
            self._loop.call_soon_threadsafe(call.start)
            return call.future.result()
        except BaseException:
            # Ctrl-C here, at whatever moment, ends the call there.
            if not call.future.done():
                self._loop.call_soon_threadsafe(call.cancel)
            raise
        finally:
            del call  # an error and the frames that it holds go with their last user


class _Call(Generic[_T]):
    """A coroutine that one thread waits for and another runs."""

    def __init__(self, coroutine: Coroutine[Any, Any, _T]) -> None:
        self.future: Future[_T] = Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[_T] | None = None
        self._cancelled = False

    def start(self) -> None:
        """Begin, in the loop."""
        if self._cancelled:
            self._coroutine.close()
            return
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._hand_over)

    def cancel(self) -> None:
        """End it, in the loop."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def _hand_over(self, task: asyncio.Task[_T]) -> None:
        if task.cancelled():
            self.future.set_exception(CancelledError())
        elif (error := task.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


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
