"""Cost of publishing an event to RabbitMQ: persistent, confirmed, to a quorum queue.

One at a time, each awaited, and a hundred at once. The baseline sends bytes that it
has, in aio-pika's `publish`, a hundred of them gathered; so do all rows that do not
say otherwise. The kernel's `publish` also writes the event as JSON, with headers for
correlation and schema; `publish_messages` gets what the relay of the outbox reads from
its table: bytes and headers. The floor is frames made beforehand on a blocking socket,
with up to a thousand unconfirmed. Needs RabbitMQ's programs: it starts a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import aiormq
import kombu
import pika  # type: ignore[import-untyped]
from faststream.rabbit import ExchangeType, RabbitBroker, RabbitExchange
from pamqp.commands import Basic

from benchmarks import _brokers as brokers
from benchmarks import _harness as harness
from benchmarks._brokers import (
    BODY,
    EVENT,
    EXCHANGE,
    MESSAGE,
    MESSAGE_ID,
    PLAIN,
    TYPE,
    AtLeast,
)
from shared.messaging import MessageWriter
from shared.messaging.rabbitmq import RabbitMQBus
from shared.testing.server_processes import PrivateRabbitMQ

QUEUE = "benchmark"
BATCH = 100
BASE = "aio-pika, 100 at once"
SEQUENTIAL = "aio-pika, one awaited"
KERNEL_BATCH = "kernel, publish_messages of 100"
KERNEL_ONE = "kernel, publish, one awaited"
GOALS = [AtLeast(KERNEL_BATCH, 1.8, cpu=25)]

Publish = Callable[[], Awaitable[Any]]


def awaited(publish: Publish) -> brokers.Run:
    """One after the other."""

    async def run(count: int) -> None:
        for _ in range(count):
            await publish()

    return run


def gathered(publish: Publish) -> brokers.Run:
    """A hundred at once."""

    async def run(count: int) -> None:
        for _ in range(count // BATCH):
            await asyncio.gather(*(publish() for _ in range(BATCH)))

    return run


class Peers:
    """The other clients, each with a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Peers:
        """Connect."""
        self._pika = await aio_pika.connect(self._url)
        channel = await self._pika.channel()
        self._exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        self._mq = await aiormq.connect(self._url)
        self._channel = await self._mq.channel(publisher_confirms=True)
        self._stream = RabbitBroker(self._url, logger=None)
        await self._stream.start()
        self._stream_exchange = RabbitExchange(
            EXCHANGE, type=ExchangeType.TOPIC, durable=True, declare=False
        )
        self._blocking = pika.BlockingConnection(
            pika.URLParameters(f"{self._url}?heartbeat=0")
        )
        self._blocking_channel = self._blocking.channel()
        self._blocking_channel.confirm_delivery()
        untyped: Any = kombu
        self._kombu = untyped.Connection(
            self._url.replace("amqp://", "pyamqp://"),
            transport_options={"confirm_publish": True},
            heartbeat=0,
        )
        self._producer = untyped.Producer(self._kombu.channel())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close them all."""
        self._kombu.release()
        self._blocking.close()
        await self._stream.stop()
        await self._mq.close()
        await self._pika.close()

    def rows(self) -> dict[str, brokers.Run]:
        """All of them."""
        return {
            BASE: gathered(self.aio_pika),
            SEQUENTIAL: awaited(self.aio_pika),
            "aio-pika, 100 at once, pydantic and headers": gathered(self.typed),
            "aiormq, 100 at once": gathered(self.aiormq),
            "FastStream, one awaited": awaited(self.faststream),
            "FastStream, 100 at once": gathered(self.faststream),
            "FastStream, 100 at once, pydantic": gathered(self.faststream_typed),
            "kombu, one awaited": self.kombu,
            "pika, one awaited": self.pika,
        }

    async def aio_pika(self) -> None:
        """The baseline."""
        message = aio_pika.Message(
            BODY,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=MESSAGE_ID,
        )
        await self._exchange.publish(message, TYPE)

    async def typed(self) -> None:
        """With what the kernel does beside."""
        message = aio_pika.Message(
            PLAIN.model_dump_json().encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(PLAIN.event_id),
            timestamp=PLAIN.timestamp,
            type=PLAIN.event_type,
            headers={
                "correlation_id": PLAIN.correlation_id,
                "schema_version": str(PLAIN.schema_version),
            },
        )
        await self._exchange.publish(message, TYPE)

    async def aiormq(self) -> None:
        """What aio-pika is built on."""
        properties = Basic.Properties(
            content_type="application/json", delivery_mode=2, message_id=MESSAGE_ID
        )
        await self._channel.basic_publish(
            BODY,
            exchange=EXCHANGE,
            routing_key=TYPE,
            properties=properties,
            mandatory=True,
        )

    async def faststream(self) -> None:
        """Bytes, over FastStream."""
        await self._stream.publish(
            BODY,
            exchange=self._stream_exchange,
            routing_key=TYPE,
            persist=True,
            content_type="application/json",
            message_id=MESSAGE_ID,
        )

    async def faststream_typed(self) -> None:
        """A model, which FastStream writes."""
        await self._stream.publish(
            PLAIN,
            exchange=self._stream_exchange,
            routing_key=TYPE,
            persist=True,
            message_id=MESSAGE_ID,
        )

    def kombu(self, count: int) -> None:
        """Blocking; each waits for its confirmation."""
        for _ in range(count):
            self._producer.publish(
                BODY,
                exchange=EXCHANGE,
                routing_key=TYPE,
                delivery_mode=2,
                content_type="application/json",
                content_encoding="utf-8",
                message_id=MESSAGE_ID,
                mandatory=True,
            )

    def pika(self, count: int) -> None:
        """Blocking; each waits for its confirmation."""
        properties = pika.BasicProperties(
            content_type="application/json", delivery_mode=2, message_id=MESSAGE_ID
        )
        for _ in range(count):
            self._blocking_channel.basic_publish(
                EXCHANGE, TYPE, BODY, properties, mandatory=True
            )


def kernel_rows(bus: RabbitMQBus) -> dict[str, brokers.Run]:
    """Ours."""
    writer = MessageWriter()

    async def publish() -> None:
        await bus.publish(EVENT)

    async def batches(count: int) -> None:
        messages = [MESSAGE] * BATCH
        for _ in range(count // BATCH):
            refused(await bus.publish_messages(messages))

    async def written(count: int) -> None:
        for _ in range(count // BATCH):
            messages = [writer.write(EVENT) for _ in range(BATCH)]
            refused(await bus.publish_messages(messages))

    return {
        KERNEL_ONE: awaited(publish),
        "kernel, publish, 100 at once": gathered(publish),
        KERNEL_BATCH: batches,
        "kernel, publish_messages of 100 and writing them": written,
    }


def refused(errors: list[Exception | None]) -> None:
    """Exit if there is an error."""
    if any(errors):
        raise SystemExit(f"Not published: {next(filter(None, errors))}.")


def main() -> None:
    """Check, measure, print."""
    options = harness.parse(__doc__ or "", rounds=9)
    with PrivateRabbitMQ() as server, brokers.runner() as run:
        raw = brokers.RawAMQP(server.url)
        bus = RabbitMQBus("benchmark", server.url)
        run.run(bus.start())  # declares the exchange
        raw.queue(QUEUE, TYPE)
        peers = run.run(Peers(server.url).__aenter__())
        rows: dict[str, brokers.Run] = {"floor: frames made beforehand": raw.publish}
        rows |= peers.rows() | kernel_rows(bus)

        def check(name: str, count: int) -> None:
            there = raw.purge(QUEUE)
            if there != count:
                raise SystemExit(f"{name} published {there} of {count}.")

        found = brokers.measure(
            {name: brokers.timed(run, row) for name, row in rows.items()},
            options.rounds,
            after=check,
        )
        run.run(peers.__aexit__(None, None, None))
        run.run(bus.stop())
        raw.close()
    body = brokers.table(found, BASE, unit="events/s", goals=GOALS)
    versions = ("aio-pika", "aiormq", "faststream", "kombu", "pika", "uvloop")
    harness.report("Publish, confirmed, to a quorum queue", body, *versions)
    one = brokers.only(found, SEQUENTIAL, KERNEL_ONE)
    goals = [AtLeast(KERNEL_ONE, 1.0)]
    body = brokers.table(one, SEQUENTIAL, unit="events/s", goals=goals)
    harness.report("Publish, one awaited, of the same run", body)
    harness.save(options.json, {"rate": found.rate, "cpu": found.cpu})


if __name__ == "__main__":
    main()
