"""Cost of the transactional outbox: adding to it, and relaying from it to RabbitMQ.

Adding: a transaction that writes one row of the service's own, without and with an
event in the outbox; the baseline is the same session and the same row without.

Relaying: rows are there, and are published, confirmed, to a quorum queue. The baseline
is a relay as people write it by hand: `SELECT ... FOR UPDATE SKIP LOCKED`, aio-pika's
`publish` gathered, `DELETE`, a hundred rows in a transaction. A round ends when the
table is empty; the queue must hold all rows.

Memory: how much a relay, in a process of its own, grows while it drains 100,000 rows.

Scale: what an event costs to drain from 1,000 to 1,000,000 rows, as a table and drawn
to outbox_scale.png beside this file. Needs the programs of PostgreSQL and RabbitMQ: it
starts servers.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import aio_pika
import asyncpg  # type: ignore[import-untyped]
import matplotlib.pyplot as plt
import psycopg
from sqlalchemy import LargeBinary, MetaData, String, Uuid, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from benchmarks import _brokers as brokers
from benchmarks import _harness as harness
from benchmarks._brokers import BODY, EVENT, EXCHANGE, TYPE, AtLeast
from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.messaging import OutgoingMessage
from shared.messaging.outbox import Outbox, OutboxRelay, outbox_table
from shared.messaging.rabbitmq import RabbitMQBus
from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ
from shared.utils import uuid7

QUEUE = "benchmark"
ADD_BASE = "no outbox"
RELAY_BASE = "by hand, 100 rows"

Insert = Callable[[AsyncSession], Awaitable[Any]]


class _Base(Base):
    __abstract__ = True
    metadata = MetaData()


class Order(_Base):
    """What the service writes for itself."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(String(200))


class Plain(_Base):
    """An outbox as people write it by hand."""

    __tablename__ = "plain_outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[Any] = mapped_column(Uuid)
    topic: Mapped[str] = mapped_column(String(100))
    payload: Mapped[bytes] = mapped_column(LargeBinary)


def plain_row() -> dict[str, Any]:
    """One event for it."""
    return {"event_id": uuid7(), "topic": TYPE, "payload": BODY}


async def nothing(session: AsyncSession) -> None:
    """The baseline."""


async def as_object(session: AsyncSession) -> None:
    """An object of the ORM."""
    session.add(Plain(**plain_row()))


OUTBOX = Outbox(outbox_table(_Base.metadata))


async def with_kernel(session: AsyncSession) -> None:
    """Ours, which writes at the commit."""
    OUTBOX.add(session, EVENT)


_INSERT = insert(Plain.__table__)  # type: ignore[arg-type]


async def as_statement(session: AsyncSession) -> None:
    """A statement of Core, made once."""
    await session.execute(_INSERT, plain_row())


def adding(database: Database, add: Insert) -> brokers.Run:
    """So many transactions, one after the other."""

    async def run(count: int) -> None:
        for _ in range(count):
            async with database.session() as session:
                session.add(Order(note="x" * 200))
                await add(session)

    return run


TAKE = (
    "SELECT id, event_id, topic, payload FROM plain_outbox"
    " ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
)
DONE = "DELETE FROM plain_outbox WHERE id = ANY($1::bigint[])"


class Relays(Protocol):
    """Something that drains an outbox."""

    async def open(self) -> None:
        """Connect."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...

    async def drain(
        self, count: int, size: int, workers: int, began: Callable[[], object]
    ) -> None:
        """Publish what is there, all of it.

        Args:
            count: How many rows there are.
            size: How many a relay takes at a time.
            workers: How many relays.
            began: Called before the first is published.
        """
        ...


class ByHand:
    """The relay that the kernel's is compared with."""

    def __init__(self, postgresql: str, rabbitmq: str) -> None:
        self._postgresql, self._rabbitmq = postgresql, rabbitmq

    async def open(self) -> None:
        """Connect for two workers."""
        self._databases = [await asyncpg.connect(self._postgresql) for _ in range(2)]
        self._connection = await aio_pika.connect(self._rabbitmq)
        channels = [await self._connection.channel() for _ in range(2)]
        self._exchanges = [
            await channel.get_exchange(EXCHANGE, ensure=False) for channel in channels
        ]

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()
        for database in self._databases:
            await database.close()

    async def drain(
        self, count: int, size: int, workers: int, began: Callable[[], object]
    ) -> None:
        """See `Relays`."""
        await asyncio.gather(*(self._work(n, size, began) for n in range(workers)))

    async def _work(self, number: int, size: int, began: Callable[[], object]) -> None:
        database, exchange = self._databases[number], self._exchanges[number]
        while True:
            async with database.transaction():
                rows = await database.fetch(TAKE, size)
                if not rows:
                    return
                began()
                await asyncio.gather(*(self._publish(exchange, row) for row in rows))
                await database.execute(DONE, [row["id"] for row in rows])

    async def _publish(self, exchange: Any, row: Any) -> None:
        message = aio_pika.Message(
            row["payload"],
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(row["event_id"]),
        )
        await exchange.publish(message, row["topic"])


class Counting:
    """Stands before the bus, and knows when all is published."""

    def __init__(
        self, bus: RabbitMQBus, count: int, began: Callable[[], object]
    ) -> None:
        self._bus, self._left, self._began = bus, count, began
        self.done = asyncio.Event()

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """See `EventBus.publish_messages`."""
        self._began()
        results = await self._bus.publish_messages(messages)
        self._left -= results.count(None)
        if self._left <= 0:
            self.done.set()
        return results


class Kernel:
    """Ours."""

    def __init__(self, postgresql: str, rabbitmq: str) -> None:
        self._database = database_at(postgresql)
        self._bus = RabbitMQBus("benchmark", rabbitmq)

    async def open(self) -> None:
        """Connect the bus; relays connect themselves."""
        await self._bus.start()

    async def close(self) -> None:
        """Hang up."""
        await self._bus.stop()
        await self._database.dispose()

    async def drain(
        self, count: int, size: int, workers: int, began: Callable[[], object]
    ) -> None:
        """See `Relays`."""
        bus = Counting(self._bus, count, began)
        relays = [
            OutboxRelay(OUTBOX, self._database, bus, batch=size) for _ in range(workers)
        ]
        for relay in relays:
            await relay.start()
        async with asyncio.timeout(60 + count / 500):
            await bus.done.wait()
        for relay in relays:
            await relay.stop()  # when the rows are deleted, too


def database_at(url: str) -> Database:
    """As a service has it."""
    config = DatabaseConfig.model_validate({"url": url})
    return Database(config, service_name="benchmark")


KINDS: dict[str, Callable[[str, str], Relays]] = {"by hand": ByHand, "kernel": Kernel}


class Drained(NamedTuple):
    """What it took."""

    wall: float
    """Seconds from the first publish to the empty table."""
    cpu: float
    """Seconds of the relay's process meanwhile."""
    grown: float
    """MiB of resident memory at the most, over what it had before."""


def work(pipe: Connection, kind: str, postgresql: str, rabbitmq: str) -> None:
    """A relay in a process of its own: drain as often as told."""

    async def drain(relays: Relays, count: int, size: int) -> Drained:
        before = most = harness.resident()
        began: list[tuple[float, float]] = []

        def begin() -> None:
            if not began:
                began.append((time.perf_counter(), time.process_time()))

        async def watch() -> None:
            nonlocal most
            while True:
                await asyncio.sleep(0.05)
                most = max(most, harness.resident())

        watching = asyncio.create_task(watch())
        await relays.drain(count, size, 1, begin)
        wall, cpu = time.perf_counter(), time.process_time()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return Drained(wall - began[0][0], cpu - began[0][1], most - before)

    async def obey() -> None:
        relays = KINDS[kind](postgresql, rabbitmq)
        await relays.open()
        # In a thread, for the event loop to answer the broker's heartbeats.
        while (task := await asyncio.to_thread(pipe.recv)) is not None:
            pipe.send(await drain(relays, *task))
        await relays.close()

    with brokers.runner() as run:
        run.run(obey())


class Worker:
    """A relay in a process of its own, seen from here."""

    def __init__(self, kind: str, postgresql: str, rabbitmq: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, kind, postgresql, rabbitmq), daemon=True
        )
        self._process.start()

    def drain(self, count: int, size: int, raw: brokers.RawAMQP) -> Drained:
        """Let it drain, and empty the queue meanwhile.

        The broker would keep a million messages, and slow down by that.
        """
        self._pipe.send((count, size))
        there = 0
        while not self._pipe.poll(0.5):
            there += raw.purge(QUEUE)
        there += raw.purge(QUEUE)
        if there != count:
            raise SystemExit(f"A relay published {there} of {count}.")
        drained: Drained = self._pipe.recv()
        return drained

    def close(self) -> None:
        """End it."""
        self._pipe.send(None)
        self._process.join()


Row = tuple[str, int, int]  # which kind, rows in a transaction, relays
RELAYS: dict[str, Row] = {
    "by hand, 10 rows": ("by hand", 10, 1),
    RELAY_BASE: ("by hand", 100, 1),
    "by hand, 1000 rows": ("by hand", 1000, 1),
    "by hand, 100 rows, 2 relays": ("by hand", 100, 2),
    "kernel, 10 rows": ("kernel", 10, 1),
    "kernel, 100 rows": ("kernel", 100, 1),
    "kernel, 1000 rows": ("kernel", 1000, 1),
    "kernel, 100 rows, 2 relays": ("kernel", 100, 2),
}
ADD_GOALS = [AtLeast("kernel, outbox.add", 0.78)]
RELAY_GOALS = [
    AtLeast("kernel, 10 rows", 0.9),
    AtLeast("kernel, 100 rows", 1.8, cpu=25),
]
LARGE = 100_000
SCALES = (1_000, 10_000, 100_000, 1_000_000)
# A small backlog is measured by fewer events; the largest takes a minute or more, and
# by hand twice as long, for which it is left out.
REPEATED = {1_000: 9, 10_000: 3, 100_000: 1, 1_000_000: 1}
UP_TO = {"by hand": 100_000, "kernel": 1_000_000}
SCALE_GOAL = 1.2
PICTURE = Path(__file__).with_name("outbox_scale.png")


class Servers:
    """The servers of the run, and what is done to them between the rounds."""

    def __init__(self, postgresql: str, rabbitmq: str) -> None:
        self.postgresql, self.rabbitmq = postgresql, rabbitmq
        self.database = database_at(postgresql)
        _Base.metadata.create_all(self.database.sync_engine)
        self.raw = brokers.RawAMQP(rabbitmq)
        with brokers.runner() as run:
            run.run(_declare(rabbitmq))
        self.raw.queue(QUEUE, TYPE)
        self._own = psycopg.connect(postgresql, autocommit=True)
        with self.database.sync_session() as session:
            OUTBOX.add(session, EVENT)
        self._own.execute("CREATE TABLE model AS SELECT * FROM outbox")

    def fill(self, kind: str, count: int) -> None:
        """Put rows into an outbox that is empty."""
        self._own.execute(f"TRUNCATE {TABLES[kind]}")
        with self._own.cursor() as cursor:
            FILLS[kind](cursor, count)
        # As autovacuum would have done long before there are so many.
        self._own.execute(f"VACUUM (ANALYZE) {TABLES[kind]}")
        self._own.execute("CHECKPOINT")

    def left(self, kind: str) -> int:
        """How many rows there are."""
        count = f"SELECT count(*) FROM {TABLES[kind]}"  # noqa: S608 - names of ours
        row = self._own.execute(count).fetchone()
        return int(row[0]) if row else 0

    def clean(self) -> None:
        """Let each round find tables of the same size."""
        names = ", ".join([Order.__tablename__, *TABLES.values()])
        self._own.execute(f"TRUNCATE {names}")
        self._own.execute("CHECKPOINT")

    def close(self) -> None:
        """Hang up."""
        self.raw.close()
        self._own.close()


async def _declare(rabbitmq: str) -> None:
    """Let there be the exchange, as the kernel makes it."""
    async with RabbitMQBus("benchmark", rabbitmq):
        pass


def fill_plain(cursor: psycopg.Cursor[Any], count: int) -> None:
    """Rows of the outbox by hand."""
    cursor.execute(
        "INSERT INTO plain_outbox (event_id, topic, payload)"
        " SELECT gen_random_uuid(), %s, %s FROM generate_series(1, %s)",
        (TYPE, BODY, count),
    )


def fill_kernel(cursor: psycopg.Cursor[Any], count: int) -> None:
    """Copies of a row that the kernel wrote, each of an aggregate of its own."""
    cursor.execute(
        "INSERT INTO outbox (id, partition, aggregatetype, aggregateid, type, payload,"
        " content_type, headers, occurred_at, created_at)"
        " SELECT gen_random_uuid(), mod(number, 16), aggregatetype, gen_random_uuid(),"
        " type, payload, content_type, headers, occurred_at, created_at"
        " FROM model, generate_series(1, %s) AS number",
        (count,),
    )


TABLES = {"by hand": Plain.__tablename__, "kernel": OUTBOX.table.name}
FILLS = {"by hand": fill_plain, "kernel": fill_kernel}


def added(run: asyncio.Runner, servers: Servers, rounds: int) -> brokers.Rates:
    """Adding to an outbox."""
    rows = {
        ADD_BASE: nothing,
        "an object of the ORM": as_object,
        "a statement of Core": as_statement,
        "kernel, outbox.add": with_kernel,
    }
    found = brokers.measure(
        {
            name: brokers.timed(run, adding(servers.database, add))
            for name, add in rows.items()
        },
        rounds,
        before=lambda name, count: servers.clean(),
        warm=100,
    )
    run.run(servers.database.dispose())
    return found


def relayed(run: asyncio.Runner, servers: Servers, rounds: int) -> brokers.Rates:
    """Relaying from it."""
    kinds = {
        kind: make(servers.postgresql, servers.rabbitmq) for kind, make in KINDS.items()
    }
    for relays in kinds.values():
        run.run(relays.open())

    def timed(
        kind: str, size: int, workers: int
    ) -> Callable[[int], tuple[float, float]]:
        async def drain(count: int) -> None:
            await kinds[kind].drain(count, size, workers, lambda: None)

        return brokers.timed(run, drain)

    def check(name: str, count: int) -> None:
        there, left = servers.raw.purge(QUEUE), servers.left(RELAYS[name][0])
        if (there, left) != (count, 0):
            raise SystemExit(f"{name} published {there} of {count}, and left {left}.")

    found = brokers.measure(
        {name: timed(*row) for name, row in RELAYS.items()},
        rounds,
        before=lambda name, count: servers.fill(RELAYS[name][0], count),
        after=check,
        seconds=0.5,
        warm=1000,
        multiple=1000,
        least=2000,
    )
    for relays in kinds.values():
        run.run(relays.close())
    return found


def large(servers: Servers) -> dict[str, Drained]:
    """Memory of a relay that drains a large backlog, after a small one."""
    found = {}
    for kind in KINDS:
        worker = Worker(kind, servers.postgresql, servers.rabbitmq)
        for count in (1000, LARGE):
            servers.fill(kind, count)
            found[kind] = worker.drain(count, 100, servers.raw)
        worker.close()
    return found


Costs = dict[str, dict[int, list[Drained]]]


def scaled(servers: Servers) -> Costs:
    """What an event costs to drain from how many."""
    workers = {
        kind: Worker(kind, servers.postgresql, servers.rabbitmq) for kind in KINDS
    }
    found: Costs = {
        kind: {count: [] for count in SCALES if count <= UP_TO[kind]} for kind in KINDS
    }
    tasks = [
        (kind, count)
        for kind, counts in found.items()
        for count in counts
        for _ in range(REPEATED[count])
    ]
    random.Random(1).shuffle(tasks)
    tasks.sort(key=lambda task: task[1] == SCALES[-1])  # last, since it leaves most
    for kind in KINDS:
        servers.fill(kind, 2000)
        workers[kind].drain(2000, 100, servers.raw)  # warm
    for kind, count in tasks:
        servers.fill(kind, count)
        gc.collect()
        found[kind][count].append(workers[kind].drain(count, 100, servers.raw))
    for worker in workers.values():
        worker.close()
    return found


def costs(found: Costs, what: str) -> dict[str, dict[int, list[float]]]:
    """Microseconds an event: of the wall, or of the relay's CPU."""
    return {
        kind: {
            count: [getattr(drained, what) / count * 1e6 for drained in values]
            for count, values in by_count.items()
        }
        for kind, by_count in found.items()
    }


def scale_table(found: Costs) -> str:
    """Markdown: a row for each backlog."""
    heads = ["backlog"]
    for kind in found:
        heads += [f"{kind}: µs an event", "ratio to 1,000", "CPU µs", "ratio to 1,000"]
    lines = [
        "| " + " | ".join([*heads, "goal"]) + " |",
        "| ---: " * (len(heads) + 1) + "|",
    ]
    for count in SCALES:
        cells = [f"{count:,}"]
        ratio = 1.0
        for kind in found:
            for what in ("wall", "cpu"):
                samples = costs(found, what)[kind]
                if count not in samples:
                    cells += ["", ""]
                    continue
                middle = statistics.median(samples[count])
                ratio = middle / statistics.median(samples[SCALES[0]])
                cells += [harness.short(middle), f"{ratio:.2f}"]
        cells.append(scale_verdict(found) if count == SCALES[-1] else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scale_verdict(found: Costs) -> str:
    """Of the kernel's time, from the smallest to the largest backlog."""
    samples = costs(found, "wall")["kernel"]
    small, large = (statistics.median(samples[SCALES[n]]) for n in (0, -1))
    return harness.verdict(large / small, SCALE_GOAL)


def draw(found: Costs, path: Path) -> None:
    """The same as a picture: medians, and what was smallest and largest."""
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    titles = {
        "wall": "Time, from the first publish to the empty table",
        "cpu": "CPU time of the relay's process",
    }
    for panel, (what, title) in zip(panels, titles.items(), strict=True):
        for (kind, samples), marker in zip(
            costs(found, what).items(), "so", strict=True
        ):
            counts = list(samples)
            middles = [statistics.median(values) for values in samples.values()]
            spread = (
                [m - min(v) for m, v in zip(middles, samples.values(), strict=True)],
                [max(v) - m for m, v in zip(middles, samples.values(), strict=True)],
            )
            drawn = panel.errorbar(
                counts, middles, spread, marker=marker, capsize=4, label=kind
            )
            for count, middle in zip(counts, middles, strict=True):
                panel.annotate(
                    harness.short(middle),
                    (count, middle),
                    textcoords="offset points",
                    xytext=(6, -14 if kind == "kernel" else 7),
                )
            if kind == "kernel":
                panel.axhline(
                    middles[0] * SCALE_GOAL,
                    color=drawn.lines[0].get_color(),
                    linestyle=":",
                    label=f"kernel, {SCALE_GOAL} of that at {SCALES[0]:,}",
                )
        panel.set_xscale("log")
        panel.set_xticks(SCALES, [f"{count:,}" for count in SCALES])
        panel.set_xlim(SCALES[0] / 1.6, SCALES[-1] * 2.2)
        panel.minorticks_off()
        panel.set_ylim(bottom=0)
        panel.set_xlabel("events in the outbox at the beginning")
        panel.set_ylabel("µs an event")
        panel.set_title(title)
        panel.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle("Draining an outbox: one relay, 100 events at a time")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Check, measure, print, draw; each part as soon as it is there."""
    options = harness.parse(__doc__ or "", rounds=9)
    versions = ("sqlalchemy", "asyncpg", "aio-pika", "uvloop")
    with (
        PrivatePostgreSQL() as postgresql,
        PrivateRabbitMQ() as rabbitmq,
        brokers.runner() as run,
    ):
        servers = Servers(postgresql.url, rabbitmq.url)

        adding_costs = added(run, servers, options.rounds)
        body = brokers.table(
            adding_costs,
            ADD_BASE,
            unit="transactions/s",
            goals=ADD_GOALS,
            each="transaction",
        )
        harness.report("Outbox, adding an event", body, *versions)

        relaying_costs = relayed(run, servers, options.rounds)
        body = brokers.table(
            relaying_costs, RELAY_BASE, unit="rows/s", goals=RELAY_GOALS, each="row"
        )
        harness.report("Outbox, relaying", body, *versions)

        body = memory_table(large(servers))
        harness.report(f"Outbox, memory, {LARGE:,} rows", body)

        scale = scaled(servers)
        harness.report("Outbox, scale", scale_table(scale))
        draw(scale, PICTURE)
        servers.close()
    saved = {"add": adding_costs.rate, "relay": relaying_costs.rate}
    harness.save(options.json, saved)


def memory_table(found: Mapping[str, Drained]) -> str:
    """Markdown."""
    lines = ["|  | MiB grown, at the most |", "| --- | ---: |"]
    lines += [f"| {kind} | {drained.grown:.1f} |" for kind, drained in found.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
