"""The relay, or the consumer, as a program that a test may kill.

``_kills_worker.py ROLE TALLY DATABASE_URL BROKER_URL`` says ``ready``. It ends in order
after SIGTERM.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from contextlib import AsyncExitStack
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging import FailurePolicy, current_delivery
from shared.messaging.inbox import Inbox, idempotent
from shared.messaging.outbox import Outbox, OutboxRelay
from shared.messaging.rabbitmq import RabbitMQBus
from tests.integration._kills_scene import (
    HANDLER,
    INBOX,
    OUTBOX,
    REGISTRY,
    SERVICE,
    AccountStepped,
    followed,
    open_database,
)


async def relay(
    stack: AsyncExitStack, database_url: str, broker_url: str, tally: int
) -> None:
    """Publish what is in the outbox."""
    database = open_database(database_url)
    stack.push_async_callback(database.dispose)
    bus = RabbitMQBus(SERVICE, broker_url, registry=REGISTRY)
    await stack.enter_async_context(bus)
    relay = OutboxRelay(Outbox(OUTBOX), database, bus, max_pause=2.0)
    await stack.enter_async_context(relay)


async def hurried_relay(
    stack: AsyncExitStack, database_url: str, broker_url: str, tally: int
) -> None:
    """Do the same with pauses that pass at once; tell of each, and of its seconds."""
    database = open_database(database_url)
    stack.push_async_callback(database.dispose)
    bus = RabbitMQBus(SERVICE, broker_url, registry=REGISTRY, publish_timeout=0.2)
    await stack.enter_async_context(bus)
    slept = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        os.write(tally, b"p" + b"s" * (int(slept + seconds) - int(slept)))
        slept += seconds
        await asyncio.sleep(0.01)

    relay = OutboxRelay(
        Outbox(OUTBOX),
        database,
        bus,
        clock=lambda: time.monotonic() + slept,
        sleep=sleep,
    )
    await stack.enter_async_context(relay)


async def consumer(
    stack: AsyncExitStack, database_url: str, broker_url: str, tally: int
) -> None:
    """Handle it, in order and once; tell of each delivery and what it was."""
    database = open_database(database_url)
    stack.push_async_callback(database.dispose)
    inbox = Inbox(INBOX, database)

    @idempotent(inbox)
    async def follow(event: AccountStepped, session: AsyncSession) -> bool:
        await session.execute(followed(event))
        return True

    async def tallied(event: AccountStepped) -> None:
        delivery = current_delivery()
        assert delivery is not None
        os.write(tally, b"r" if delivery.redelivered else b"d")
        if delivery.attempt > 1:
            os.write(tally, b"a")
        if await follow(event) is None:
            os.write(tally, b"s")

    bus = RabbitMQBus(SERVICE, broker_url, registry=REGISTRY)
    bus.subscribe(
        AccountStepped,
        tallied,
        name=HANDLER,
        ordered=True,
        # For as long as a database is away, and often: a test has no minutes to wait.
        policy=FailurePolicy(
            immediate_retries=1, delays=(0.5,) * 10 + (2.0,) * 30, timeout=10.0
        ),
    )
    await stack.enter_async_context(bus)


ROLES: Final = {
    "relay": relay,
    "hurried_relay": hurried_relay,
    "consumer": consumer,
}


def _end_with_parent(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(ended.set)


async def main(role: str, tally_path: str, database_url: str, broker_url: str) -> None:
    """Run until SIGTERM, or until the test is gone."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    threading.Thread(target=_end_with_parent, args=(loop, ended), daemon=True).start()
    tally = os.open(tally_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    async with AsyncExitStack() as stack:
        await ROLES[role](stack, database_url, broker_url, tally)
        print("ready", flush=True)  # noqa: T201 - the test waits for it
        await ended.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("shared.messaging").setLevel(logging.WARNING)
    asyncio.run(main(*sys.argv[1:]))
