"""Results written together: one commit for all that came while the last one lasted.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.api_platform.delivery._results import Recorded
from services.api_platform.delivery._sender import Attempt
from services.api_platform.delivery._store import Store
from shared.errors import ServiceUnavailableException

_log = logging.getLogger("api_platform.delivery")

_MOST: Final = 200
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Recorder:
    """Writes results of attempts, and tries again while the database is away.

    A result that can't be written before its lease ends is dropped: whoever leases the
    delivery then makes the attempt again.

    Args:
        store: Where to.
        sleep: Waits between tries.
    """

    def __init__(
        self,
        store: Store,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._waiting: list[tuple[Attempt, asyncio.Future[Recorded | None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, attempt: Attempt) -> Recorded | None:
        """Write it; None if that was not possible in time."""
        done: asyncio.Future[Recorded | None]
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((attempt, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="webhook-results")
        return await done

    async def finish(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Write what waits, or give it up when that takes longer."""
        if self._writing is not None:
            _, late = await asyncio.wait([self._writing], timeout=timeout)
            if late:
                self._writing.cancel()
                await asyncio.wait([self._writing], timeout=1.0)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            results = await self._persistently([attempt for attempt, _ in batch])
            for (_, done), result in zip(batch, results, strict=True):
                if not done.done():
                    done.set_result(result)

    async def _persistently(
        self, attempts: Sequence[Attempt]
    ) -> Sequence[Recorded | None]:
        pause = _PAUSE
        while True:
            try:
                return await self._store.record(attempts)
            except ServiceUnavailableException as error:
                if all(self._store.now() >= each.leased.until for each in attempts):
                    _log.error(
                        "%d results of webhooks are lost, and the attempts will be "
                        "made again: %s",
                        len(attempts),
                        error,
                    )
                    return [None] * len(attempts)
                _log.warning("%d results of webhooks wait: %s", len(attempts), error)
            except Exception:
                return await self._singly(attempts)
            await self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _singly(self, attempts: Sequence[Attempt]) -> list[Recorded | None]:
        """Find the one that can't be written, and write the others."""
        results: list[Recorded | None] = []
        for attempt in attempts:
            try:
                results += await self._store.record([attempt])
            except Exception:
                _log.exception(
                    "The result of delivery %s can't be written.",
                    attempt.leased.delivery_id,
                )
                results.append(None)
        return results
