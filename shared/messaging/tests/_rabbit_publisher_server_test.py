"""What is published is confirmed, or its publisher knows that it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aiormq
import pytest
from aiormq.connection import Connection

from shared.messaging import BrokerUnavailableException, MessageWriter
from shared.messaging._rabbit_frames import Packet, Properties
from shared.messaging._rabbit_publisher import NoQueueError, Publisher, RefusedError
from shared.messaging.tests.rabbitmq_backend import (
    Backend,
    OnServer,
    healthy,
    through,
)
from shared.messaging.topology import EVENTS
from shared.testing.bus_contract import BusWorld, Seen, until
from shared.testing.servers import rabbitmq_url
from shared.testing.tcp_proxy import TcpProxy

write = MessageWriter().write


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """A connection of the test's own."""
    async with aiormq.connect(rabbitmq_url()) as connection:
        yield connection


@pytest.fixture
async def queue(connection: Connection) -> str:
    """An empty queue, which goes with its connection."""
    channel = await connection.channel()
    name = f"test-{uuid4()}"
    await channel.queue_declare(name, exclusive=True)
    return name


def publisher(timeout: float = 20.0) -> Publisher:
    """One that no bus has."""
    return Publisher(timeout=timeout, why_not=lambda: None)


def packet(queue: str, body: bytes = b"x", message_id: str = "") -> Packet:
    """A message for *queue*."""
    return Packet.of("", queue, Properties(message_id=message_id or str(uuid4())), body)


async def bodies(connection: Connection, queue: str, number: int) -> list[bytes]:
    """What came to *queue*."""
    found: list[bytes] = []
    channel = await connection.channel()

    async def note(message: Any) -> None:
        found.append(message.body)

    await channel.basic_consume(queue, note, no_ack=True)
    await until(lambda: len(found) >= number)
    await channel.close()
    return found


def unblocked(connection: Connection) -> asyncio.Event:
    """What aiormq clears when the broker says that it is full."""
    event: asyncio.Event = vars(connection)["_Connection__connection_unblocked"]
    return event


def causes(results: list[Exception | None]) -> list[object]:
    """What is behind each failure."""
    return [None if r is None else type(r.__cause__) for r in results]


async def test_many_publishers_share_a_write(
    connection: Connection, queue: str
) -> None:
    """Each has its own answer, and the messages keep their order."""
    publishing = publisher()
    await publishing.attach(connection)
    sent = [str(number).encode() for number in range(3000)]
    results = await asyncio.gather(
        *(publishing.publish([packet(queue, body)]) for body in sent)
    )

    assert results == [[None]] * 3000
    assert await bodies(connection, queue, 3000) == sent


async def test_a_body_larger_than_a_frame_arrives_whole(
    connection: Connection, queue: str
) -> None:
    """Around the limit, beyond it, and nothing at all."""
    publishing = publisher()
    await publishing.attach(connection)
    most = connection.connection_tune.frame_max
    sizes = (0, 1, most - 9, most - 8, most - 7, most, 5 * most + 3)
    sent = [bytes([65 + place]) * size for place, size in enumerate(sizes)]
    results = await publishing.publish([packet(queue, body) for body in sent])

    assert results == [None] * len(sizes)
    assert await bodies(connection, queue, len(sizes)) == sent


async def test_a_message_without_a_queue_comes_back(
    connection: Connection, queue: str
) -> None:
    """It is an error of that message alone, also of two that look the same."""
    publishing = publisher()
    await publishing.attach(connection)
    good, lost = packet(queue), packet("no-such-queue", message_id="same")
    results = await asyncio.gather(
        *(publishing.publish([each]) for each in (good, lost, lost, good))
    )

    assert causes([each for [each] in results]) == [
        None,
        NoQueueError,
        NoQueueError,
        None,
    ]


async def test_after_a_refusal_no_more_of_a_batch_is_sent(
    connection: Connection, queue: str
) -> None:
    """What was on its way arrives; the rest is not sent, and can be sent in order."""
    publishing = publisher()
    await publishing.attach(connection)
    batch = [packet("no-such-queue"), *[packet(queue)] * 9_999]
    results = await publishing.publish(batch)
    taken = results.count(None)

    assert causes(results)[0] is NoQueueError
    assert taken < 9_999
    assert results[taken + 1 :] == [r for r in results if r is not None][1:]
    assert len(await bodies(connection, queue, taken)) == taken


async def test_a_connection_that_ended_while_it_was_blocked_is_forgotten(
    connection: Connection, queue: str
) -> None:
    """The next one is blocked too, and what waits goes out when it is not any more."""
    publishing = publisher()
    async with aiormq.connect(rabbitmq_url()) as first:
        await publishing.attach(first)
        unblocked(first).clear()
        waiting = asyncio.create_task(publishing.publish([packet(queue)]))
        await until(lambda: publishing._unblocking is not None)
    await until(lambda: not publishing.open)
    unblocked(connection).clear()
    await publishing.attach(connection)
    await asyncio.sleep(0.05)
    unblocked(connection).set()

    async with asyncio.timeout(5):
        assert await waiting == [None]


async def test_what_the_broker_refuses_is_an_error(connection: Connection) -> None:
    """A full queue that rejects answers with basic.nack."""
    channel = await connection.channel()
    queue = f"test-{uuid4()}"
    await channel.queue_declare(
        queue,
        exclusive=True,
        arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
    )
    publishing = publisher()
    await publishing.attach(connection)
    first = await publishing.publish([packet(queue)])
    second = await publishing.publish([packet(queue)])

    assert causes(first + second) == [None, RefusedError]


async def test_a_channel_that_ends_fails_all_that_is_on_its_way(
    connection: Connection, queue: str
) -> None:
    """With the reason; and what was not begun goes out on the next channel."""
    publishing = publisher()
    ended = await publishing.attach(connection)
    wrong = Packet.of("no-such-exchange", "x", Properties(), b"")
    batch = asyncio.create_task(publishing.publish([wrong, *[packet(queue)] * 5000]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = asyncio.create_task(publishing.publish([packet(queue, b"later")]))
    results = await batch
    async with asyncio.timeout(10):
        cause = await ended
    await publishing.attach(connection)

    assert isinstance(cause, aiormq.exceptions.ChannelNotFoundEntity)
    assert causes(results)[:2] == [type(cause)] * 2
    assert None not in results
    assert await later == [None]


async def test_a_publisher_that_is_cancelled_confuses_nobody(
    connection: Connection, queue: str
) -> None:
    """Wherever it is cancelled, the answers of others stay theirs."""
    publishing = publisher()
    await publishing.attach(connection)
    cancelled = []
    for delay in range(20):
        task = asyncio.create_task(publishing.publish([packet(queue, b"c")] * 300))
        for _ in range(delay):
            await asyncio.sleep(0)
        task.cancel()
        cancelled.append(task)
        mixed = await publishing.publish([packet(queue, b"x"), packet("none")])
        assert causes(mixed) == [None, NoQueueError]
    await asyncio.gather(*cancelled, return_exceptions=True)
    await until(lambda: not publishing._sent)

    assert (publishing._forgotten, publishing._sent_bytes) == (0, 0)
    assert not publishing._waiting


async def test_without_a_broker_the_time_is_limited_and_nothing_is_kept() -> None:
    """As many as ever try: each gives up, and leaves nothing behind."""
    publishing = Publisher(timeout=0.05, why_not=lambda: OSError("refused"))
    results = await asyncio.gather(
        *(publishing.publish([packet("q")] * 3) for _ in range(200))
    )

    assert causes(results[0]) == [OSError] * 3
    assert {str(error) for batch in results for error in batch} == {
        "There was no broker within 0.05 seconds."
    }
    assert not publishing._waiting


class TestBus(OnServer):
    """The bus as a publisher."""

    async def test_a_connection_lost_in_a_batch(
        self, world: BusWorld, backend: Backend, proxy: TcpProxy
    ) -> None:
        """What is confirmed is there; what is not may be; the order holds."""
        seen = Seen()
        reader = world.bus("reader")
        reader.subscribe(world.Happened, seen.handler, name="seen", ordered=True)
        bus = world.bus("writer", url=through(proxy))
        await world.start(reader, bus)
        for number in range(5):
            batch = [write(world.event(number * 10_000 + n)) for n in range(3000)]
            publishing = asyncio.create_task(bus.publish_messages(batch))
            replies = proxy.replies
            await until(lambda replies=replies: proxy.replies > replies)  # type: ignore[misc]
            proxy.cut()
            results = await publishing
            confirmed = [error is None for error in results]
            taken = sum(confirmed)
            first = number * 10_000

            assert confirmed == sorted(confirmed, reverse=True)
            assert taken < 3000
            assert {type(error) for error in results[taken:]} == {
                BrokerUnavailableException
            }
            await healthy(bus)
            await bus.publish(world.event(first + 9_999))
            await until(lambda last=first + 9_999: last in seen)  # type: ignore[misc]
            came = [n for n in seen if first <= n < first + 9_999]
            assert came[:taken] == list(range(first, first + taken))
            assert came == sorted(set(came))

    async def test_a_broker_that_says_nothing(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """The publisher is told in time, and is well once it speaks again."""
        bus = world.bus(url=through(proxy), publish_timeout=0.3)
        await world.start(bus)
        proxy.hold_replies()
        with pytest.raises(BrokerUnavailableException, match=r"within 0\.3 seconds"):
            await bus.publish(world.event())
        proxy.release()
        await bus.publish(world.event())
        results = await bus.publish_messages([write(world.event())] * 100)

        assert results == [None] * 100

    async def test_a_full_queue_of_somebody_else(
        self, world: BusWorld, backend: Backend
    ) -> None:
        """It is no success that one of several queues has the event."""
        bus = await world.publisher()
        async with backend.channel() as channel:
            queue = f"test-{uuid4()}"
            await channel.queue_declare(
                queue,
                exclusive=True,
                arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
            )
            event = world.event()
            await channel.queue_bind(queue, EVENTS, event.event_type)
            await bus.publish(event)

            with pytest.raises(BrokerUnavailableException, match="did not take"):
                await bus.publish(event)

    async def test_what_can_not_be_written_harms_nobody(self, world: BusWorld) -> None:
        """A message that AMQP has no form for is refused alone."""
        bus = await world.publisher()
        good = write(world.event())
        long_key = replace(good, event_type="x" * 300)
        long_name = replace(good, headers={"n" * 300: "x"})
        heavy = replace(good, headers={"n": "x" * 131_072})
        huge = replace(good, body=b"x" * (16 * 1024 * 1024 + 1))
        messages = [good, long_key, long_name, heavy, huge, good]
        results = await bus.publish_messages(messages)

        assert [type(each).__name__ for each in results] == [
            "NoneType",
            *["ValueError"] * 3,
            "EventTooLargeError",
            "NoneType",
        ]
