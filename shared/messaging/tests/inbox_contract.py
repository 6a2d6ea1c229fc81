"""What holds on every database; a subclass names the one it is tested on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Literal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.config import DatabaseConfig
from shared.database import Database, DuplicateException, TransactionConflictException
from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.messaging import (
    Delivery,
    FailurePolicy,
    InMemoryBus,
    Observation,
    Outcome,
)
from shared.messaging._delivery import delivery_var
from shared.messaging.inbox import (
    HandlerTransactionError,
    Inbox,
    idempotent,
    inbox_table,
)
from shared.testing import FakeClock, captured_logs

METADATA = MetaData()
NOTES = inbox_table(METADATA)
WORK = Table(
    "work",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("what", String, nullable=False, unique=True),
)
EFFECTS = Table(
    "effects",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("what", String, nullable=False),
)
RETENTION = timedelta(days=14)


class InvoicePaidPayload(EventPayload):
    """What was paid."""

    invoice_id: str


class InvoicePaid(BaseEvent[InvoicePaidPayload]):
    """An event of the tests."""

    event_type: Literal["invoice.paid"] = "invoice.paid"
    schema_version: Literal[1] = 1


class InvoiceRefunded(BaseEvent[InvoicePaidPayload]):
    """Another one."""

    event_type: Literal["invoice.refunded"] = "invoice.refunded"
    schema_version: Literal[1] = 1


REGISTRY = EventRegistry([InvoicePaid, InvoiceRefunded])

# Handles an event and dies before the transaction ends.
KILLED = f"""
import asyncio, os, signal, sys
from sqlalchemy import insert
from shared.config import DatabaseConfig
from shared.database import Database
from shared.messaging.inbox import Inbox, idempotent
from {__name__} import EFFECTS, NOTES, InvoicePaid

async def main() -> None:
    database = Database(DatabaseConfig(url=sys.argv[1]), service_name="killed")

    @idempotent(Inbox(NOTES, database), consumer="accounts.book")
    async def book(event, session):
        await session.execute(insert(EFFECTS).values(what="half"))
        os.kill(os.getpid(), signal.SIGKILL)

    await book(InvoicePaid.model_validate_json(sys.argv[2]))

asyncio.run(main())
"""

Handler = Callable[[InvoicePaid], Awaitable[object]]


class BrokenError(Exception):
    """What a handler raises."""


def paid(invoice_id: str = "i-1") -> InvoicePaid:
    """A new event."""
    return InvoicePaid(payload=InvoicePaidPayload(invoice_id=invoice_id))


async def deliver(
    handler: Callable[[Any], Awaitable[object]],
    event: BaseEvent[Any],
    consumer: str = "accounts.book",
) -> None:
    """Call *handler* as a bus does."""

    async def run() -> None:
        delivery_var.set(Delivery(event, consumer, 1, False, {}))
        await handler(event)

    await asyncio.create_task(run())


async def effects(database: Database) -> list[str]:
    """What was committed by handlers."""
    async with database.session() as session:
        return list((await session.scalars(select(EFFECTS.c.what))).all())


async def notes(database: Database) -> int:
    """How many events are noted."""
    async with database.session() as session:
        return (await session.scalars(select(func.count()).select_from(NOTES))).one()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Give a database with the tables, and close it."""
    database = Database(DatabaseConfig(url=url), service_name="accounts")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    try:
        yield database
    finally:
        await database.dispose()


async def until_connections(database: Database, count: int) -> None:
    """Wait until *count* transactions have a connection: none is in front of it."""
    async with asyncio.timeout(30):
        # A pool tells nobody.
        while database.pool is None or database.pool.checkedout() < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class InboxContract:
    """The rules of ``Inbox`` and ``idempotent``."""

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
        async with opened(url) as database:
            yield database

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock of the inbox."""
        return FakeClock()

    @pytest.fixture
    def inbox(self, database: Database, clock: FakeClock) -> Inbox:
        """An inbox whose time is the test's."""
        return Inbox(NOTES, database, retention=RETENTION, now=clock)

    @pytest.fixture
    def book(self, inbox: Inbox) -> Handler:
        """A handler with an effect."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            what = event.payload.invoice_id
            await session.execute(insert(EFFECTS).values(what=what))

        return book

    async def test_an_event_takes_effect_once(
        self, book: Handler, database: Database, inbox: Inbox
    ) -> None:
        """However often it is delivered; and the inbox counts."""
        event = paid()
        for _ in range(3):
            await deliver(book, event)

        assert await effects(database) == ["i-1"]
        assert (inbox.handled, inbox.skipped) == (1, 2)

    async def test_a_duplicate_is_told_to_the_log(self, book: Handler) -> None:
        """At the level for which nobody is woken."""
        event = paid()
        await deliver(book, event)
        with captured_logs("shared.messaging", level="DEBUG") as logs:
            await deliver(book, event)

        assert [
            (line["level"], line["consumer"], line["event_id"]) for line in logs
        ] == [("INFO", "accounts.book", str(event.event_id))]

    async def test_two_events_are_two(self, book: Handler, database: Database) -> None:
        """What is the same is the id and not the content."""
        await deliver(book, paid())
        await deliver(book, paid())

        assert await effects(database) == ["i-1", "i-1"]

    async def test_two_consumers_have_an_effect_each(
        self, inbox: Inbox, database: Database
    ) -> None:
        """An event goes to all of them, and each notes it for itself."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))

        @idempotent(inbox)
        async def thank(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="thanked"))

        event = paid()
        for _ in range(2):
            await deliver(book, event, "accounts.book")
            await deliver(thank, event, "accounts.thank")

        assert sorted(await effects(database)) == ["booked", "thanked"]

    async def test_a_failure_leaves_nothing(
        self, inbox: Inbox, database: Database
    ) -> None:
        """Neither an effect nor a note, so the next delivery does it all."""
        broken = [True, False]

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))
            if broken.pop(0):
                raise BrokenError("no")

        event = paid()
        with pytest.raises(BrokenError, match="no"):
            await deliver(book, event)
        assert (await effects(database), await notes(database)) == ([], 0)
        await deliver(book, event)

        assert (await effects(database), await notes(database)) == (["booked"], 1)

    async def test_a_cancelled_handler_leaves_nothing(
        self, inbox: Inbox, database: Database, book: Handler
    ) -> None:
        """As when its time is over, or the bus stops."""
        entered = asyncio.Event()

        @idempotent(inbox, consumer="accounts.book")
        async def hang(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="half"))
            entered.set()
            await asyncio.Event().wait()

        event = InvoiceRefunded(payload=InvoicePaidPayload(invoice_id="i-1"))
        task = asyncio.create_task(deliver(hang, event))
        async with asyncio.timeout(30):
            await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (await effects(database), await notes(database)) == ([], 0)

    async def test_a_killed_process_leaves_nothing(
        self, url: str, database: Database, book: Handler
    ) -> None:
        """The database undoes half of the work; the next delivery does all of it."""
        event = paid()
        process = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED, url, event.encode().decode()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert process.returncode == -signal.SIGKILL
        await deliver(book, event)

        assert await effects(database) == ["i-1"]

    async def test_a_duplicate_waits_for_the_first(
        self, inbox: Inbox, database: Database
    ) -> None:
        """And then finds it done."""
        entered, go_on = asyncio.Event(), asyncio.Event()

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))
            entered.set()
            await go_on.wait()

        event = paid()
        first = asyncio.create_task(deliver(book, event))
        async with asyncio.timeout(30):
            await entered.wait()
        second = asyncio.create_task(deliver(book, event))
        await until_connections(database, 2)
        assert not second.done()
        go_on.set()
        await asyncio.gather(first, second)

        assert await effects(database) == ["booked"]
        assert (inbox.handled, inbox.skipped) == (1, 1)

    async def test_a_duplicate_takes_over_from_the_first(
        self, inbox: Inbox, database: Database
    ) -> None:
        """When that one failed while the duplicate waited for it."""
        entered, go_on = asyncio.Event(), asyncio.Event()
        errors = [BrokenError("no"), None]

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))
            entered.set()
            await go_on.wait()
            error = errors.pop(0)
            if error is not None:
                raise error

        event = paid()
        first = asyncio.create_task(deliver(book, event))
        async with asyncio.timeout(30):
            await entered.wait()
        second = asyncio.create_task(deliver(book, event))
        await until_connections(database, 2)
        go_on.set()
        with pytest.raises(BrokenError, match="no"):
            await first
        await second

        assert await effects(database) == ["booked"]
        assert (inbox.handled, inbox.skipped) == (1, 0)

    async def test_collisions_are_tried_again(
        self, inbox: Inbox, database: Database
    ) -> None:
        """In a new transaction, with a new note."""
        collisions = [TransactionConflictException(), None]

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))
            error = collisions.pop(0)
            if error is not None:
                raise error

        await deliver(book, paid())

        assert (await effects(database), await notes(database)) == (["booked"], 1)

    async def test_the_result_is_that_of_the_handler(self, inbox: Inbox) -> None:
        """Of a duplicate it is None."""

        @idempotent(inbox)
        async def double(event: InvoicePaid, session: AsyncSession) -> int:
            return 2 * len(event.payload.invoice_id)

        event = paid()

        assert (await double(event), await double(event)) == (6, None)

    async def test_methods_are_handlers_too(
        self, inbox: Inbox, database: Database
    ) -> None:
        """They take the event alone as well."""

        class Books:
            def __init__(self, what: str) -> None:
                self.what = what

            @idempotent(inbox)
            async def book(self, event: InvoicePaid, session: AsyncSession) -> None:
                await session.execute(insert(EFFECTS).values(what=self.what))

        event = paid()
        for _ in range(2):
            await deliver(Books("method").book, event)

        assert await effects(database) == ["method"]

    async def test_the_name_outside_of_a_delivery(
        self, inbox: Inbox, database: Database
    ) -> None:
        """That of the function; a script that calls it twice does it once."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))

        event = paid()
        await book(event)
        await book(event)
        async with database.session() as session:
            consumers = (await session.scalars(select(NOTES.c.consumer))).all()

        assert await effects(database) == ["booked"]
        assert [name.rpartition("<locals>")[2] for name in consumers] == [".book"]
        assert consumers[0].startswith(f"{__name__}.InboxContract.")

    async def test_a_given_name_wins(self, inbox: Inbox, database: Database) -> None:
        """So that what was renamed stays handled."""

        @idempotent(inbox, consumer="accounts.old_name")
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))

        event = paid()
        await deliver(book, event, "accounts.new_name")
        await book(event)

        assert await effects(database) == ["booked"]

    async def test_two_functions_under_one_name_are_refused(
        self, inbox: Inbox, book: Handler, database: Database
    ) -> None:
        """The second would find the note of the first, and never run."""

        @idempotent(inbox)
        async def thank(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="thanked"))

        async def both(event: InvoicePaid) -> None:
            await asyncio.gather(book(event), thank(event))

        with pytest.raises(ValueError, match=r"under one name, 'accounts\.both'"):
            await deliver(both, paid(), "accounts.both")

    async def test_a_dispatcher_may_have_a_function_for_each_type(
        self, inbox: Inbox, book: Handler, database: Database
    ) -> None:
        """One name, and no event that two of them could take."""

        @idempotent(inbox)
        async def unbook(event: InvoiceRefunded, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="unbooked"))

        refunded = InvoiceRefunded(payload=InvoicePaidPayload(invoice_id="i-1"))
        await deliver(book, paid(), "accounts.dispatch")
        await deliver(unbook, refunded, "accounts.dispatch")

        assert await effects(database) == ["i-1", "unbooked"]

    async def test_the_handler_must_not_commit(
        self, inbox: Inbox, database: Database
    ) -> None:
        """What it would do after that would not be done again after a crash."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))
            await session.commit()

        with pytest.raises(HandlerTransactionError, match="must not commit its sess"):
            await deliver(book, paid())

        assert (await effects(database), await notes(database)) == ([], 0)

    async def test_a_caught_refusal_to_commit_is_harmless(
        self, inbox: Inbox, database: Database
    ) -> None:
        """The transaction is as it was, and is committed at the end."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="one"))
            with suppress(HandlerTransactionError):
                await session.commit()
            await session.execute(insert(EFFECTS).values(what="two"))

        await deliver(book, paid())

        assert await effects(database) == ["one", "two"]

    @pytest.mark.parametrize("end", ["rollback", "close", "reset", "invalidate"])
    async def test_the_handler_must_not_end_the_transaction(
        self, inbox: Inbox, database: Database, end: str
    ) -> None:
        """The note is gone with it, so it would be handled again."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="before"))
            await getattr(session, end)()

        with pytest.raises(HandlerTransactionError, match="must not roll its session"):
            await deliver(book, paid())

        assert (await effects(database), await notes(database)) == ([], 0)

    async def test_nothing_is_done_in_a_transaction_after_a_rollback(
        self, inbox: Inbox, database: Database
    ) -> None:
        """Where it would be without a note."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.rollback()
            await session.execute(insert(EFFECTS).values(what="after"))

        with pytest.raises(HandlerTransactionError, match="must not roll its session"):
            await deliver(book, paid())

        assert (await effects(database), await notes(database)) == ([], 0)

    async def test_savepoints_are_the_handler_s_own(
        self, inbox: Inbox, database: Database
    ) -> None:
        """Committed or not, also when one holds an error of the database."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            async with session.begin_nested():
                await session.execute(insert(WORK).values(what="unique"))
            with suppress(DuplicateException):
                async with session.begin_nested():
                    await session.execute(insert(EFFECTS).values(what="undone"))
                    await session.execute(insert(WORK).values(what="unique"))
            await session.execute(insert(EFFECTS).values(what="booked"))

        event = paid()
        for _ in range(2):
            await deliver(book, event)

        assert await effects(database) == ["booked"]

    async def test_what_is_old_is_removed(
        self, inbox: Inbox, book: Handler, database: Database, clock: FakeClock
    ) -> None:
        """From the retention on, and not a moment before."""
        for _ in range(5):
            await deliver(book, paid())
        clock.advance(RETENTION - timedelta(microseconds=1))
        await deliver(book, paid())
        assert await inbox.clean(batch=2) == 0
        clock.advance(timedelta(microseconds=1))

        assert await inbox.clean(batch=2) == 5
        assert await notes(database) == 1

    async def test_after_the_retention_an_event_is_new(
        self, inbox: Inbox, book: Handler, database: Database, clock: FakeClock
    ) -> None:
        """Such as a dead letter that is replayed after weeks."""
        event = paid()
        await deliver(book, event)
        clock.advance(RETENTION)
        await inbox.clean()
        await deliver(book, event)

        assert await effects(database) == ["i-1", "i-1"]

    async def test_many_clean_at_once(
        self, inbox: Inbox, book: Handler, database: Database, clock: FakeClock
    ) -> None:
        """Each row is removed by one of them, and handlers go on."""
        for _ in range(30):
            await deliver(book, paid())
        clock.advance(RETENTION)

        handling = asyncio.create_task(deliver(book, paid()))
        removed = await asyncio.gather(*(inbox.clean(batch=3) for _ in range(4)))
        await handling

        assert sum(removed) + await inbox.clean() == 30
        assert await notes(database) == 1

    async def test_cleaning_goes_on(
        self, inbox: Inbox, book: Handler, database: Database, clock: FakeClock
    ) -> None:
        """Each hour, unless told; and ends with its block."""
        slept: list[float] = []
        twice = asyncio.Event()

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock.advance(RETENTION)
            if len(slept) == 2:
                twice.set()
                await asyncio.Event().wait()

        await deliver(book, paid())
        async with inbox.cleaning(sleep=sleep), asyncio.timeout(30):
            await twice.wait()

        assert slept == [3600.0, 3600.0]
        assert await notes(database) == 0

    async def test_alembic_sees_the_table_as_it_is(self, database: Database) -> None:
        """What it made of the declaration does not differ from it."""
        with database.sync_engine.connect() as connection:
            context = MigrationContext.configure(connection)

            assert compare_metadata(context, METADATA) == []

    async def test_on_a_bus(self, inbox: Inbox, database: Database) -> None:
        """A handler that fails at first, and an event that is published twice."""
        broken = [True, False]
        handled: asyncio.Queue[Observation] = asyncio.Queue()

        def observe(observation: Observation) -> None:
            if observation.outcome is Outcome.HANDLED:
                handled.put_nowait(observation)

        bus = InMemoryBus("accounts", registry=REGISTRY, observe=observe)

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="booked"))
            if broken.pop(0):
                raise BrokenError("no")

        policy = FailurePolicy(delays=(), immediate_retries=1)
        subscription = bus.subscribe(InvoicePaid, book, policy=policy)
        event = paid()
        async with bus, asyncio.timeout(30):
            await bus.publish(event)
            await bus.publish(event)
            await handled.get()
            await handled.get()
        async with database.session() as session:
            consumers = (await session.scalars(select(NOTES.c.consumer))).all()

        assert subscription.consumer == "accounts.book"
        assert consumers == ["accounts.book"]
        assert await effects(database) == ["booked"]

    @settings(
        deadline=None,
        max_examples=15,
        suppress_health_check=[
            # Each example has events of its own in the database that they share.
            HealthCheck.function_scoped_fixture,
            # The databases, each of which has to stand it.
            HealthCheck.differing_executors,
        ],
    )
    @given(
        deliveries=st.lists(
            st.tuples(
                st.integers(0, 2),  # which event
                st.sampled_from(["accounts.book", "accounts.thank"]),
                st.sampled_from(["done", "fails", "is cancelled"]),
                st.integers(0, 3),  # steps that others may take in between
            ),
            max_size=10,
        )
    )
    async def test_any_interleaving_of_redeliveries_has_one_effect(
        self,
        inbox: Inbox,
        database: Database,
        deliveries: list[tuple[int, str, str, int]],
    ) -> None:
        """All at once, some of which fail, and then each again as a broker does it."""
        events = [paid() for _ in range(3)]

        def handler(outcome: str, steps: int) -> Handler:
            @idempotent(inbox)
            async def handle(event: InvoicePaid, session: AsyncSession) -> None:
                for _ in range(steps):
                    await asyncio.sleep(0)
                what = f"{event.event_id}"
                await session.execute(insert(EFFECTS).values(what=what))
                if outcome == "fails":
                    raise BrokenError("no")
                if outcome == "is cancelled":
                    raise asyncio.CancelledError

            return handle

        await asyncio.gather(
            *(
                deliver(handler(outcome, steps), events[number], consumer)
                for number, consumer, outcome, steps in deliveries
            ),
            return_exceptions=True,
        )
        asked = {(number, consumer) for number, consumer, *_ in deliveries}
        for number, consumer in sorted(asked):
            await deliver(handler("done", 0), events[number], consumer)

        found = Counter(await effects(database))
        expected = Counter(number for number, _ in asked)
        ids = [str(event.event_id) for event in events]
        assert {n: found[ids[n]] for n in expected} == expected
