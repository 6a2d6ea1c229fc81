"""A bound on how many calls run at once.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import TIMEOUT_MAX, Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from shared.resilience._deadline import current_deadline
from shared.resilience._errors import BulkheadFullError, DeadlineExceededError
from shared.resilience._functions import is_async
from shared.resilience._numbers import count, seconds

if TYPE_CHECKING:
    import asyncio

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _late() -> DeadlineExceededError:
    return DeadlineExceededError(of_caller=True)


class _Waiter(Protocol):
    """Someone in the queue. *granted* is read and written under the bulkhead's lock."""

    granted: bool

    def wake(self) -> object:
        """End its wait; from any thread, without waiting for anything."""


_W = TypeVar("_W", bound=_Waiter)


def _runs_a_loop() -> bool:
    """Whether this thread runs an event loop, with which it would wait for itself."""
    if "asyncio" not in sys.modules:
        return False
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _WaitingThread:
    """Waits for a lock that it holds already, and that `wake` releases."""

    __slots__ = ("_gate", "granted")

    def __init__(self) -> None:
        if _runs_a_loop():
            raise RuntimeError(
                "The bulkhead is full, and to wait here would stop the event loop. "
                "In a coroutine write `async with`."
            )
        self.granted = False
        self._gate = Lock()
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()

    def wait(self, patience: float | None) -> None:
        timeout = -1 if patience is None else min(patience, TIMEOUT_MAX)
        self._gate.acquire(timeout=timeout)


class _WaitingTask:
    """Waits for a future of its own loop."""

    __slots__ = ("_future", "_loop", "granted")

    def __init__(self) -> None:
        # Not at the top: whoever is not asynchronous does not pay for its import.
        import asyncio

        self.granted = False
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, patience: float | None) -> None:
        import asyncio

        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._future


class Bulkhead:
    """Lets so many in at once, and so many wait; everybody else is refused at once.

    A slow target then takes a part of the service with it and not all its threads,
    connections and memory. Places are given in the order of arrival. One object serves
    threads and tasks together, of several event loops too::

        with bulkhead: ...          async with bulkhead: ...
        @bulkhead                   @bulkhead
        def function(): ...         async def function(): ...

    Args:
        max_concurrent: Those inside.
        name: For logs and errors.
        max_waiting: Those in the queue.
        max_wait: Seconds in the queue; None for no bound but the current deadline,
            which holds anyway.
        retry_after: The seconds that a refusal asks its client to wait.

    Raises:
        ValueError: A number is out of range.
        RuntimeError: ``with`` in a coroutine, where it would have to wait.
    """

    def __init__(
        self,
        max_concurrent: int,
        name: str = "",
        *,
        max_waiting: int = 0,
        max_wait: float | None = None,
        retry_after: float = 1.0,
    ) -> None:
        self.name = name
        self._free = count("max_concurrent", max_concurrent, least=1)
        self._max_concurrent = max_concurrent
        self._max_waiting = count("max_waiting", max_waiting, least=0)
        self._max_wait = None if max_wait is None else seconds("max_wait", max_wait)
        self._retry_after = seconds("retry_after", retry_after, zero=True)
        self._lock = Lock()
        self._queue: deque[_Waiter] = deque()

    @property
    def running(self) -> int:
        """How many are inside."""
        return self._max_concurrent - self._free

    @property
    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self._queue)

    def __repr__(self) -> str:
        return (
            f"<Bulkhead {self.name!r} {self.running}/{self._max_concurrent} running, "
            f"{self.waiting}/{self._max_waiting} waiting>"
        )

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """*function*, which runs inside: the bulkhead as a decorator.

        Raises:
            TypeError: *function* is a generator, or no function.
        """
        if is_async(function):
            asynchronous = cast("Callable[_P, Awaitable[Any]]", function)

            @functools.wraps(function)
            async def bounded_async(*args: _P.args, **kwargs: _P.kwargs) -> Any:
                async with self:
                    return await asynchronous(*args, **kwargs)

            return cast("Callable[_P, _R]", bounded_async)

        @functools.wraps(function)
        def bounded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self:
                return function(*args, **kwargs)

        return bounded

    def __enter__(self) -> Bulkhead:
        waiter = self._take_or_queue(_WaitingThread)
        if waiter is not None:
            patience, late = self._patience()
            try:
                waiter.wait(patience)
            except BaseException:
                self._abandon(waiter)
                raise
            self._claim(waiter, late)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._give()

    async def __aenter__(self) -> Bulkhead:
        waiter = self._take_or_queue(_WaitingTask)
        if waiter is not None:
            patience, late = self._patience()
            try:
                await waiter.wait(patience)
            except BaseException:
                self._abandon(waiter)
                raise
            self._claim(waiter, late)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._give()

    def _take_or_queue(self, make: Callable[[], _W]) -> _W | None:
        """None for a place, else the end of the queue, else the refusal."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if len(self._queue) < self._max_waiting:
                waiter = make()
                self._queue.append(waiter)
                return waiter
        raise self._full()

    def _full(self) -> BulkheadFullError:
        return BulkheadFullError(self.name, retry_after=self._retry_after)

    def _patience(self) -> tuple[float | None, Callable[[], Exception]]:
        """How long to wait, and what it means that nobody left by then."""
        deadline, most = current_deadline(), self._max_wait
        if deadline is None:
            return most, self._full
        remaining = deadline.remaining()
        if most is not None and most < remaining:
            return most, self._full
        return remaining, _late

    def _claim(self, waiter: _Waiter, late: Callable[[], Exception]) -> None:
        """The wait is over: by a place, or too late for one."""
        with self._lock:
            if waiter.granted:
                return
            self._queue.remove(waiter)
        raise late()

    def _abandon(self, waiter: _Waiter) -> None:
        """The wait was broken off; a place that came all the same goes on."""
        with self._lock:
            if waiter.granted:
                self._give()
            else:
                self._queue.remove(waiter)

    def _give(self) -> None:
        """Under the lock: hand a place to who waits longest, if anybody does."""
        while self._queue:
            waiter = self._queue.popleft()
            waiter.granted = True
            try:
                waiter.wake()
            except RuntimeError:
                continue  # its event loop was closed while it waited
            return
        self._free += 1
