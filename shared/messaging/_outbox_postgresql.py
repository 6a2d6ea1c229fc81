"""The outbox on PostgreSQL: any number of relays, on a connection of their own each.

Private: used by ``shared.messaging.outbox`` only.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Table

from shared.database import Database
from shared.messaging._message import OutgoingMessage
from shared.messaging._outbox_marks import Marks, Start
from shared.messaging._outbox_rows import Row
from shared.messaging._outbox_statements import (
    channel,
    claim,
    get_up,
    lie_down,
    remove,
    writing,
)
from shared.messaging._outbox_table import PARTITIONS

_ANSWER_WITHIN: Final = 30.0
_CLOSE_WITHIN: Final = 5.0
# How long to wait for writers that were to commit; else another relay sleeps already.
_PATIENCE_MS: Final = 100
_LOCK_NOT_AVAILABLE: Final = "55P03"

# The index of (partition, position) is right whatever the statistics say, which know
# nothing of a table that was empty when they were made.
_SETTINGS: Final = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # What a crash of the server undoes is published once more. Nothing is lost.
    "synchronous_commit": "off",
    # Of a client that is gone without a word.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class PostgresqlRows:
    """The rows of one table, taken by partitions.

    Args:
        table: Made by ``outbox_table``.
        database: Gives a connection, which is not of its pool any more then.
        look_back: Seconds after which to look from the start again.
        idle_in_transaction: Seconds after which the server ends a relay that took rows
            and says nothing more.
        listen: Sleep until a writer notifies.
        clock: Seconds.
    """

    def __init__(
        self,
        table: Table,
        database: Database,
        *,
        look_back: float,
        idle_in_transaction: float,
        listen: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._look_back = look_back
        self._settings = _SETTINGS | {
            "idle_in_transaction_session_timeout": f"{idle_in_transaction:.0f}s"
        }
        self._listen = listen
        self._clock = clock
        self._claim = claim(table)
        self._remove = remove(table)
        self._lie_down = lie_down(table, patience_ms=_PATIENCE_MS)
        self._get_up = get_up(table)
        self._writing = writing(table)
        self._channel = channel(table)
        self._connection: Any = None  # asyncpg's, which has no types
        self._woken = asyncio.Event()
        self._resting = False  # we looked after we lay down
        self._asleep = False  # the lock is ours
        self._marks = Marks(every=look_back, now=clock())
        # So that relays don't follow each other.
        self._turn = random.randrange(PARTITIONS)  # noqa: S311 - any will do

    async def open(self) -> bool:
        """Connect, if it is not done."""
        if self._connection is not None:
            return True
        pooled = await self._database.engine.raw_connection()
        connection: Any = pooled.driver_connection
        # It lives as long as we do, and is not for others then: settings, LISTEN.
        pooled.detach()
        try:
            await connection.execute(
                "SELECT set_config(name, value, FALSE) "
                "FROM unnest($1::text[], $2::text[]) AS setting (name, value)",
                list(self._settings),
                list(self._settings.values()),
            )
            if self._listen:
                name = await connection.fetchval(f"SELECT {self._channel}")
                await connection.add_listener(name, self._notified)
            connection.add_termination_listener(self._notified)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._asleep = self._resting = False
        self._marks = Marks(every=self._look_back, now=self._clock())
        return True

    async def take(self, limit: int, *, without: Collection[int]) -> list[Row]:
        """The next rows; their partitions are locked until the transaction ends."""
        self._woken.clear()
        # Whatever the server's default is: a stricter one would fail where two meet.
        await self._connection.execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        )
        if self._marks.watch_is_due(self._clock()):
            await self._watch()
        rows = await self._look(self._marks.start(self._clock()), limit, without)
        if not rows:
            await self._connection.execute("COMMIT")
            return rows
        self._turn = (rows[-1].partition + 1) % PARTITIONS
        self._resting = False
        if self._asleep:
            self._asleep = False
            await self._connection.execute(self._get_up)
        return rows

    async def settle(self, published: Sequence[Row]) -> None:
        """Delete *published* and commit, which frees the partitions."""
        if published:
            positions = [row.position for row in published]
            await self._connection.execute(self._remove, positions)
        await self._connection.execute("COMMIT")
        self._marks.published(published)

    async def wait(self, seconds: float) -> None:
        """Sleep until a writer notifies."""
        if self._listen and not self._resting:
            self._resting = True
            if await self._lay_down():
                return  # to look at what was committed without a notice
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        if not self._asleep:
            # The relay that slept may be gone.
            self._resting = False

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken.set()

    async def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=_CLOSE_WITHIN)
            except Exception:
                connection.terminate()
            except BaseException:
                connection.terminate()
                raise

    def abandon(self) -> None:
        """Cut the connection; the server rolls back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _look(
        self, start: Start, limit: int, without: Collection[int]
    ) -> list[Row]:
        turns = [(self._turn + n) % PARTITIONS for n in range(PARTITIONS)]
        partitions = [partition for partition in turns if partition not in without]
        after = [self._marks.after(start, partition) for partition in partitions]
        began = self._clock()
        found = await self._connection.fetch(self._claim, partitions, after, limit)
        ended = self._clock()
        loads = json.loads
        rows = [
            Row(
                position,
                partition,
                OutgoingMessage(
                    event_id,
                    event_type,
                    body,
                    content_type,
                    loads(headers),
                    timestamp,
                    aggregate_id,
                ),
            )
            for (
                position,
                partition,
                event_id,
                event_type,
                body,
                content_type,
                headers,
                timestamp,
                aggregate_id,
            ) in found
        ]
        self._marks.looked(start, rows, began=began, ended=ended)
        return rows

    async def _watch(self) -> None:
        """Tell the marks who is writing."""
        began = self._clock()
        found = await self._connection.fetch(self._writing)
        writers = frozenset(transaction for (transaction,) in found)
        self._marks.watched(writers, began=began, ended=self._clock())

    async def _lay_down(self) -> bool:
        """Take the lock of those who sleep; False if somebody sleeps already."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await self._connection.execute(self._lie_down)
        except Exception as error:
            if getattr(error, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            await self._connection.execute("ROLLBACK")
            return False
        self._asleep = True
        return True

    def _notified(self, *_: object) -> None:
        self._woken.set()
