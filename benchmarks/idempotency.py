"""What an Idempotency-Key costs a POST: the first request with it, and a repetition.

The endpoint inserts one row and commits, in FastAPI with the kernel's session, on a
file of SQLite and on PostgreSQL. Time on the wall, one request after the other, the
application called without a server between: two transactions beside one are round
trips and waits for the disk more than CPU. The floor is what one writes by hand, a
unique key in the transaction of the work: it knows no reply and no other body, and
keeps whoever comes second waiting on a lock. Needs a PostgreSQL: TEST_DATABASE_URL.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, insert
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks import _harness as harness
from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.dependencies import get_db_dependency
from shared.idempotency import IdempotencyStore, idempotency_table
from shared.idempotency.dependencies import IdempotentRoute, idempotent
from shared.testing.databases import postgresql_database, sqlite_database

METADATA = MetaData()
KEYS = idempotency_table(METADATA)
ORDERS = Table(
    "orders",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("sku", String, nullable=False),
)
SEEN = Table("seen", METADATA, Column("key", String, primary_key=True))

BASE = "no key"
REPETITION = "kernel, repetition"
BODY = b'{"sku": "book"}'
REQUESTS = 40

Send = Callable[[str, str], Awaitable[tuple[int, bytes]]]


class Order(BaseModel):
    """What is posted."""

    sku: str


def application(database: Database) -> FastAPI:
    """The same endpoint three times."""
    get_db = get_db_dependency(database)

    async def caller() -> str:
        return "user-1"

    async def place(db: AsyncSession, order: Order) -> dict[str, str]:
        await db.execute(insert(ORDERS).values(sku=order.sku))
        return {"sku": order.sku}

    router = APIRouter(route_class=IdempotentRoute)
    once = Depends(idempotent(IdempotencyStore(KEYS), get_db, caller))
    app = FastAPI()

    # Not Annotated: with the annotations of this file being text, FastAPI would look
    # for get_db in the module.
    @app.post("/plain")
    async def plain(
        order: Order,
        db: AsyncSession = Depends(get_db),  # noqa: B008
    ) -> dict[str, str]:
        return await place(db, order)

    @app.post("/unique")
    async def unique(
        order: Order,
        idempotency_key: Annotated[str, Header()],
        db: AsyncSession = Depends(get_db),  # noqa: B008
    ) -> dict[str, str]:
        await db.execute(insert(SEEN).values(key=idempotency_key))
        return await place(db, order)

    @router.post("/once", dependencies=[once])
    async def kernel(
        order: Order,
        db: AsyncSession = Depends(get_db),  # noqa: B008
    ) -> dict[str, str]:
        return await place(db, order)

    app.include_router(router)
    return app


def sender(app: FastAPI) -> Send:
    """Call the application as a server does."""

    async def send_request(path: str, key: str) -> tuple[int, bytes]:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": BODY, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [
                (b"content-type", b"application/json"),
                (b"idempotency-key", key.encode()),
            ],
        }
        await app(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    return send_request


async def on(url: str, rounds: int) -> tuple[harness.Samples, harness.Samples]:
    """Milliseconds a request on the wall and of CPU, in a new order each round."""
    database = Database(DatabaseConfig(url=url), service_name="benchmark")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    try:
        return await measure(sender(application(database)), rounds)
    finally:
        await database.dispose()


async def measure(send: Send, rounds: int) -> tuple[harness.Samples, harness.Samples]:
    """Do the rounds, so short that a neighbour disturbs all rows alike."""
    numbers = itertools.count()
    await send("/once", "known")

    async def fresh(path: str) -> None:
        check(await send(path, f"key-{next(numbers)}"))

    async def repetition() -> None:
        check(await send("/once", "known"))

    rows: dict[str, Callable[[], Awaitable[None]]] = {
        BASE: lambda: fresh("/plain"),
        "kernel, first request": lambda: fresh("/once"),
        REPETITION: repetition,
        "floor: a unique key by hand": lambda: fresh("/unique"),
    }
    wall: harness.Samples = {name: [] for name in rows}
    cpu: harness.Samples = {name: [] for name in rows}
    order = list(rows)
    shuffle = random.Random(1).shuffle
    for name in order:
        await many(rows[name], 20)
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            slept, worked = await many(rows[name], REQUESTS)
            wall[name].append(slept)
            cpu[name].append(worked)
    return wall, cpu


def check(reply: tuple[int, bytes]) -> None:
    """Exit unless the order was placed."""
    if reply != (200, b'{"sku":"book"}'):
        raise SystemExit(f"answered {reply}")


async def many(
    request: Callable[[], Awaitable[None]], count: int
) -> tuple[float, float]:
    """Milliseconds of wall and of CPU, SQLite's thread included, for each request."""
    gc.collect()
    start, busy = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(count):
        await request()
    wall = time.perf_counter_ns() - start
    return wall / count / 1e6, (time.process_time_ns() - busy) / count / 1e6


def main() -> None:
    """Measure on both, and print."""
    options = harness.parse(__doc__ or "", rounds=41)
    samples: dict[str, harness.Samples] = {}
    for name, temporary, driver in (
        ("SQLite", sqlite_database, "aiosqlite"),
        ("PostgreSQL", postgresql_database, "asyncpg"),
    ):
        with temporary() as url:
            wall, cpu = asyncio.run(on(url, options.rounds))
        samples |= {name: wall, f"{name}, CPU": cpu}
        more = {"ms CPU": harness.medians(cpu)}
        body = harness.table(wall, BASE, unit="ms a request, wall", more=more)
        title = f"Idempotent POST, {name}"
        harness.report(title, body, "fastapi", "sqlalchemy", driver)
    harness.save(options.json, samples)


if __name__ == "__main__":
    main()
