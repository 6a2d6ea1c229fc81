"""Single flight: of all tasks that want the same done, one does it.

Private: used by ``shared.cache`` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Flight:
    """Work under way for a key.

    Attributes:
        detached: Somebody wrote or deleted the key meanwhile: the result is not to be
            kept.
    """

    __slots__ = ("detached", "task", "waiting")

    def __init__(self) -> None:
        self.detached = False
        self.task: asyncio.Task[bytes]
        self.waiting = 0


Work = Callable[[Flight], Coroutine[Any, Any, bytes]]


class Flights:
    """The flights of one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[str, Flight] = {}

    async def join(self, key: str, work: Work) -> bytes:
        """Return the result of the flight for *key*; start it if there is none."""
        while True:
            flight = self._under_way.get(key)
            started = flight is None
            if flight is None:
                flight = self._start(key, work)
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
        flight.task = asyncio.create_task(work(flight))

        def end(task: asyncio.Task[bytes]) -> None:
            if self._under_way.get(key) is flight:
                del self._under_way[key]
            if not task.cancelled():
                # Looked at, in case nobody waits any more.
                task.exception()

        flight.task.add_done_callback(end)
        return flight


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
