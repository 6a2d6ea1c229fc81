"""A broker that is not there is our error, and no reason not to start."""

import asyncio

from shared.messaging import BrokerUnavailableException
from shared.messaging.rabbitmq import RabbitMQBus


async def main() -> str:
    """Ask port 1, where nobody listens."""
    async with RabbitMQBus("smoke", "amqp://127.0.0.1:1/", connect_timeout=0.2) as bus:
        try:
            await bus.check()
        except BrokerUnavailableException as error:
            return error.code
    return "it is there"


assert asyncio.run(main()) == "service_unavailable"
