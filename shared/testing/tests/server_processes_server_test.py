from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import aio_pika
import psycopg
import pytest
from aio_pika.abc import DeliveryMode

from shared.testing.server_processes import (
    PrivatePostgreSQL,
    PrivateRabbitMQ,
)

Server = PrivatePostgreSQL | PrivateRabbitMQ
each = pytest.mark.parametrize("kind", [PrivatePostgreSQL, PrivateRabbitMQ])


@pytest.fixture(scope="module")
def database() -> Iterator[PrivatePostgreSQL]:
    """Give one for all tests here; each leaves it running."""
    with PrivatePostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def broker() -> Iterator[PrivateRabbitMQ]:
    """Give one for all tests here; each leaves it running."""
    with PrivateRabbitMQ() as server:
        yield server


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_committed_row_is_there_after_the_next_start(
    database: PrivatePostgreSQL, how: str
) -> None:
    """The data are those of before, and so is the address."""
    with psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (how text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [how])
    url = database.url

    getattr(database, how)()
    gone = not database.running
    database.start()

    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT 1 FROM kept WHERE how = %s", [how]).fetchall()
    assert gone
    assert rows == [(1,)]


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_confirmed_message_is_there_after_the_next_start(
    broker: PrivateRabbitMQ, how: str
) -> None:
    """A quorum queue and a classic one keep what was confirmed."""
    queues = {f"{how}-quorum": "quorum", f"{how}-classic": "classic"}
    connection = await aio_pika.connect(broker.url)
    channel = await connection.channel()
    for name, kind in queues.items():
        await channel.declare_queue(
            name, durable=True, arguments={"x-queue-type": kind}
        )
        await channel.default_exchange.publish(
            aio_pika.Message(name.encode(), delivery_mode=DeliveryMode.PERSISTENT), name
        )
    url = broker.url

    await asyncio.to_thread(getattr(broker, how))
    gone = not broker.running
    with suppress(aio_pika.exceptions.AMQPError, ConnectionError):
        await connection.close()
    await asyncio.to_thread(broker.start)

    kept = {}
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in queues:
            queue = await channel.get_queue(name)
            kept[name] = (await queue.get(timeout=30)).body.decode()
    assert gone
    assert kept == {name: name for name in queues}
