from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import aio_pika
import pytest
import sqlalchemy

from shared.database import Database
from shared.messaging import OutgoingMessage
from shared.messaging.outbox import Outbox, OutboxRelay
from shared.messaging.rabbitmq import RabbitMQBus
from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ
from tests.integration._kills_scene import (
    FAULTS,
    FOLLOWED,
    HANDLER,
    OUTBOX,
    REGISTRY,
    SERVICE,
    STEPS,
    AccountStepped,
    Program,
    Writer,
    count,
    faults,
    followed_ids,
    make_tables,
    open_database,
    step,
)

SEED = 4
EVENTS = 20_000
ACCOUNTS = 400
WRITERS = 4
# How far the writers may be ahead of the consumer, so that kills meet them at work.
AHEAD = 3_000
LIMIT = 1500.0

QUEUE = f"{SERVICE}.{HANDLER}"
DEAD = f"{QUEUE}.dead"
UNROUTED = "creativeflow.unrouted"

BACKLOG = 50_000
HOUR = 3600
MEGABYTES = 20.0

Report = Callable[..., None]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Print figures, also of a test that passes."""

    def tell(**figures: object) -> None:
        with capsys.disabled():
            print("\n  " + ", ".join(f"{k} {v}" for k, v in figures.items()))  # noqa: T201

    return tell


@pytest.fixture
def postgresql() -> Iterator[PrivatePostgreSQL]:
    """Give a PostgreSQL to kill."""
    with PrivatePostgreSQL() as server:
        yield server


@pytest.fixture
def rabbitmq() -> Iterator[PrivateRabbitMQ]:
    """Give a RabbitMQ to kill."""
    with PrivateRabbitMQ() as server:
        yield server


def account_ids(number: int) -> list[UUID]:
    """Return the accounts, the same each time."""
    choice = random.Random(SEED)  # noqa: S311 - to be the same each time
    return [UUID(int=choice.getrandbits(128), version=4) for _ in range(number)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Give the database with its tables."""
    database = open_database(url)
    try:
        yield database
    finally:
        await database.dispose()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for *condition*; the caller limits the time."""
    while not await condition():  # noqa: ASYNC110 - other processes set no Event
        await asyncio.sleep(0.1)


async def eventually_counted(database: Database) -> int:
    """Return how many events were handled, once somebody can tell."""
    while True:
        try:
            return await count(database, FOLLOWED)
        except Exception:  # the database is away
            await asyncio.sleep(0.2)


async def messages_in(url: str, *queues: str) -> dict[str, int]:
    """Return how many messages there are in each queue."""
    found = {}
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in queues:
            queue = await channel.declare_queue(name, passive=True)
            found[name] = queue.declaration_result.message_count or 0
    return found


async def ids_in(url: str, queue: str, number: int) -> set[str | None]:
    """Take *number* messages from *queue*, and return which events they are."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        source = await channel.get_queue(queue)
        async with source.iterator(no_ack=True) as messages:
            return {(await anext(messages)).message_id for _ in range(number)}


async def declare(url: str) -> None:
    """Make the queue of the consumer, which is not there yet."""

    async def handle(event: AccountStepped) -> None:
        raise AssertionError

    bus = RabbitMQBus(SERVICE, url, registry=REGISTRY)
    bus.subscribe(AccountStepped, handle, name=HANDLER, ordered=True)
    async with bus:
        await bus.check()


class Scene:
    """Four processes that may be killed, and how often each was."""

    def __init__(
        self,
        postgresql: PrivatePostgreSQL,
        rabbitmq: PrivateRabbitMQ,
        relay: Program,
        consumer: Program,
    ) -> None:
        self.kills: Counter[str] = Counter()
        self._postgresql = postgresql
        self._rabbitmq = rabbitmq
        self._relay = relay
        self._consumer = consumer

    def kill(self, what: str) -> None:
        """SIGKILL one or several, or stop one in order, and start it again."""
        victims: dict[str, Program | PrivatePostgreSQL | PrivateRabbitMQ] = {
            "relay": self._relay,
            "consumer": self._consumer,
            "RabbitMQ": self._rabbitmq,
            "PostgreSQL": self._postgresql,
        }
        how, _, names = what.partition(" ")
        chosen = names.split(" and ")
        for name in chosen:
            getattr(victims[name], how)()
            self.kills[f"{how} {name}"] += 1
        # Servers last, so that the others find none.
        for name in sorted(chosen, key=lambda n: n in ("RabbitMQ", "PostgreSQL")):
            victims[name].start()
        self._relay.check()
        self._consumer.check()


PLAN = [
    "kill relay",
    "kill consumer",
    "kill PostgreSQL",
    "kill RabbitMQ",
    "kill relay and consumer",
    "stop PostgreSQL",
    "kill consumer",
    "stop RabbitMQ",
    "kill relay",
    "kill PostgreSQL",
    "kill RabbitMQ and relay",
    "kill PostgreSQL and consumer",
    "kill relay and consumer and PostgreSQL and RabbitMQ",
]


async def test_no_event_is_lost_doubled_or_out_of_order(
    postgresql: PrivatePostgreSQL,
    rabbitmq: PrivateRabbitMQ,
    tmp_path: Path,
    report: Report,
) -> None:
    """Whoever is killed: each committed event has effect once, in its account's order.

    And none of a transaction, or a savepoint, that was rolled back.
    """
    began = time.monotonic()
    accounts = account_ids(ACCOUNTS)
    with ExitStack() as stack:
        programs = [
            stack.enter_context(
                Program(role, postgresql.url, rabbitmq.url, folder=tmp_path)
            )
            for role in ("relay", "consumer")
        ]
        relay, consumer = programs
        scene = Scene(postgresql, rabbitmq, relay, consumer)
        async with asyncio.timeout(LIMIT), opened(postgresql.url) as database:
            await make_tables(database, accounts)
            # It makes the queue, without which events are unrouted.
            await asyncio.to_thread(consumer.start)
            await asyncio.to_thread(relay.start)
            # See server_processes: a queue that is new does not survive a kill.
            await asyncio.to_thread(scene.kill, "stop RabbitMQ")

            handled = 0
            writer = Writer(database, accounts, seed=SEED)

            async def write() -> None:
                while writer.committed < EVENTS:
                    if writer.committed > handled + AHEAD:
                        await asyncio.sleep(0.02)
                    else:
                        await writer.write()

            async def watch() -> None:
                nonlocal handled
                while handled < EVENTS:
                    handled = await eventually_counted(database)
                    await asyncio.sleep(0.1)

            async def kill() -> None:
                for place, what in enumerate(PLAN, 1):
                    while handled < EVENTS * place / (len(PLAN) + 1):
                        relay.check()
                        consumer.check()
                        await asyncio.sleep(0.02)
                    await asyncio.to_thread(scene.kill, what)

            async with asyncio.TaskGroup() as group:
                for _ in range(WRITERS):
                    group.create_task(write())
                group.create_task(watch())
                group.create_task(kill())
            written = await count(database, STEPS)

            async def settled() -> bool:
                handled = await eventually_counted(database)
                return handled >= written and not await count(database, OUTBOX)

            await until(settled)
            await asyncio.to_thread(relay.stop)
            await asyncio.to_thread(consumer.stop)

            found = await faults(database)
            seen = await followed_ids(database)
            left = await messages_in(rabbitmq.url, QUEUE, DEAD, UNROUTED)
    tally = consumer.tally()
    report(
        seconds=round(time.monotonic() - began),
        events=written,
        accounts=len(accounts),
        transactions_rolled_back=writer.rolled_back,
        transactions_failed=writer.failures.total(),
        deliveries=tally["d"] + tally["r"],
        redelivered=tally["r"],
        tried_again=tally["a"],
        duplicates_skipped=tally["s"],
        **{name.replace(" ", "_"): n for name, n in sorted(scene.kills.items())},
    )
    assert found == dict.fromkeys(FAULTS, 0)
    assert left == dict.fromkeys(left, 0)
    assert written >= EVENTS
    assert len(writer.ghosts) > EVENTS / 40
    assert not seen & writer.ghosts


async def test_an_hour_without_a_broker(
    postgresql: PrivatePostgreSQL,
    rabbitmq: PrivateRabbitMQ,
    tmp_path: Path,
    report: Report,
) -> None:
    """Requests succeed, the outbox grows, the relay does not; then all is published.

    The broker is away when the relay starts. Its pauses are simulated: it makes as many
    tries as in an hour.
    """
    began = time.monotonic()
    accounts = account_ids(ACCOUNTS)
    relay = Program("hurried_relay", postgresql.url, rabbitmq.url, folder=tmp_path)
    with relay:
        async with asyncio.timeout(LIMIT), opened(postgresql.url) as database:
            await make_tables(database, accounts)
            await declare(rabbitmq.url)
            await asyncio.to_thread(rabbitmq.stop)
            await asyncio.to_thread(relay.start)
            at_first = relay.memory()
            memory = [at_first]

            async def measure() -> None:
                while True:
                    memory.append(relay.memory())
                    await asyncio.sleep(0.1)

            measuring = asyncio.create_task(measure())
            writer = Writer(database, accounts, seed=SEED, sizes=(1, 100, 200))
            while writer.committed < BACKLOG:
                await writer.write()

            async def tried_for_an_hour() -> bool:
                relay.check()
                return relay.tally()["s"] >= HOUR

            await until(tried_for_an_hour)
            waiting = await count(database, OUTBOX)
            tally = relay.tally()
            backlog_memory = max(memory)

            await asyncio.to_thread(rabbitmq.start)

            async def drained() -> bool:
                relay.check()
                return not await count(database, OUTBOX)

            await until(drained)
            measuring.cancel()
            await asyncio.to_thread(relay.stop)
            left = await messages_in(rabbitmq.url, QUEUE, UNROUTED)
            published = await ids_in(rabbitmq.url, QUEUE, left[QUEUE])
    report(
        seconds=round(time.monotonic() - began),
        events=writer.committed,
        published_again=left[QUEUE] - writer.committed,
        tries=tally["p"],
        simulated_seconds=tally["s"],
        megabytes_at_first=round(at_first, 1),
        megabytes_with_backlog=round(backlog_memory, 1),
        megabytes_at_most=round(max(memory), 1),
    )
    assert not writer.failures
    assert waiting == writer.committed >= BACKLOG
    # What a slow broker confirms too late for this relay is published again, as it was.
    assert len(published) == writer.committed
    assert left[UNROUTED] == 0
    assert max(memory) - at_first < MEGABYTES
    # Pauses grow to 30 seconds, and each is half as long at least.
    assert tally["s"] / 30 < tally["p"] < tally["s"] / 15 + 20


class _HeldPublisher:
    """A bus that takes its first batch when it is told to."""

    def __init__(self) -> None:
        self.numbers: list[tuple[str | None, int]] = []
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        self.asked.set()
        await self.go.wait()
        for message in messages:
            event = REGISTRY.parse(message.body)
            assert isinstance(event, AccountStepped)
            self.numbers.append((message.aggregate_id, event.payload.number))
        return [None] * len(messages)


async def test_a_late_commit_is_not_overtaken_by_its_successor(
    postgresql: PrivatePostgreSQL,
) -> None:
    """Another account's event, of a position between, was published meanwhile.

    The clock stands: all of it happens between two looks from further back.
    """
    async with asyncio.timeout(LIMIT), opened(postgresql.url) as database:
        await make_tables(database, account_ids(1))
        outbox, bus = Outbox(OUTBOX), _HeldPublisher()
        late, other = await two_of_a_partition(database, outbox)
        written, go = threading.Event(), threading.Event()

        def commit_late() -> None:
            with database.sync_session() as session:
                outbox.add(session, step(late, 1))

                @sqlalchemy.event.listens_for(session, "before_commit")
                def stall(_: object) -> None:
                    written.set()
                    go.wait()

        committing = asyncio.create_task(asyncio.to_thread(commit_late))
        await asyncio.to_thread(written.wait)  # it has its position
        async with database.session() as session:
            outbox.add(session, step(other, 1))
        async with OutboxRelay(outbox, database, bus, clock=lambda: 0.0):
            await bus.asked.wait()
            go.set()
            await committing
            async with database.session() as session:
                outbox.add(session, step(late, 2))
            bus.go.set()

            async def published() -> bool:
                return len(bus.numbers) == 3

            await until(published)

    assert [n for account, n in bus.numbers if account == str(late)] == [1, 2]


async def two_of_a_partition(database: Database, outbox: Outbox) -> tuple[UUID, UUID]:
    """Return two accounts whose events the relay takes together."""
    accounts = account_ids(100)
    async with database.session() as session:
        outbox.add(session, *(step(account, 1) for account in accounts))
    async with database.session() as session:
        columns = OUTBOX.c.partition, OUTBOX.c.aggregateid
        found = (await session.execute(sqlalchemy.select(*columns))).all()
        await session.execute(sqlalchemy.delete(OUTBOX))
    places = Counter(partition for partition, _ in found)
    [(place, _)] = places.most_common(1)
    first, second, *_ = (UUID(one) for partition, one in found if partition == place)
    return first, second
