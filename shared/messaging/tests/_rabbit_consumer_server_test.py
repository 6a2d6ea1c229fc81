"""Consuming goes on by itself, whatever ends it, and loses nothing."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import aiormq
import pytest
from aiormq.abc import ChannelFrame
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Basic

from shared.messaging import (
    EventBus,
    FailurePolicy,
    MessageWriter,
    Observation,
    Outcome,
    TopologyError,
)
from shared.messaging._rabbit_reader import UNREADABLE
from shared.messaging._topology import dead_queue
from shared.messaging.rabbitmq import RabbitMQBus
from shared.messaging.tests.rabbitmq_backend import (
    Backend,
    OnServer,
    healthy,
    through,
)
from shared.testing.bus_contract import ONCE, BusWorld, Event, Seen, until
from shared.testing.tcp_proxy import TcpProxy

write = MessageWriter().write


def consumers(bus: EventBus) -> Any:
    """What runs inside of it."""
    assert isinstance(bus, RabbitMQBus)
    assert bus._running is not None
    return bus._running.consumers


def raw(frames: bytes) -> ChannelFrame:
    """Frames as they are."""
    return ChannelFrame(payload=frames, should_close=False)


class TestResuming(OnServer):
    """Each within the ten seconds of `healthy`."""

    async def test_after_the_broker_cancelled_the_consumer(
        self, world: BusWorld, backend: Backend
    ) -> None:
        """As it does when the queue is deleted, which is made anew."""
        seen, other = Seen(), Seen()
        bus = world.bus()
        consumer = bus.subscribe(world.Happened, seen.handler, name="seen").consumer
        bus.subscribe(world.Happened, other.handler, name="other")
        await world.start(bus)
        for number in range(3):
            async with backend.channel() as channel:
                await channel.queue_delete(consumer)
            await until(lambda: not consumers(bus)[0].consuming)
            await healthy(bus)
            await bus.publish(world.event(number))
            await seen.until(number + 1)

        assert seen == [0, 1, 2]
        await other.until(3)

    async def test_after_an_error_closed_the_channel(self, world: BusWorld) -> None:
        """What was in hand comes again; others are not disturbed."""
        gate = asyncio.Event()

        async def wait(_: Event) -> None:
            await gate.wait()

        seen, other = Seen(wait), Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=2)
        bus.subscribe(world.Happened, other.handler, name="other")
        await world.start(bus)
        for number in range(5):
            await bus.publish(world.event(number))
        await seen.until(2)
        first = consumers(bus)[0]._session
        with pytest.raises(ChannelNotFoundEntity, match="no queue"):
            await first.channel.rpc.queue_declare("no-such-queue", passive=True)
        await until(lambda: consumers(bus)[0]._session not in (None, first))
        gate.set()
        await until(lambda: set(seen) == set(range(5)))
        await healthy(bus)
        await bus.publish(world.event(5))
        await until(lambda: 5 in seen and 5 in other)

        assert sorted(other) == list(range(6))
        assert sorted(seen)[0:4] == [0, 0, 1, 1]

    async def test_after_the_connection_was_cut(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """Again and again, while events come; each is handled."""
        seen = Seen()
        bus = world.bus(url=through(proxy))
        bus.subscribe(world.Happened, seen.handler, name="seen")
        publisher = await world.publisher()
        await world.start(bus)
        for part in range(4):
            events = [write(world.event(part * 500 + n)) for n in range(500)]
            await publisher.publish_messages(events)
            await until(lambda part=part: len(set(seen)) > part * 500)  # type: ignore[misc]
            proxy.cut()
            await healthy(bus)
        await until(lambda: len(set(seen)) == 2000)

        assert sorted(set(seen)) == list(range(2000))

    async def test_when_aiormq_cancels_who_waits_for_it(self, world: BusWorld) -> None:
        """As it does when a connection ends at the wrong moment: nobody's end."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen")
        await world.start(bus)
        [consumer] = consumers(bus)
        declare, calls = consumer._declare, 0

        async def cancelled(connection: object) -> None:
            nonlocal calls
            calls += 1
            if calls < 3:
                raise asyncio.CancelledError
            await declare(connection)

        consumer._declare = cancelled
        consumer._session.channel.end(ConnectionError("of this test"))
        await until(lambda: calls == 3)
        await healthy(bus)
        await bus.publish(world.event(1))
        await seen.until(1)

        assert seen == [1]

    async def test_order_survives_lost_connections(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """Of one aggregate; an event may come again, and then those after it do."""
        running = 0

        async def take_a_while(_: Event) -> None:
            nonlocal running
            running += 1
            overlaps.append(running)
            await asyncio.sleep(0.002)
            running -= 1

        overlaps: list[int] = []
        seen = Seen(take_a_while)
        bus = world.bus(url=through(proxy))
        bus.subscribe(
            world.Happened, seen.handler, name="seen", ordered=True, concurrency=3
        )
        publisher = await world.publisher()
        await world.start(bus)
        await publisher.publish_messages([write(world.event(n)) for n in range(200)])
        for number in (20, 80, 140):
            await until(lambda number=number: number in seen)  # type: ignore[misc]
            proxy.cut()
            await healthy(bus)
        await until(lambda: 199 in seen)
        firsts = list(dict.fromkeys(seen))

        assert firsts == list(range(200))
        assert max(overlaps) == 1

    async def test_what_is_settled_on_a_lost_channel_is_released(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """The handler ends, its event comes again, and nobody else's is settled."""
        gate = asyncio.Event()
        told: list[Observation] = []

        async def wait(_: Event) -> None:
            await gate.wait()

        seen = Seen(wait)
        bus = world.bus(url=through(proxy), observe=told.append)
        bus.subscribe(
            world.Happened, seen.handler, name="seen", concurrency=3, policy=ONCE
        )
        await world.start(bus)
        for number in range(3):
            await bus.publish(world.event(number))
        await seen.until(3)
        proxy.cut()
        await until(lambda: not consumers(bus)[0].consuming)
        await healthy(bus)
        await seen.until(6)
        gate.set()
        await until(lambda: len(told) >= 9)
        outcomes = [each.outcome for each in told]

        assert sorted(seen) == [0, 0, 1, 1, 2, 2]
        assert outcomes.count(Outcome.RELEASED) == 3
        assert outcomes.count(Outcome.HANDLED) == 3

    async def test_a_conflict_that_comes_later_is_told_and_gone_when_it_is(
        self, world: BusWorld, backend: Backend, proxy: TcpProxy
    ) -> None:
        """Meanwhile the bus publishes, and its other handlers work."""
        seen, other = Seen(), Seen()
        bus = world.bus(url=through(proxy))
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=ONCE
        ).consumer
        bus.subscribe(world.Ended, other.handler, name="other")
        await world.start(bus)
        proxy.hold_replies()
        proxy.cut()
        async with backend.channel() as channel:
            await channel.queue_delete(consumer)
            await channel.queue_declare(consumer, durable=True)
        proxy.release()
        await until(lambda: isinstance(consumers(bus)[0].problem, TopologyError))
        await until(lambda: consumers(bus)[1].consuming)
        await until(lambda: bus._running.publisher.open)  # type: ignore[attr-defined]
        with pytest.raises(TopologyError, match=f"queue '{consumer}'"):
            await bus.check()
        await bus.publish(world.event(cls=world.Ended))
        await other.until(1)
        async with backend.channel() as channel:
            await channel.queue_delete(consumer)
        await until(lambda: consumers(bus)[0].consuming)
        await healthy(bus)
        await bus.publish(world.event(7))
        await seen.until(1)

        assert seen == [7]

    async def test_a_retry_queue_that_was_deleted_is_made_anew(
        self, world: BusWorld, backend: Backend
    ) -> None:
        """The event waits until it can be put there, and is not lost."""

        async def fail_once(_: Event) -> None:
            if len(seen) == 1:
                raise ValueError

        seen = Seen(fail_once)
        bus = world.bus()
        policy = FailurePolicy(immediate_retries=0, delays=(0.05,))
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=policy
        ).consumer
        await world.start(bus)
        async with backend.channel() as channel:
            await channel.queue_delete(f"{consumer}.retry.50ms")
        await bus.publish(world.event())
        await seen.until(2)

        assert seen.attempts == [1, 2]


class TestBackPressure(OnServer):
    """A slow consumer has little in hand, and the rest waits in the broker."""

    @pytest.mark.parametrize(
        ("options", "in_hand"),
        [({}, 10), ({"prefetch": 7}, 7)],
        ids=["of-concurrency", "given"],
    )
    async def test_a_slow_consumer(
        self, world: BusWorld, options: dict[str, Any], in_hand: int
    ) -> None:
        """However many events there are."""
        gate = asyncio.Event()

        async def wait(_: Event) -> None:
            await gate.wait()

        seen = Seen(wait)
        bus = world.bus(**options)
        assert isinstance(bus, RabbitMQBus)
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", concurrency=5
        ).consumer
        await world.start(bus)
        await bus.publish_messages([write(world.event(n)) for n in range(2000)])
        await seen.until(5)
        session = consumers(bus)[0]._session
        await until(lambda: session.consumption.in_hand == in_hand)
        counts = await bus.queue_counts()
        largest = session.consumption.in_hand
        gate.set()
        await seen.until(2000)

        assert counts[consumer] == 2000 - in_hand
        assert largest == in_hand
        assert sorted(seen) == list(range(2000))


STRANGE: dict[str, Any] = {
    "nested": {"list": [1, "two", {"three": None}], "deep": {"deeper": True}},
    "at": datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC),
    "price": Decimal("-12.34"),
    "bytes": bytearray(b"\x00\xff"),
    "big": 2**62,
    "small": -(2**62),
    "é": "ü",
}


class TestForeignMessages(OnServer):
    """Messages that somebody else put into the queue."""

    async def test_a_dead_letter_has_all_that_came(
        self, world: BusWorld, backend: Backend
    ) -> None:
        """But not what would let it expire, be refused, or go elsewhere too."""
        bus = world.bus()
        consumer = bus.subscribe(world.Happened, Seen().handler, name="seen").consumer
        await world.start(bus)
        properties = Basic.Properties(
            content_type="text/plain",
            content_encoding="gzip",
            headers=STRANGE | {"CC": [f"elsewhere-{uuid4()}"]},
            delivery_mode=1,
            priority=3,
            correlation_id="c-1",
            reply_to="somebody",
            expiration="600000",
            message_id="m-1",
            timestamp=datetime(2001, 2, 3, tzinfo=UTC),
            message_type="odd",
            user_id="guest",
            app_id="legacy",
        )
        async with backend.channel() as channel:
            await channel.basic_publish(
                b"\xff no json", routing_key=consumer, properties=properties
            )
            (stored,) = await world.dead_letters(consumer, 1)
            (message,) = await backend.browse(dead_queue(consumer), lambda _: False)
        found = message.header.properties
        kept = {name: (found.headers or {}).get(name) for name in STRANGE}

        assert message.body == b"\xff no json"
        assert kept == STRANGE
        assert stored.headers["x-reason"] == "malformed"
        assert stored.headers["x-routing-key"] == "odd"
        assert "CC" not in (found.headers or {})
        assert (found.expiration, found.user_id) == (None, None)
        assert found.delivery_mode == 2
        assert [
            getattr(found, name)
            for name in (
                *("content_type", "content_encoding", "priority", "correlation_id"),
                *("reply_to", "message_id", "timestamp", "message_type", "app_id"),
            )
        ] == [
            *("text/plain", "gzip", 3, "c-1", "somebody", "m-1"),
            *(properties.timestamp, "odd", "legacy"),
        ]

    @pytest.mark.parametrize("ordered", [False, True])
    async def test_headers_that_have_no_room_for_ours(
        self, world: BusWorld, backend: Backend, *, ordered: bool
    ) -> None:
        """A dead letter as it came, of the broker's; others are not held up."""

        async def fail_first(_: Event) -> None:
            if len(seen) == 1:
                raise ValueError

        seen = Seen(fail_first)
        bus = world.bus()
        consumer = bus.subscribe(
            world.Happened,
            seen.handler,
            name="seen",
            policy=FailurePolicy(immediate_retries=0, delays=()),
            ordered=ordered,
            concurrency=1,
        ).consumer
        await world.start(bus)
        large = Basic.Properties(headers={"large": "x" * 130_900})
        sent = [b"no json", world.event(1).encode()]
        async with backend.channel() as channel:
            for body in sent:
                await channel.basic_publish(
                    body, routing_key=consumer, properties=large
                )
        await bus.publish(world.event(2))
        await seen.until(2)
        letters = await world.dead_letters(consumer, 2)

        assert seen == [1, 2]
        assert [letter.body for letter in letters] == sent
        assert {len(letter.headers["large"]) for letter in letters} == {130_900}

    async def test_the_routing_key_survives_retries(self, world: BusWorld) -> None:
        """Of a message without a type, which comes back under its queue's name."""
        told: list[Observation] = []

        async def fail(_: Event) -> None:
            raise ValueError

        seen = Seen(fail)
        bus = world.bus(observe=told.append)
        policy = FailurePolicy(immediate_retries=0, delays=(0.05, 0.05))
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=policy
        ).consumer
        await world.start(bus)
        await bus.publish(world.event())
        (letter,) = await world.dead_letters(consumer, 1)
        event_type = seen.events[0].event_type

        assert letter.headers["x-routing-key"] == event_type
        assert {each.event_type for each in told} == {event_type}
        assert "x-death" not in letter.headers

    @pytest.mark.parametrize(
        ("flag", "properties"),
        [
            (13, b"\x00\x00\x00\x09" + b"\x02\xff\xfeS" + b"\x00\x00\x00\x01x"),
            (6, struct.pack(">Q", 1_700_000_000_000_000)),
            (7, b"\x02\xff\xfe"),
        ],
        ids=["name-of-a-header", "microseconds", "message-id"],
    )
    async def test_properties_that_nobody_can_read(
        self, world: BusWorld, backend: Backend, flag: int, properties: bytes
    ) -> None:
        """The body is handled all the same, and others are not held up."""
        seen = Seen()
        bus = world.bus()
        consumer = bus.subscribe(world.Happened, seen.handler, name="seen").consumer
        await world.start(bus)
        body = world.event(1).encode()
        header = struct.pack(">HHQH", 60, 0, len(body), 1 << flag) + properties
        method = struct.pack(">HHHB", 60, 40, 0, 0)
        method += bytes([len(consumer)]) + consumer.encode() + b"\x00"
        async with aiormq.connect(backend.url) as connection:
            channel = await connection.channel(publisher_confirms=False)
            frames = b"".join(
                struct.pack(">BHI", kind, channel.number, len(payload))
                + payload
                + b"\xce"
                for kind, payload in ((1, method), (2, header), (3, body))
            )
            for _ in range(3):
                await connection.write_queue.put(raw(frames))
            await channel.basic_qos(prefetch_count=1)
        await bus.publish(world.event(2))
        async with asyncio.timeout(10):
            await until(lambda: seen.count(1) >= 3 and 2 in seen)
        await healthy(bus)
        kept = [each.get(UNREADABLE, b"") for each in seen.headers]

        assert sum(properties[-3:] in each for each in kept) >= 3
