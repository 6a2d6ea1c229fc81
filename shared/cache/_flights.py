"""Single flight: of all tasks that want the same done, one does it.

Private: used by ``shared.cache`` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

from shared.resilience import deadline_scope

# The marks of the flights that the present work is part of
_aboard: Final[ContextVar[tuple[object, ...]]] = ContextVar("flights", default=())


class Flight:
    """Work under way for a key.

    Attributes:
        detached: Somebody wrote or deleted the key meanwhile: the result is not to be
            kept.
        mark: By which its work knows it, without keeping it.
    """

    __slots__ = ("detached", "mark", "task", "waiting")

    def __init__(self) -> None:
        self.detached = False
        self.mark = object()
        self.task: asyncio.Task[bytes]
        self.waiting = 0


Work = Callable[[Flight], Coroutine[Any, Any, bytes]]


class Flights:
    """The flights of one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[str, Flight] = {}
        # An event loop keeps no task alive, and a detached one may have to clean up.
        self._tasks: set[asyncio.Task[bytes]] = set()

    async def join(self, key: str, work: Work) -> bytes:
        """Return the result of the flight for *key*; start it if there is none.

        Raises:
            RuntimeError: The work of that flight asks for it.
        """
        while True:
            flight = self._under_way.get(key)
            started = flight is None
            if flight is None:
                flight = self._start(key, work)
            elif flight.mark in _aboard.get():
                raise RuntimeError(
                    "A fill asks the cache for the key that it fills, and would wait "
                    "for itself for ever. Ask for another key there, or for none."
                )
            flight.waiting += 1
            try:
                # The work is a task of its own, which no caller's end ends.
                return await asyncio.shield(flight.task)
            except asyncio.CancelledError:
                if started or _is_cancelled() or not flight.task.cancelled():
                    raise
                # The work cancelled itself, and nobody cancelled us: our turn.
            finally:
                flight.waiting -= 1
                if not flight.waiting and not flight.task.done():
                    self.detach(key, flight)
                    flight.task.cancel()

    def detach(self, key: str, only: Flight | None = None) -> None:
        """Let whoever comes next start anew; those who wait still get the result."""
        flight = self._under_way.get(key)
        if flight is not None and only in (None, flight):
            flight.detached = True
            del self._under_way[key]

    def _start(self, key: str, work: Work) -> Flight:
        flight = Flight()
        self._under_way[key] = flight
        flight.task = asyncio.create_task(work(flight), context=_context(flight))
        self._tasks.add(flight.task)

        def end(task: asyncio.Task[bytes]) -> None:
            self._tasks.discard(task)
            if self._under_way.get(key) is flight:
                del self._under_way[key]
            if not task.cancelled():
                # Looked at, in case nobody waits any more.
                task.exception()

        flight.task.add_done_callback(end)
        return flight


def _context(flight: Flight) -> Context:
    """Where its work runs: as whoever asked first, but not by that one's deadline.

    The others may have more time; and when nobody waits, the work is cancelled.
    """
    context = copy_context()
    context.run(deadline_scope(None).__enter__)
    context.run(_aboard.set, (*_aboard.get(), flight.mark))
    return context


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
