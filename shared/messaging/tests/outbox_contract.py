"""What holds of the outbox on every database; a subclass names the one it is on."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Literal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.config import DatabaseConfig
from shared.database import Database
from shared.errors import BaseAPIException
from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.logging import parse_traceparent, trace_context_var
from shared.messaging import (
    BrokerUnavailableException,
    EventTooLargeError,
    MessageWriter,
    OutgoingMessage,
)
from shared.messaging.outbox import (
    Outbox,
    OutboxLag,
    OutboxRelay,
    OutboxStalledError,
    outbox_table,
)
from shared.testing import FakeClock, captured_logs

PATIENCE = 60.0
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

METADATA = MetaData()
EVENTS = outbox_table(METADATA)
PIECES = Table(
    "pieces",
    METADATA,
    Column("name", String, primary_key=True),
    Column("moves", Integer, nullable=False),
)


class MovedPayload(EventPayload):
    """A piece was moved."""

    aggregate_key = "piece"

    piece: str | None
    number: int
    note: str = ""


class Moved(BaseEvent[MovedPayload]):
    """A piece was moved."""

    event_type: Literal["piece.moved"] = "piece.moved"
    schema_version: Literal[1] = 1


def moved(number: int, piece: str | None = "king", note: str = "") -> Moved:
    """One move."""
    return Moved(payload=MovedPayload(piece=piece, number=number, note=note))


def number_of(message: OutgoingMessage) -> int:
    """Which move a message tells of."""
    return int(json.loads(message.body)["payload"]["number"])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - of whatever
            await asyncio.sleep(0.005)


def adding(outbox: Outbox, event: Moved) -> Callable[[Session], object]:
    """What adds *event* to a session."""
    return lambda session: outbox.add(session, event)


Answer = Callable[[OutgoingMessage], Exception | None]


@dataclass
class Sink:
    """A bus that remembers what it was handed, and fails as it is told."""

    answer: Answer = lambda _: None
    taken: list[OutgoingMessage] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    slow: Callable[[], float] = lambda: 0.0

    def __post_init__(self) -> None:
        self.open.set()

    def has_taken(self, count: int) -> bool:
        """Whether there are so many."""
        return len(self.taken) >= count

    @property
    def numbers(self) -> list[int]:
        """What was taken, in order."""
        return [number_of(message) for message in self.taken]

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """Take what there is no error for."""
        self.batches.append(len(messages))
        await self.open.wait()
        await asyncio.sleep(self.slow())
        results = [self.answer(message) for message in messages]
        self.taken += [
            message
            for message, error in zip(messages, results, strict=True)
            if error is None
        ]
        return results


class Broken(Sink):
    """A bus that raises for a batch with a bad message in it, and says not which."""

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """Take all or nothing."""
        for message in messages:
            if error := self.answer(message):
                raise error
        return await super().publish_messages(messages)


class OutboxContract:
    """The rules of the outbox and its relay."""

    writers: ClassVar[int] = 4

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database for one test."""
        raise NotImplementedError

    @pytest.fixture
    async def url(self) -> AsyncIterator[str]:
        """Where the database is."""
        async with self.make_url() as url:
            yield url

    @pytest.fixture
    async def database(self, url: str) -> AsyncIterator[Database]:
        """A database with the tables."""
        database = Database(DatabaseConfig(url=url), service_name="chess")
        async with database.engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        yield database
        await database.dispose()

    @pytest.fixture
    def outbox(self) -> Outbox:
        """The outbox."""
        return Outbox(EVENTS)

    @pytest.fixture
    def sink(self) -> Sink:
        """A bus that takes everything."""
        return Sink()

    async def rows(self, database: Database) -> list[Any]:
        """What is in the table, in order."""
        async with database.session(read_only=True) as session:
            found = await session.execute(select(EVENTS).order_by(EVENTS.c.position))
            return list(found.all())

    async def numbers(self, database: Database) -> list[int]:
        """Which moves are in the table, in order."""
        rows = await self.rows(database)
        return [json.loads(row.payload)["payload"]["number"] for row in rows]

    async def add(self, database: Database, outbox: Outbox, *events: Moved) -> None:
        """Commit some events."""
        async with database.session() as session:
            outbox.add(session, *events)

    async def drained(self, database: Database) -> None:
        """Wait until the outbox is empty."""
        async with asyncio.timeout(PATIENCE):
            while await self.numbers(database):  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.02)

    # What a transaction leaves behind

    async def run(
        self, database: Database, world: str, work: Callable[[Session], object]
    ) -> None:
        """Run *work* in a session of the asynchronous or of the synchronous driver."""
        if world == "async":
            async with database.session() as session:
                await session.run_sync(work)
            return

        def in_thread() -> None:
            with database.sync_session() as session:
                work(session)

        await asyncio.to_thread(in_thread)

    @pytest.fixture(params=["async", "sync"])
    def world(self, request: pytest.FixtureRequest) -> str:
        """Of which driver the session is."""
        return str(request.param)

    async def test_a_row_has_all_there_is_to_know(
        self, database: Database, outbox: Outbox, world: str
    ) -> None:
        """The relay, and Debezium, need no look into the payload."""
        cause = uuid4()
        happened = moved(7).model_copy(update={"causation_id": cause})
        token = trace_context_var.set(parse_traceparent(TRACEPARENT))

        await self.run(database, world, lambda s: outbox.add(s, happened))

        trace_context_var.reset(token)
        (row,) = await self.rows(database)
        assert (row.id, row.type, row.aggregatetype, row.aggregateid) == (
            happened.event_id,
            "piece.moved",
            "piece",
            "king",
        )
        assert (row.payload, row.content_type) == (
            happened.encode(),
            "application/json",
        )
        assert row.occurred_at == happened.timestamp
        assert row.headers == {
            "correlation_id": happened.correlation_id,
            "causation_id": str(cause),
            "schema_version": "1",
            "traceparent": TRACEPARENT,
        }

    async def test_several_events_are_one_statement_in_their_order(
        self, database: Database, outbox: Outbox
    ) -> None:
        """However many there are, the transaction takes one round trip more."""
        statements: list[str] = []
        event.listen(
            database.engine.sync_engine,
            "before_cursor_execute",
            lambda *args: statements.append(args[2]),
        )

        await self.add(database, outbox, *(moved(n, str(n)) for n in range(300)))

        into = [sql for sql in statements if "INSERT INTO outbox" in sql]
        assert len(into) == 1
        assert await self.numbers(database) == list(range(300))

    async def test_very_many_events_are_written_in_parts(
        self, database: Database, outbox: Outbox, world: str
    ) -> None:
        """No statement gets too large."""
        many = [moved(n, None) for n in range(2_100)]

        await self.run(database, world, lambda s: outbox.add(s, *many))

        assert await self.numbers(database) == list(range(2_100))

    async def test_nothing_is_there_after_a_rollback(
        self, database: Database, outbox: Outbox, world: str
    ) -> None:
        """Nor does it come with the next transaction of the session."""

        def work(session: Session) -> None:
            outbox.add(session, moved(1))
            session.rollback()
            outbox.add(session, moved(2))
            session.commit()
            outbox.add(session, moved(3))
            session.flush()
            session.rollback()

        await self.run(database, world, work)

        assert await self.numbers(database) == [2]

    async def test_an_error_leaves_nothing_behind(
        self, database: Database, outbox: Outbox
    ) -> None:
        """As for every other change of the transaction."""

        def work(session: Session) -> None:
            outbox.add(session, moved(1))
            raise KeyError("no such piece")

        with pytest.raises(KeyError, match="no such piece"):
            await self.run(database, "async", work)

        assert await self.numbers(database) == []

    async def test_a_session_that_is_closed_forgets(self, database: Database) -> None:
        """Closing without a commit is a rollback, though SQLAlchemy tells of none."""
        outbox = Outbox(EVENTS)
        async with AsyncSession(database.engine) as session:
            outbox.add(session, moved(1))
            await session.begin_nested()
            outbox.add(session, moved(2))
            await session.close()
            outbox.add(session, moved(3))
            await session.commit()

        assert await self.numbers(database) == [3]

    async def test_savepoints(
        self, database: Database, outbox: Outbox, world: str
    ) -> None:
        """Rolled back, they take their events along; released, they keep them."""

        def work(session: Session) -> None:
            outbox.add(session, moved(1))
            with session.begin_nested():
                outbox.add(session, moved(2))
            inner = session.begin_nested()
            outbox.add(session, moved(3))
            with session.begin_nested():
                outbox.add(session, moved(4))
            inner.rollback()
            with suppress(KeyError), session.begin_nested():
                outbox.add(session, moved(5))
                raise KeyError
            with session.begin_nested():
                with suppress(KeyError), session.begin_nested():
                    outbox.add(session, moved(6))
                    raise KeyError
                with session.begin_nested():
                    outbox.add(session, moved(7))
                session.execute(insert(PIECES).values(name="king", moves=7))
                session.flush()
                outbox.add(session, moved(8))
            outbox.add(session, moved(9))

        await self.run(database, world, work)

        assert await self.numbers(database) == [1, 2, 7, 8, 9]

    @pytest.mark.parametrize("depth", [1, 2, 3])
    async def test_a_commit_around_an_open_savepoint(
        self, database: Database, outbox: Outbox, world: str, depth: int
    ) -> None:
        """Commits it too; SQLAlchemy tells of both in an order of its own."""

        def work(session: Session) -> None:
            outermost = session.begin()
            for number in range(depth):
                outbox.add(session, moved(number))
                session.begin_nested()
            outbox.add(session, moved(depth))
            outermost.commit()

        await self.run(database, world, work)

        assert await self.numbers(database) == list(range(depth + 1))

    async def test_a_commit_that_cannot_write_events_fails(
        self, database: Database, outbox: Outbox, world: str
    ) -> None:
        """The business row is not there without its event."""

        def work(session: Session) -> None:
            session.execute(text("DROP TABLE outbox"))
            session.execute(insert(PIECES).values(name="king", moves=1))
            outbox.add(session, moved(1))
            session.commit()

        with pytest.raises((SQLAlchemyError, BaseAPIException), match="outbox"):
            await self.run(database, world, work)

        async with database.session() as session:
            assert (await session.execute(select(PIECES))).all() == []
        assert await self.numbers(database) == []

    async def test_events_that_are_added_while_the_session_is_flushed(
        self, database: Database, outbox: Outbox, world: str
    ) -> None:
        """A listener may add them as late as in the commit itself."""

        def work(session: Session) -> None:
            def late(session: Session) -> None:
                outbox.add(session, moved(2))

            event.listen(session, "before_commit", late, once=True)
            outbox.add(session, moved(1))
            session.commit()

        await self.run(database, world, work)

        assert await self.numbers(database) == [1, 2]

    async def test_without_autobegin(self, database: Database, outbox: Outbox) -> None:
        """A session that begins nothing by itself must have been told to."""
        async with AsyncSession(database.engine, autobegin=False) as session:
            with pytest.raises(RuntimeError, match=r"call session\.begin\(\) before"):
                outbox.add(session, moved(1))
            async with session.begin():
                outbox.add(session, moved(2))

        assert await self.numbers(database) == [2]

    async def test_a_session_that_is_gone(
        self, database: Database, outbox: Outbox
    ) -> None:
        """Who uses it after its block learns it: nobody would commit."""
        async with database.session() as session:
            pass

        with pytest.raises(InvalidRequestError, match="permanently closed"):
            outbox.add(session, moved(1))

    async def test_what_can_not_be_published_is_refused_at_once(
        self, database: Database
    ) -> None:
        """And none of what was added along with it is remembered."""
        outbox = Outbox(EVENTS, writer=MessageWriter(max_bytes=1000))
        anything: Any = "piece.moved"
        async with database.session() as session:
            with pytest.raises(EventTooLargeError, match="may have 1000"):
                outbox.add(session, moved(1), moved(2, note="x" * 1000))
            with pytest.raises(TypeError, match=r"must be a BaseEvent \(got str\)"):
                outbox.add(session, moved(1), anything)
            with pytest.raises(TypeError, match=r"AsyncSession or a Session \(got str"):
                outbox.add(anything, moved(1))
            with pytest.raises(ValueError, match="has a NUL in it"):
                outbox.add(session, moved(1, "a\0b"))

        assert await self.numbers(database) == []

    async def test_an_event_is_added_once_in_a_transaction(
        self, database: Database, outbox: Outbox
    ) -> None:
        """Twice is a mistake; in another transaction it may be a retry."""
        once = moved(1)
        async with database.session() as session:
            outbox.add(session, once)
            with pytest.raises(ValueError, match="in this transaction already"):
                outbox.add(session, once)
            with pytest.raises(ValueError, match="in this transaction already"):
                outbox.add(session, *[moved(2)] * 2)
        await self.add(database, outbox, once)

        assert await self.numbers(database) == [1, 1]

    async def test_an_unknown_event_passes_as_it_came(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """Whoever forwards an event need not know its type."""
        raw = b' {"event_id": "%s", "event_type": "moon.rose", ' % str(uuid4()).encode()
        raw += b'"correlation_id": "c-1", "timestamp": "2026-01-01T00:00:00Z", '
        raw += b'"payload": {"a": 1.00}, "x": null}'
        unknown = EventRegistry().parse(raw)

        async with database.session() as session:
            outbox.add(session, unknown)
        async with OutboxRelay(outbox, database, sink):
            await until(lambda: bool(sink.taken))

        assert (sink.taken[0].body, sink.taken[0].event_type) == (raw, "moon.rose")

    async def test_lag(self, database: Database) -> None:
        """How many wait, and how long the oldest has."""
        clock = FakeClock()
        outbox = Outbox(EVENTS, now=clock)
        assert await outbox.lag(database) == OutboxLag(0, 0.0)
        await outbox.check(database)

        await self.add(database, outbox, moved(1))
        clock.advance(timedelta(seconds=50).total_seconds())
        await self.add(database, outbox, moved(2), moved(3))
        clock.advance(11)

        assert await outbox.lag(database) == OutboxLag(3, 61.0)
        with pytest.raises(OutboxStalledError, match="3 events wait") as caught:
            await outbox.check(database, max_seconds=60)
        assert caught.value.lag == OutboxLag(3, 61.0)
        await outbox.check(database, max_seconds=61)

    # The relay

    async def test_what_was_committed_is_published_and_deleted(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """The message is what the writer wrote, whatever became of it in between."""
        events = [moved(n, f"piece-{n % 40}") for n in range(250)]
        await self.add(database, outbox, *events)

        async with OutboxRelay(outbox, database, sink, batch=20) as relay:
            await self.drained(database)
            await relay.check()

        by_id = {message.event_id: message for message in sink.taken}
        written = [MessageWriter().write(each) for each in events]
        assert [by_id[message.event_id] for message in written] == written
        assert len(sink.taken) == 250
        assert max(sink.batches) <= 20
        assert await outbox.lag(database) == OutboxLag(0, 0.0)

    async def test_a_commit_wakes_the_relay(
        self, database: Database, outbox: Outbox, sink: Sink, world: str
    ) -> None:
        """Long before it would look by itself."""
        async with OutboxRelay(outbox, database, sink, poll=600):
            for number in range(5):
                # It sleeps, or is about to: both must do.
                await asyncio.sleep(0.1 * number)
                wanted = moved(number)
                await self.run(database, world, adding(outbox, wanted))
                await until(partial(sink.has_taken, number + 1))

        assert sink.numbers == [0, 1, 2, 3, 4]

    async def test_a_relay_polls(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """What nobody gave notice of is found, too."""
        async with OutboxRelay(outbox, database, sink, poll=0.05):
            await self.add(database, outbox, moved(1))
            await until(lambda: len(sink.taken) == 1)
            outbox._wakers.clear()
            async with database.session() as session:
                row = {
                    column.name: value
                    for column, value in zip(
                        list(EVENTS.c)[1:],
                        [
                            uuid4(),
                            5,
                            "piece",
                            "king",
                            "piece.moved",
                            moved(2).encode(),
                            "application/json",
                            {},
                            moved(2).timestamp,
                            moved(2).timestamp,
                        ],
                        strict=True,
                    )
                }
                await session.execute(insert(EVENTS).values(row))
            await until(lambda: len(sink.taken) == 2)

        assert sink.numbers == [1, 2]

    async def test_an_outage_of_the_broker_is_waited_for(
        self, database: Database, outbox: Outbox
    ) -> None:
        """With growing, random pauses; everything stays where it is meanwhile."""
        pauses: list[float] = []
        down = True

        async def sleep(seconds: float) -> None:
            nonlocal down
            pauses.append(seconds)
            down = len(pauses) < 14
            await asyncio.sleep(0)

        sink = Sink(lambda _: BrokerUnavailableException() if down else None)
        await self.add(database, outbox, *(moved(n) for n in range(10)))

        with captured_logs("shared.messaging") as logs:
            async with OutboxRelay(
                outbox, database, sink, batch=4, sleep=sleep, rng=lambda: 1.0
            ):
                await self.drained(database)

        assert sink.numbers == list(range(10))
        assert pauses[:10] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
        assert set(pauses[9:]) == {30.0}
        assert max(sink.batches) == 4
        told = [line["message"] for line in logs]
        assert "The broker takes events again." in told

    async def test_an_outage_is_not_hammered_by_those_who_write(
        self, database: Database, outbox: Outbox
    ) -> None:
        """Notices do not cut the pause short; stop() does."""
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await asyncio.Event().wait()

        sink = Sink(lambda _: BrokerUnavailableException())
        relay = OutboxRelay(outbox, database, sink, sleep=sleep)
        async with relay:
            await self.add(database, outbox, moved(0))
            await until(lambda: len(pauses) == 1)
            for number in range(20):
                # The transaction is over, or SQLite could not write.
                await self.add(database, outbox, moved(number))

        assert (len(pauses), sink.batches) == (1, [1])
        assert len(await self.numbers(database)) == 21

    @pytest.mark.parametrize("kind", [Sink, Broken])
    async def test_an_event_that_is_refused_holds_its_partition_only(
        self, database: Database, outbox: Outbox, kind: type[Sink]
    ) -> None:
        """What is before or beside it goes on; what is behind it waits, in order."""
        healed = False

        def answer(message: OutgoingMessage) -> Exception | None:
            return None if healed or number_of(message) != 3 else TypeError("no way")

        sink = kind(answer)
        events = [moved(n, "king") for n in range(6)]
        events += [moved(n, f"pawn-{n}") for n in range(100, 140)]
        await self.add(database, outbox, *events)

        with captured_logs("shared.messaging") as logs:
            async with OutboxRelay(outbox, database, sink, max_pause=0.05):
                await until(
                    lambda: (
                        139 in sink.numbers
                        and sum(line["level"] == "ERROR" for line in logs) > 2
                    )
                )
                held = await self.numbers(database)
                healed = True
                await self.drained(database)

        assert [n for n in held if n < 100] == [3, 4, 5]
        assert len(held) < 20
        # Not with each try: once with the one that was refused, and once after it.
        assert sink.numbers.count(5) <= 2
        first = {number: sink.numbers.index(number) for number in range(6)}
        assert set(sink.numbers) == {e.payload.number for e in events}
        assert [first[n] for n in range(4)] == sorted(first[n] for n in range(4))
        error = next(line for line in logs if line["level"] == "ERROR")
        assert error["event_id"] == str(events[3].event_id)
        assert error["event_type"] == "piece.moved"

    @pytest.mark.parametrize(
        "error", [RuntimeError("The bus is not started."), ValueError("strange")]
    )
    async def test_a_bus_that_takes_nothing_is_waited_for(
        self, database: Database, outbox: Outbox, error: Exception
    ) -> None:
        """One that is not started, or has a bug: each partition is held for a while."""
        broken = True
        sink = Broken(lambda _: error if broken else None)
        await self.add(database, outbox, *(moved(n, str(n)) for n in range(30)))

        with captured_logs("shared.messaging") as logs:
            async with OutboxRelay(outbox, database, sink, max_pause=0.05):
                await until(lambda: len(logs) > 2)
                broken = False
                await self.drained(database)

        assert sorted(sink.numbers) == list(range(30))
        assert {line["level"] for line in logs} == {"ERROR"}

    async def test_a_bus_that_hangs_is_given_up(
        self, database: Database, outbox: Outbox
    ) -> None:
        """After publish_timeout it counts as away."""
        sink = Sink()
        sink.open.clear()
        await self.add(database, outbox, moved(1))

        async with OutboxRelay(
            outbox, database, sink, publish_timeout=0.05, max_pause=0.05
        ):
            await until(lambda: len(sink.batches) > 2)
            sink.open.set()
            await self.drained(database)

        assert sink.numbers == [1]

    async def test_a_bus_that_miscounts(
        self, database: Database, outbox: Outbox
    ) -> None:
        """Whatever it had is published again: nothing is lost by it."""

        class Miscounting(Sink):
            async def publish_messages(
                self, messages: Sequence[OutgoingMessage]
            ) -> list[Exception | None]:
                results = await super().publish_messages(messages)
                return results[:-1] if len(self.batches) == 1 else results

        sink = Miscounting()
        await self.add(database, outbox, *(moved(n) for n in range(5)))

        async with OutboxRelay(outbox, database, sink):
            await self.drained(database)

        assert sink.numbers == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]

    async def test_stop_finishes_what_is_in_hand(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """And takes no more."""
        sink.open.clear()
        await self.add(database, outbox, *(moved(n) for n in range(10)))
        relay = OutboxRelay(outbox, database, sink, batch=3)
        await relay.start()
        await until(lambda: bool(sink.batches))

        stopping = asyncio.create_task(relay.stop())
        await asyncio.sleep(0)
        sink.open.set()
        await stopping

        assert sink.numbers == [0, 1, 2]
        assert await self.numbers(database) == list(range(3, 10))
        with pytest.raises(OutboxStalledError, match="does not run"):
            await relay.check()

    async def test_what_was_stopped_can_be_run_again(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """By whoever awaits it, as a worker does; a stop before changes nothing."""
        relay = OutboxRelay(outbox, database, sink)
        await relay.stop()
        for number in (1, 2):
            running = asyncio.create_task(relay.run())
            await self.add(database, outbox, moved(number))
            await until(lambda n=number: len(sink.taken) == n)  # type: ignore[misc]
            await relay.stop()
            async with asyncio.timeout(60):
                await running

        assert sink.numbers == [1, 2]

    async def test_a_stop_that_takes_too_long_cancels(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """What was in hand is there for the next one."""
        sink.open.clear()
        await self.add(database, outbox, moved(1))
        relay = OutboxRelay(outbox, database, sink)
        await relay.start()
        await until(lambda: bool(sink.batches))

        await relay.stop(timeout=0.01)
        sink.open.set()
        async with relay:
            await self.drained(database)

        assert sink.numbers == [1]

    async def test_it_runs_once(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """One object is one relay."""
        relay = OutboxRelay(outbox, database, sink)
        async with relay:
            with pytest.raises(RuntimeError, match="runs already"):
                await relay.start()
            await until(lambda: relay.running)
            with pytest.raises(RuntimeError, match="runs already"):
                await relay.run()

        await relay.stop()
        assert not relay.running

    async def test_a_database_without_the_table_is_waited_for(
        self, database: Database, outbox: Outbox, sink: Sink
    ) -> None:
        """The migration may come after the relay."""
        async with database.engine.begin() as connection:
            await connection.run_sync(EVENTS.drop)
        with captured_logs("shared.messaging") as logs:
            async with OutboxRelay(outbox, database, sink, max_pause=0.05):
                await until(lambda: len(logs) > 2)
                async with database.engine.begin() as connection:
                    await connection.run_sync(EVENTS.create)
                await self.add(database, outbox, moved(1))
                await self.drained(database)

        assert sink.numbers == [1]
        assert {line["level"] for line in logs} == {"WARNING", "INFO"}

    async def test_relays_come_and_go_and_the_order_stays(
        self, database: Database, outbox: Outbox
    ) -> None:
        """For each aggregate, the first time of each event; and none is lost.

        Two relays at a time, cancelled again and again in whatever they do, while
        several tasks move the same pieces.
        """
        rng = random.Random(5)  # noqa: S311 - a test
        pieces = [f"piece-{n}" for n in range(150)]
        sink = Sink(slow=lambda: rng.random() * 0.004)
        writing = True

        async def write(seed: int) -> None:
            own = random.Random(seed)  # noqa: S311 - a test
            for _ in range(15):
                async with database.session() as session:
                    for piece in sorted(own.sample(pieces, 3)):
                        changed = await session.execute(
                            update(PIECES)
                            .where(PIECES.c.name == piece)
                            .values(moves=PIECES.c.moves + 1)
                            .returning(PIECES.c.moves)
                        )
                        outbox.add(session, moved(changed.scalar_one(), piece))
                    if own.random() < 0.1:
                        await session.rollback()

        async def relay() -> None:
            while writing or await self.numbers(database):
                own = OutboxRelay(
                    outbox, database, sink, batch=rng.choice([1, 7, 40]), poll=0.05
                )
                task = asyncio.create_task(own.run())
                taken = len(sink.taken)
                with suppress(TimeoutError):
                    async with asyncio.timeout(5 * rng.random()):
                        more = taken + rng.randrange(200)
                        await until(partial(sink.has_taken, more))
                task.cancel()
                await asyncio.wait([task])

        async with database.session() as session:
            rows = [{"name": piece, "moves": 0} for piece in pieces]
            await session.execute(insert(PIECES), rows)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(relay())
            group.create_task(relay())
            async with asyncio.TaskGroup() as writers:
                for seed in range(self.writers):
                    writers.create_task(write(seed))
            writing = False

        published: dict[str | None, list[int]] = defaultdict(list)
        seen: set[UUID] = set()
        for message in sink.taken:
            if message.event_id not in seen:
                seen.add(message.event_id)
                published[message.aggregate_id].append(number_of(message))
        async with database.session() as session:
            moves = (await session.execute(select(PIECES))).all()
        # Rolled-back moves were undone with their numbers, which were given again.
        assert {name: published[name] for name, _ in moves} == {
            name: list(range(1, count + 1)) for name, count in moves
        }

    async def test_a_row_may_be_deleted_by_hand(
        self, database: Database, outbox: Outbox
    ) -> None:
        """It is the way out for an event that can never be published."""
        sink = Sink(lambda m: None if number_of(m) != 1 else ValueError("never"))
        await self.add(database, outbox, moved(1), moved(2))

        async with OutboxRelay(outbox, database, sink, max_pause=0.05, poll=0.05):
            await until(lambda: len(sink.batches) > 1)
            async with database.session() as session:
                await session.execute(
                    delete(EVENTS).where(
                        EVENTS.c.position
                        == select(EVENTS.c.position)
                        .order_by(EVENTS.c.position)
                        .limit(1)
                        .scalar_subquery()
                    )
                )
            await self.drained(database)

        assert set(sink.numbers) == {2}
