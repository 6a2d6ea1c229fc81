"""When keys were last used, written in batches: a request waits for no such write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from services.api_platform.keys._repository import APIClientRepository
from shared.database import Database
from shared.errors import BaseAPIException

_log = logging.getLogger("api_platform.keys")

_MOST: Final = 10_000


class LastUsed:
    """Remembers who was here, and tells the database every few seconds.

    What is not written when the process is killed is lost: some seconds of one column.

    Args:
        database: Where the keys are.
        seconds: Between two writes.
    """

    def __init__(self, database: Database, *, seconds: float = 5.0) -> None:
        self._database = database
        self._seconds = seconds
        self._moments: dict[UUID, datetime] = {}
        self._full = asyncio.Event()

    def saw(self, key_id: UUID, moment: datetime) -> None:
        """Note that a key was used."""
        self._moments[key_id] = moment
        if len(self._moments) >= _MOST:
            self._full.set()

    async def flush(self) -> None:
        """Write what is known. If the database is away, later."""
        moments, self._moments = self._moments, {}
        self._full.clear()
        if not moments:
            return
        try:
            async with self._database.session() as session:
                await APIClientRepository(session).mark_used(moments)
        except Exception as error:  # whatever it is, the next round is as usual
            known = isinstance(error, BaseAPIException)
            _log.warning(
                "last_used_at of %d keys waits: %s",
                len(moments),
                error,
                exc_info=None if known else error,
            )
            if len(moments) < _MOST:  # else it is given up, so that memory is bounded
                self._moments = moments | self._moments

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write regularly, and once more at the end."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.flush()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._seconds)
            await self.flush()
