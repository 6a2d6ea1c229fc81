"""What a repository costs over SQLAlchemy Core written by hand: get, list, insert.

Each operation is a transaction of its own, as a request has it: begin, one statement,
commit, on a file of SQLite and on PostgreSQL. The baseline is Core as it is usually
written, a statement made at each call; the floor has them made once. Core returns
tuples, the others objects that know what changes. Costs are CPU time of this process,
with the thread that aiosqlite works in, without the server. Needs a PostgreSQL:
TEST_DATABASE_URL.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy import MetaData, String, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from benchmarks import _harness as harness
from shared.config import DatabaseConfig
from shared.database import (
    Base,
    BaseRepository,
    Database,
    SyncRepository,
    TimestampMixin,
    UUIDKeyMixin,
    VersionMixin,
    utc_now,
)
from shared.testing.databases import postgresql_database, sqlite_database
from shared.utils import uuid7

BASE = "Core, by hand"
PREPARED = "floor: Core, statements made once"
PLAIN = "plain ORM session"
KERNEL = "kernel"
BULK = "kernel, insert_many"
GOALS = [harness.Goal(KERNEL, 1.5), harness.Goal(BULK, 1.5)]
MANY = 100
LIMIT = 50

Loops = Mapping[str, Callable[[], Any]]
AsyncLoops = Mapping[str, Callable[[], Awaitable[Any]]]


class _Base(Base):
    __abstract__ = True
    metadata = MetaData()


class Subject(UUIDKeyMixin, TimestampMixin, VersionMixin, _Base):
    """Six columns, two of them times."""

    __tablename__ = "subject"

    name: Mapped[str] = mapped_column(String(80), index=True)
    level: Mapped[int]


TABLE: Any = Subject.__table__
ORDER = (Subject.name, Subject.id)
GET = select(TABLE).where(TABLE.c.id == bindparam("key"))
LIST = select(TABLE).order_by(TABLE.c.name, TABLE.c.id).limit(bindparam("rows"))
INSERT = insert(TABLE)


def values() -> dict[str, Any]:
    """One new row for Core, which sorts behind the others."""
    now = utc_now()
    return {
        "id": uuid7(),
        "name": "Zoology",
        "level": 1,
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }


def subject() -> Subject:
    """The same for the ORM."""
    return Subject(name="Zoology", level=1)


def sync_rows(database: Database, key: object) -> dict[str, Loops]:
    """The operations over the synchronous driver."""
    engine = database.sync_engine

    def core(work: Callable[[Any], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with engine.begin() as connection:
                return work(connection)

        return run

    def orm(work: Callable[[Session], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                return work(session)

        return run

    def kernel(work: Callable[[SyncRepository[Subject]], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with database.sync_session() as session:
                return work(SyncRepository(session, Subject))

        return run

    return {
        "get": {
            PREPARED: core(lambda c: c.execute(GET, {"key": key}).one()),
            BASE: core(
                lambda c: c.execute(select(TABLE).where(TABLE.c.id == key)).one()
            ),
            PLAIN: orm(lambda s: s.get_one(Subject, key)),
            KERNEL: kernel(lambda r: r.get(key)),
        },
        f"list of {LIMIT}": {
            PREPARED: core(lambda c: c.execute(LIST, {"rows": LIMIT}).all()),
            BASE: core(
                lambda c: c.execute(
                    select(TABLE).order_by(TABLE.c.name, TABLE.c.id).limit(LIMIT)
                ).all()
            ),
            PLAIN: orm(
                lambda s: s.scalars(select(Subject).order_by(*ORDER).limit(LIMIT)).all()
            ),
            KERNEL: kernel(lambda r: r.list(order_by=["name"], limit=LIMIT)),
        },
        "insert": {
            PREPARED: core(lambda c: c.execute(INSERT, values())),
            BASE: core(lambda c: c.execute(insert(TABLE).values(**values()))),
            PLAIN: orm(lambda s: s.add(subject())),
            KERNEL: kernel(lambda r: r.add(subject())),
        },
        f"insert of {MANY}": {
            BASE: core(lambda c: c.execute(INSERT, [values() for _ in range(MANY)])),
            PLAIN: orm(lambda s: s.add_all([subject() for _ in range(MANY)])),
            KERNEL: kernel(lambda r: r.add_many([subject() for _ in range(MANY)])),
            BULK: kernel(lambda r: r.insert_many([values() for _ in range(MANY)])),
        },
    }


def async_rows(database: Database, key: object) -> dict[str, AsyncLoops]:
    """The operations over the asynchronous driver."""
    engine = database.engine

    def core(work: Callable[[Any], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        async def run() -> Any:
            async with engine.begin() as connection:
                return await work(connection)

        return run

    def orm(
        work: Callable[[AsyncSession], Awaitable[Any]],
    ) -> Callable[[], Awaitable[Any]]:
        async def run() -> Any:
            async with (
                AsyncSession(engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                return await work(session)

        return run

    def kernel(
        work: Callable[[BaseRepository[Subject]], Awaitable[Any]],
    ) -> Callable[[], Awaitable[Any]]:
        async def run() -> Any:
            async with database.session() as session:
                return await work(BaseRepository(session, Subject))

        return run

    async def add(session: AsyncSession, *rows: Subject) -> None:
        session.add_all(rows)

    return {
        "get": {
            PREPARED: core(lambda c: c.execute(GET, {"key": key})),
            BASE: core(lambda c: c.execute(select(TABLE).where(TABLE.c.id == key))),
            PLAIN: orm(lambda s: s.get_one(Subject, key)),
            KERNEL: kernel(lambda r: r.get(key)),
        },
        f"list of {LIMIT}": {
            PREPARED: core(lambda c: c.execute(LIST, {"rows": LIMIT})),
            BASE: core(
                lambda c: c.execute(
                    select(TABLE).order_by(TABLE.c.name, TABLE.c.id).limit(LIMIT)
                )
            ),
            PLAIN: orm(
                lambda s: s.scalars(select(Subject).order_by(*ORDER).limit(LIMIT))
            ),
            KERNEL: kernel(lambda r: r.list(order_by=["name"], limit=LIMIT)),
        },
        "insert": {
            PREPARED: core(lambda c: c.execute(INSERT, values())),
            BASE: core(lambda c: c.execute(insert(TABLE).values(**values()))),
            PLAIN: orm(lambda s: add(s, subject())),
            KERNEL: kernel(lambda r: r.add(subject())),
        },
        f"insert of {MANY}": {
            BASE: core(lambda c: c.execute(INSERT, [values() for _ in range(MANY)])),
            PLAIN: orm(lambda s: add(s, *(subject() for _ in range(MANY)))),
            KERNEL: kernel(lambda r: r.add_many([subject() for _ in range(MANY)])),
            BULK: kernel(lambda r: r.insert_many([values() for _ in range(MANY)])),
        },
    }


def measure(
    rows: Mapping[str, Callable[[int], object]], rounds: int
) -> harness.Samples:
    """As the harness does, with the CPU time of all threads."""
    samples: harness.Samples = {name: [] for name in rows}
    repeat = {}
    for name, loop in rows.items():
        loop(20)
        start = time.process_time_ns()
        loop(20)
        once = max(1.0, (time.process_time_ns() - start) / 20)
        repeat[name] = max(5, int(40e6 / once))
    order = list(rows)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            gc.collect()
            count = repeat[name]
            start = time.process_time_ns()
            rows[name](count)
            samples[name].append((time.process_time_ns() - start) / count / 1000)
    return samples


def repeated(run: Callable[[], Any]) -> Callable[[int], object]:
    """A loop of the harness."""

    def loop(count: int) -> None:
        for _ in range(count):
            run()

    return loop


def awaited(
    runner: asyncio.Runner, run: Callable[[], Awaitable[Any]]
) -> Callable[[int], object]:
    """A loop of the harness, in one event loop for all."""

    async def loop(count: int) -> None:
        for _ in range(count):
            await run()

    return lambda count: runner.run(loop(count))


def main() -> None:
    """A table for each operation, driver and database."""
    options = harness.parse(__doc__ or "", rounds=15)
    saved: dict[str, harness.Samples] = {}
    for name, opened in (
        ("SQLite", sqlite_database()),
        ("PostgreSQL", postgresql_database()),
    ):
        with opened as url, asyncio.Runner() as runner:
            database = Database(
                DatabaseConfig.model_validate({"url": url}), service_name="benchmark"
            )
            _Base.metadata.create_all(database.sync_engine)
            rows = [Subject(name=f"Subject {n}", level=n) for n in range(1000)]
            with database.sync_session() as session:
                session.add_all(rows)
            key = rows[500].id
            for operation, loops in sync_rows(database, key).items():
                title = f"Repository, {operation}, {name}"
                saved[title] = measure(
                    {row: repeated(run) for row, run in loops.items()}, options.rounds
                )
                show(title, saved[title], "psycopg")
            for operation, awaits in async_rows(database, key).items():
                title = f"Repository, {operation}, {name}, async"
                saved[title] = measure(
                    {row: awaited(runner, run) for row, run in awaits.items()},
                    options.rounds,
                )
                show(title, saved[title], "asyncpg", "aiosqlite")
            runner.run(database.dispose())
    harness.save(options.json, saved)


def show(title: str, samples: harness.Samples, *drivers: str) -> None:
    """Print one table."""
    body = harness.table(samples, BASE, unit="µs of CPU", goals=GOALS)
    harness.report(title, body, "sqlalchemy", *drivers)


if __name__ == "__main__":
    main()
