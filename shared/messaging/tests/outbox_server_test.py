"""The outbox on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import insert, text

from shared.database import Database
from shared.messaging._outbox_postgresql import PostgresqlRows
from shared.messaging._outbox_statements import ASLEEP, channel, claim
from shared.messaging._outbox_table import WRITTEN, values_of
from shared.messaging.outbox import Outbox, OutboxRelay
from shared.messaging.tests.outbox_contract import (
    EVENTS,
    PATIENCE,
    OutboxContract,
    Sink,
    moved,
    until,
)
from shared.testing import captured_logs
from shared.testing.databases import postgresql_database


class TestPostgresql(OutboxContract):
    """All of it on PostgreSQL, and what there is only there."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database of its own."""
        return postgresql_database()

    async def test_relays_share_the_work(
        self, database: Database, outbox: Outbox
    ) -> None:
        """While one waits for its bus, another publishes the other partitions."""
        slow, quick = Sink(), Sink()
        slow.open.clear()
        await self.add(database, outbox, *(moved(n, f"p{n}") for n in range(100)))

        async with OutboxRelay(outbox, database, slow, batch=2):
            await until(lambda: bool(slow.batches))
            async with OutboxRelay(outbox, database, quick, batch=10):
                await until(lambda: len(quick.taken) > 50)
                slow.open.set()
                await self.drained(database)

        assert sorted(slow.numbers + quick.numbers) == list(range(100))

    async def test_a_row_that_becomes_visible_late_is_found(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """A slow commit leaves its events behind where the relay is already."""
        async with OutboxRelay(outbox, database, sink, poll=0.1):
            async with database.session() as late:
                values = values_of(outbox.writer.write(moved(0)), moved(0).timestamp)
                row = dict(zip(WRITTEN, values, strict=True))
                row["headers"] = json.loads(row["headers"])
                await late.execute(insert(EVENTS).values(row))
                for number in range(1, 60):
                    await self.add(database, outbox, moved(number))
                await until(lambda: len(sink.taken) == 59)
            await until(lambda: len(sink.taken) == 60)

        assert sink.numbers[-1] == 0

    @pytest.mark.parametrize("listen", [True, False])
    async def test_it_survives_the_loss_of_its_connection(
        self, database: Database, outbox: Outbox, listen: bool
    ) -> None:
        """In the middle of a batch: that is published again, and nothing is lost."""
        sink = Sink()
        sink.open.clear()
        await self.add(database, outbox, *(moved(n) for n in range(5)))
        with captured_logs("shared.messaging") as logs:
            async with OutboxRelay(
                outbox, database, sink, max_pause=0.05, listen=listen, poll=0.1
            ):
                await until(lambda: bool(sink.batches))
                await self.end_others(database)
                sink.open.set()
                await self.drained(database)
                await self.end_others(database)
                await self.add(database, outbox, moved(5))
                await self.drained(database)

        assert sink.numbers == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5]
        assert "The outbox can be read and written again." in logs.messages

    async def end_others(self, database: Database) -> None:
        """Cut all connections but our own."""
        async with database.session() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        # The pool may not have heard that its own were cut, too.
        await database.dispose()

    async def test_writers_notify_only_a_relay_that_sleeps(
        self, url: str, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """NOTIFY lets commits wait for each other; under load nobody sleeps."""
        heard: list[str] = []
        listener = await asyncpg.connect(url)
        name = await listener.fetchval(f"SELECT {channel(EVENTS)}")
        await listener.add_listener(name, lambda *_: heard.append("wake"))

        await self.add(database, outbox, moved(0))
        sink.open.clear()
        async with OutboxRelay(outbox, database, sink, poll=600) as relay:
            await until(lambda: bool(sink.batches))
            await self.add(database, outbox, moved(1), moved(2))
            await self.add(database, outbox, moved(3))
            await listener.execute("SELECT 1")
            busy = len(heard)
            sink.open.set()
            await until(lambda: len(sink.taken) == 4)
            await self.asleep(listener)
            await self.add(database, outbox, moved(4), moved(5))
            await until(lambda: len(sink.taken) == 6)
            assert relay.running
        await listener.close()

        assert (busy, len(heard)) == (0, 1)
        assert sink.numbers == [0, 1, 2, 3, 4, 5]

    async def asleep(self, connection: Any) -> None:
        """Wait until a relay has lain down."""
        async with asyncio.timeout(PATIENCE):
            while not await connection.fetchval(  # noqa: ASYNC110 - in the database
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                "AND mode = 'ExclusiveLock' AND objid = $1 AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())",
                ASLEEP,
            ):
                await asyncio.sleep(0.01)

    async def test_no_wake_up_is_missed(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """Writers commit while two relays fall asleep and get up, again and again."""

        async def write(base: int) -> None:
            for number in range(25):
                await self.add(database, outbox, moved(base + number, str(number)))
                # Let them sleep now and then.
                await asyncio.sleep(0.004 * (number % 7))

        async with (
            OutboxRelay(outbox, database, sink, poll=600),
            OutboxRelay(outbox, database, sink, poll=600),
        ):
            await asyncio.gather(*(write(base) for base in (0, 100, 200, 300)))
            await until(lambda: len(sink.taken) == 100)

        assert len(set(sink.numbers)) == 100

    @pytest.mark.parametrize("partitions", [0, 1, 16])
    async def test_the_index_is_used_whatever_the_statistics_say(
        self, database: Database, partitions: int
    ) -> None:
        """A plan is kept: that of an empty table must serve a million rows as well."""
        rows = PostgresqlRows(EVENTS, database, look_back=1, idle_in_transaction=60)
        await rows.open()
        connection = rows._connection
        if partitions:
            await connection.execute(
                """
                INSERT INTO outbox (id, partition, aggregatetype, type, payload,
                    content_type, headers, occurred_at, created_at)
                SELECT gen_random_uuid(), n % $1::int, '', '', '', '', '{}',
                    now(), now()
                FROM generate_series(1, 5000) AS n
                """,
                partitions,
            )
        await connection.execute("ANALYZE outbox")
        await connection.execute(f"PREPARE claim AS {claim(EVENTS)}")
        plan = await connection.fetch(
            "EXPLAIN EXECUTE claim('{0,1}'::int2[], '{0,0}'::int8[], 100)"
        )
        await rows.close()

        (index,) = [index.name for index in EVENTS.indexes]
        scans = [line.strip(" ->") for (line,) in plan if " on outbox" in line]
        assert len(scans) == 2
        assert all(f"using {index} on" in scan for scan in scans)
        assert not [line for (line,) in plan if "Sort" in line]

    async def test_the_connection_is_not_of_the_pool(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """Requests have all of theirs, and its settings reach nobody else."""
        async with OutboxRelay(outbox, database, sink) as relay:
            await self.add(database, outbox, moved(1))
            await until(lambda: bool(sink.taken))
            pool = database.pool
            assert relay.running
            assert pool is not None
            assert pool.checkedout() == 0
            async with database.session() as session:
                flushed = await session.scalar(text("SHOW synchronous_commit"))

        assert flushed == "on"
