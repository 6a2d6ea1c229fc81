"""The outbox on SQLite, and what needs no database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from os.path import lexists
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.orm import Session

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.messaging import outbox as facade
from shared.messaging.outbox import Outbox, OutboxRelay, outbox_table
from shared.messaging.tests.outbox_contract import (
    EVENTS,
    OutboxContract,
    Sink,
    moved,
    until,
)
from shared.testing import captured_logs
from shared.testing.databases import sqlite_database


class OneRelay(OutboxContract):
    """What there is on SQLite only."""

    def other(self, database: Database, url: str) -> Database:
        """The same database, as another process has it."""
        raise NotImplementedError

    async def test_a_second_relay_stands_by(
        self, database: Database, url: str, outbox: Outbox, sink: Sink
    ) -> None:
        """And takes over when the first one ends."""
        second = Sink()
        other = self.other(database, url)
        with captured_logs("shared.messaging") as logs:
            async with OutboxRelay(outbox, database, sink):
                await self.add(database, outbox, moved(1))
                await until(lambda: len(sink.taken) == 1)
                relay = OutboxRelay(Outbox(EVENTS), other, second, poll=0.02)
                await relay.start()
                await until(lambda: bool(logs.having(level="INFO")))
                await self.add(database, outbox, moved(2))
                await until(lambda: len(sink.taken) == 2)
            await self.add(database, outbox, moved(3))
            await until(lambda: len(second.taken) == 1)
            await relay.stop()
        await other.dispose()

        assert (sink.numbers, second.numbers) == ([1, 2], [3])
        assert logs.messages == [
            "Another relay has the outbox outbox; this one stands by."
        ]

    async def test_writers_do_not_wait_for_the_bus(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """No transaction is open while it publishes."""
        sink.open.clear()
        async with OutboxRelay(outbox, database, sink):
            await self.add(database, outbox, moved(1))
            await until(lambda: bool(sink.batches))
            await self.add(database, outbox, moved(2))
            there = await self.numbers(database)
            sink.open.set()
            await self.drained(database)

        assert there == [1, 2]


class TestSqliteFile(OneRelay):
    """All of it in a file."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database of its own."""
        return sqlite_database()

    def other(self, database: Database, url: str) -> Database:
        """One with connections of its own."""
        return Database(DatabaseConfig(url=url), service_name="other")


class TestSqliteMemory(OneRelay):
    """All of it in memory, with one connection."""

    writers = 1

    @asynccontextmanager
    async def make_url(self) -> AsyncIterator[str]:
        """Return the address of a new one."""
        yield "sqlite://"

    def other(self, database: Database, url: str) -> Database:
        """Itself: nobody else can reach it."""
        return database

    async def test_it_leaves_no_file(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """SQLite has a path for it all the same, which begins at the root."""
        async with OutboxRelay(outbox, database, sink):
            await self.add(database, outbox, moved(1))
            await until(lambda: len(sink.taken) == 1)
        async with database.session(read_only=True) as session:
            listed = await session.execute(text("PRAGMA database_list"))
            path = next(file for _, name, file in listed if name == "main")

        beside = f"{path}.{EVENTS.name}-relay"
        assert beside.startswith("/")
        assert not await asyncio.to_thread(lexists, beside)


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 0},
        {"batch": 10_001},
        {"poll": 0.0},
        {"poll": float("inf")},
        {"max_pause": -1.0},
        {"publish_timeout": float("nan")},
    ],
)
def test_options_out_of_range(options: dict[str, Any]) -> None:
    """A relay that could never work is not made."""
    database = Database(DatabaseConfig(url="sqlite://"), service_name="chess")

    with pytest.raises(ValueError, match=f"^{next(iter(options))} must be"):
        OutboxRelay(Outbox(outbox_table(MetaData())), database, Sink(), **options)


def test_the_facade_names_what_it_has() -> None:
    """``__all__`` is all there is."""
    public = {
        name
        for name, value in vars(facade).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(facade.__all__) == public


def test_the_table_is_in_the_metadata_of_the_service() -> None:
    """With the names of its constraints, and whatever name the service likes."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)

    table = outbox_table(metadata, name="chess_outbox")

    assert metadata.tables["chess_outbox"] is table
    assert table.primary_key.name == "pk_chess_outbox"
    assert {index.name for index in table.indexes} == {
        "ix_chess_outbox_partition_position"
    }


@pytest.mark.parametrize("size", [1, 3])
async def test_a_name_that_needs_quotes(size: int) -> None:
    """It is quoted wherever it is written."""
    metadata = MetaData()
    table = outbox_table(metadata, name="Out box's")
    database = Database(DatabaseConfig(url="sqlite://"), service_name="chess")
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    outbox, sink = Outbox(table), Sink()

    async with OutboxRelay(outbox, database, sink):
        async with database.session() as session:
            outbox.add(session, *(moved(n) for n in range(size)))
        await until(lambda: len(sink.taken) == size)
    await database.dispose()

    assert sink.numbers == list(range(size))


def test_adding_costs_the_same_however_much_was_added() -> None:
    """A transaction with many events adds them one by one."""
    outbox = Outbox(EVENTS)

    def cost(count: int) -> float:
        events = [moved(number) for number in range(count)]
        with Session() as session:
            began = time.process_time()
            for event in events:
                outbox.add(session, event)
            return (time.process_time() - began) / count

    assert cost(8000) < 4 * max(cost(500) for _ in range(5))
