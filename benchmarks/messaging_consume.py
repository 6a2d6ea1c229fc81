"""Cost of consuming events from RabbitMQ: a quorum queue, an acknowledgement for each.

The queue is filled beforehand, the consumer may have 200 unacknowledged, and its
handler counts. The clock runs from the 200th call of the handler to the last one, so
that connecting is in no row. The baseline is a callback of aio-pika that gets bytes and
acknowledges. The kernel's handler gets an event: validated by its type, with the
correlation id set for the logs and a time limit that is its deadline; FastStream's gets
a dict or a model. The floor is a blocking socket. Needs RabbitMQ's programs: it starts
a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aio_pika
import aiormq
import pika  # type: ignore[import-untyped]
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from benchmarks import _brokers as brokers
from benchmarks import _harness as harness
from benchmarks.event_codec import OrderPlaced, PlainEvent
from shared.events import EventRegistry
from shared.messaging.rabbitmq import RabbitMQBus
from shared.testing.server_processes import PrivateRabbitMQ

QUEUE = "benchmark.count"
PREFETCH = 200
BASE = "aio-pika, callback"
KERNEL = "kernel, subscribe"
GOALS = [brokers.AtLeast(KERNEL, 1.0)]


class Counter:
    """What the handlers call."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self.cost: tuple[float, float] | None = None
        self.done = asyncio.Event()

    def hit(self) -> bool:
        """Count one; whether it was the last."""
        self._taken += 1
        if self._taken == PREFETCH:
            self._watch = brokers.Stopwatch()
        if self._taken == self._count:
            self.cost = self._watch.cost(self._count - PREFETCH)
            self.done.set()
            return True
        return False


Consume = Callable[[str, Counter], Any]


async def with_aio_pika(url: str, counter: Counter) -> None:
    """Bytes to a callback."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(PREFETCH)
        queue = await channel.get_queue(QUEUE, ensure=False)

        async def handle(message: Any) -> None:
            await message.ack()
            counter.hit()

        tag = await queue.consume(handle)
        await counter.done.wait()
        await queue.cancel(tag)


async def with_aio_pika_and_pydantic(url: str, counter: Counter) -> None:
    """As it is usually written: acknowledged when the block ends well."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(PREFETCH)
        queue = await channel.get_queue(QUEUE, ensure=False)

        async def handle(message: Any) -> None:
            async with message.process():
                PlainEvent.model_validate_json(message.body)
                counter.hit()

        tag = await queue.consume(handle)
        await counter.done.wait()
        await queue.cancel(tag)


async def with_aiormq(url: str, counter: Counter) -> None:
    """What aio-pika is built on."""
    connection = await aiormq.connect(url)
    channel = await connection.channel()
    await channel.basic_qos(prefetch_count=PREFETCH)

    async def handle(message: Any) -> None:
        await channel.basic_ack(message.delivery.delivery_tag)
        counter.hit()

    consumer = await channel.basic_consume(QUEUE, handle)
    await counter.done.wait()
    await channel.basic_cancel(consumer.consumer_tag or "")
    await connection.close()


def with_faststream(kind: type) -> Consume:
    """A handler that gets what its annotation says."""

    async def consume(url: str, counter: Counter) -> None:
        broker = RabbitBroker(
            url, logger=None, default_channel=Channel(prefetch_count=PREFETCH)
        )

        async def handle(event: Any) -> None:
            counter.hit()

        handle.__annotations__ = {"event": kind, "return": None}
        queue = RabbitQueue(QUEUE, durable=True, declare=False)
        broker.subscriber(queue, ack_policy=AckPolicy.ACK)(handle)
        await broker.start()
        await counter.done.wait()
        await broker.stop()

    return consume


def with_pika(url: str, counter: Counter) -> None:
    """Blocking, one thread."""
    connection = pika.BlockingConnection(pika.URLParameters(f"{url}?heartbeat=0"))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=PREFETCH)

    def handle(_: Any, delivery: Any, properties: Any, data: bytes) -> None:
        channel.basic_ack(delivery.delivery_tag)
        if counter.hit():
            channel.stop_consuming()

    channel.basic_consume(QUEUE, handle)
    channel.start_consuming()
    connection.close()


def bus_for(url: str, handler: Callable[[OrderPlaced], Any]) -> RabbitMQBus:
    """Ours; its prefetch is twice the concurrency."""
    bus = RabbitMQBus("benchmark", url, registry=EventRegistry([OrderPlaced]))
    bus.subscribe(OrderPlaced, handler, name="count", concurrency=PREFETCH // 2)
    return bus


async def with_kernel(url: str, counter: Counter) -> None:
    """A typed handler."""

    async def handle(event: OrderPlaced) -> None:
        counter.hit()

    async with bus_for(url, handle):
        await counter.done.wait()


async def declare(url: str) -> None:
    """Let there be the exchange and the queue, as the kernel makes them."""

    async def handle(event: OrderPlaced) -> None: ...

    async with bus_for(url, handle):
        pass


ROWS: dict[str, Consume] = {
    BASE: with_aio_pika,
    "aio-pika and pydantic": with_aio_pika_and_pydantic,
    "aiormq": with_aiormq,
    "FastStream, dict": with_faststream(dict),
    "FastStream, pydantic": with_faststream(PlainEvent),
    "pika, blocking": with_pika,
    KERNEL: with_kernel,
}


def main() -> None:
    """Check, measure, print."""
    options = harness.parse(__doc__ or "", rounds=9)
    with PrivateRabbitMQ() as server, brokers.runner() as run:
        raw = brokers.RawAMQP(server.url)
        run.run(declare(server.url))

        def row(consume: Consume) -> Callable[[int], tuple[float, float]]:
            async def take(count: int) -> tuple[float, float]:
                counter = Counter(count)
                done = consume(server.url, counter)
                if done is not None:
                    await done
                if counter.cost is None:
                    raise SystemExit("A handler was called too seldom.")
                return counter.cost

            return lambda count: run.run(take(count))

        def floor(count: int) -> tuple[float, float]:
            watch = brokers.Stopwatch()
            raw.consume(QUEUE, count, PREFETCH)
            return watch.cost(count)

        def check(name: str, count: int) -> None:
            if left := raw.purge(QUEUE):
                raise SystemExit(f"{name} left {left} of {count}.")

        rows = {name: row(consume) for name, consume in ROWS.items()}
        found = brokers.measure(
            {"floor: a blocking socket": floor} | rows,
            options.rounds,
            before=lambda name, count: raw.publish(count),
            after=check,
            warm=1000,
            least=2000,
            seconds=0.5,
        )
        raw.close()
    body = brokers.table(found, BASE, unit="events/s", goals=GOALS)
    versions = ("aio-pika", "aiormq", "faststream", "pika", "uvloop")
    harness.report(f"Consume, acknowledged, {PREFETCH} in hand", body, *versions)
    harness.save(options.json, {"rate": found.rate, "cpu": found.cpu})


if __name__ == "__main__":
    main()
