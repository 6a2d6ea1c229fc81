"""The notes of handled events: written, counted, removed.

Private: import ``Inbox`` from ``shared.messaging.inbox``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import CursorResult, Table, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database, utc_now

_log = logging.getLogger("shared.messaging")

_HOUR: Final = timedelta(hours=1)


class Inbox:
    """Which events were handled, in the database of the service.

    Args:
        table: Made by ``inbox_table``.
        database: In which the handlers work.
        retention: How long a note is kept, and so how late an event may come again
            without taking effect again. Let it be longer than retries take, and than
            dead letters lie before somebody replays them.
        now: The time of day, aware.

    Raises:
        ValueError: *retention* is not positive.
    """

    def __init__(
        self,
        table: Table,
        database: Database,
        *,
        retention: timedelta = timedelta(days=14),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        if retention <= timedelta():
            raise ValueError(f"retention must be positive (got {retention}).")
        self.database = database
        self.handled = 0
        """Events that took effect, in this process."""
        self.skipped = 0
        """Events that had been handled before, in this process."""
        self._table = table
        self._retention = retention
        self._now = now
        insert: Any = (
            postgresql.insert if database.dialect == "postgresql" else sqlite.insert
        )
        # Not rowcount: not every driver counts what an INSERT left out.
        self._note = insert(table).on_conflict_do_nothing().returning(table.c.consumer)
        # Which function is behind a consumer's name, for each type of event.
        self._functions: dict[tuple[str, type], str] = {}

    async def note(self, session: AsyncSession, event_id: UUID, consumer: str) -> bool:
        """Note in the transaction of *session* that *consumer* handles the event.

        While another transaction handles it, this waits for how that one ends.

        Returns:
            False when it was handled before.
        """
        values = {"event_id": event_id, "consumer": consumer, "handled_at": self._now()}
        noted = await session.execute(self._note, values)
        return noted.scalar() is not None

    def check_alone(self, consumer: str, event_class: type, function: str) -> None:
        """Refuse a second function that handles the same events under one name.

        Whichever came second would find the note of the first, and never run.

        Raises:
            ValueError: There is one.
        """
        known = self._functions.setdefault((consumer, event_class), function)
        if known != function:
            raise ValueError(
                f"{known} and {function} handle {event_class.__name__} under one name, "
                f"{consumer!r}, so one of them would never run: give one another "
                "consumer=."
            )

    async def clean(self, *, batch: int = 1000) -> int:
        """Remove the notes that are older than the retention, and say how many.

        Each batch is a transaction of its own, and passes over rows that somebody else
        is removing: it may run in several processes at once, beside handlers.

        Raises:
            ValueError: *batch* is not positive.
        """
        if batch < 1:
            raise ValueError(f"batch must be positive (got {batch}).")
        columns = self._table.c
        key = tuple_(columns.event_id, columns.consumer)
        old = (
            select(columns.event_id, columns.consumer)
            .where(columns.handled_at <= self._now() - self._retention)
            .order_by(columns.handled_at)
            .limit(batch)
            .with_for_update(skip_locked=True)  # which SQLite leaves out
        )
        statement = delete(self._table).where(key.in_(old))

        async def remove(session: AsyncSession) -> int:
            done = await session.execute(statement)
            return cast("CursorResult[Any]", done).rowcount

        total = 0
        while True:
            removed = await self.database.run_in_transaction(remove)
            total += removed
            if removed < batch:
                return total

    async def keep_clean(
        self,
        *,
        every: timedelta = _HOUR,
        batch: int = 1000,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Clean now and then, until cancelled; what goes wrong is logged.

        Raises:
            ValueError: *every* or *batch* is not positive.
        """
        _check_cleaning(every, batch)
        while True:
            try:
                removed = await self.clean(batch=batch)
            except Exception:
                _log.exception("The inbox could not be cleaned.")
            else:
                _log.debug("The inbox was cleaned.", extra={"removed": removed})
            await sleep(every.total_seconds())

    @asynccontextmanager
    async def cleaning(
        self,
        *,
        every: timedelta = _HOUR,
        batch: int = 1000,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> AsyncIterator[None]:
        """Clean now and then, as long as the block runs.

        Raises:
            ValueError: *every* or *batch* is not positive.
        """
        _check_cleaning(every, batch)
        # Not in the context of the caller, whose deadline ends before this does.
        task = asyncio.get_running_loop().create_task(
            self.keep_clean(every=every, batch=batch, sleep=sleep), context=Context()
        )
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _check_cleaning(every: timedelta, batch: int) -> None:
    if every <= timedelta() or batch < 1:
        raise ValueError(f"every and batch must be positive (got {every} and {batch}).")
