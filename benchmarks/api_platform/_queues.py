"""Queues of the broker, as the benchmarks look at them: one connection a look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import aiormq

EXCHANGE: Final = "creativeflow.events"
COUNTING: Final = "benchmark"
OF_WORKERS: Final = "api-platform.webhooks"


def count_events(url: str, types: Sequence[str]) -> None:
    """Declare a queue, as durable as those of services, that gets all of *types*."""

    async def declare() -> None:
        async with aiormq.Connection(url) as connection:
            channel = await connection.channel()
            await channel.queue_declare(
                COUNTING, durable=True, arguments={"x-queue-type": "quorum"}
            )
            for each in types:
                await channel.queue_bind(COUNTING, EXCHANGE, each)

    asyncio.run(declare())


def purge(url: str, queue: str) -> int:
    """Empty a queue; how many messages it had."""

    async def purged() -> int:
        async with aiormq.Connection(url) as connection:
            channel = await connection.channel()
            return (await channel.queue_purge(queue)).message_count or 0

    return asyncio.run(purged())
