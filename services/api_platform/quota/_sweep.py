"""Usage of calls that were broken off: nobody is left who would settle it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from services.api_platform.quota._repository import UsageLogRepository
from shared.database import Database
from shared.errors import BaseAPIException

_log = logging.getLogger("api_platform.quota")

_EVERY: Final = 60.0
_BATCH: Final = 500


class UsageSweep:
    """Refunds, in the log, what is still reserved when its call must be long over.

    A job and its units are committed together: what is only reserved then has no job
    that its key could see, and nobody was answered with one. A repetition with the same
    Idempotency-Key finds the job at the generation service, and pays for it itself.

    Any number of processes may sweep: each takes rows that no other one has.

    Args:
        database: Where the usage log is.
        now: The clock.
        patience: How old a reservation has to be; more than any call may take.
        batch: How many rows one transaction has.
        every: Seconds between two sweeps.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        *,
        patience: timedelta,
        batch: int = _BATCH,
        every: float = _EVERY,
    ) -> None:
        self._database = database
        self._now = now
        self._patience = patience
        self._batch = batch
        self._every = every

    async def sweep(self) -> int:
        """Refund all of them, batch by batch; how many there were."""
        total = 0
        found = self._batch
        while found == self._batch:
            async with self._database.session() as session:
                found = await UsageLogRepository(session).refund_reserved(
                    before=self._now() - self._patience, limit=self._batch
                )
            total += found
        return total

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep at once, and then from time to time."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            try:
                if swept := await self.sweep():
                    _log.warning("%d calls were broken off, and cost nothing.", swept)
            except BaseAPIException as error:
                _log.warning("Usage that was broken off waits: %s", error)
            except Exception:  # which must not end it
                _log.exception("Usage that was broken off waits.")
            await asyncio.sleep(self._every)
