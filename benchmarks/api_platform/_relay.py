"""The kernel's relay and nothing else: what a worker is measured against.

    python -m benchmarks.api_platform._relay URL-of-the-database URL-of-the-broker

It says that it listens, on no port, when it is connected to the broker.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from sqlalchemy import MetaData

from shared.config import DatabaseConfig
from shared.database import Database
from shared.messaging.outbox import Outbox, OutboxRelay, outbox_table
from shared.messaging.rabbitmq import RabbitMQBus


async def relay(postgresql: str, rabbitmq: str) -> None:
    """Relay until a signal."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    config = DatabaseConfig.model_validate({"url": postgresql})
    database = Database(config, service_name="benchmark")
    outbox = Outbox(outbox_table(MetaData()))
    async with (
        RabbitMQBus("benchmark", rabbitmq) as bus,
        OutboxRelay(outbox, database, bus),
    ):
        print("listening on http://127.0.0.1:0", flush=True)
        await stopping.wait()
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(relay(*sys.argv[1:]))
