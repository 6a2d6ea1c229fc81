from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.events import EventRegistry, UserDeletedEvent, UserDeletedPayload
from shared.messaging import (
    Backlog,
    BrokerUnavailableException,
    EventBus,
    FailurePolicy,
    InMemoryBroker,
    InMemoryBus,
    MessageWriter,
    Reason,
    current_delivery,
)
from shared.testing import FakeClock
from shared.testing.bus_contract import BusBackend, BusContract, StoredMessage, until


class _Backend(BusBackend):
    def __init__(self) -> None:
        self.broker = InMemoryBroker()

    def bus(
        self, service_name: str, *, registry: EventRegistry, **options: Any
    ) -> EventBus:
        return InMemoryBus(
            service_name, registry=registry, broker=self.broker, **options
        )

    async def dead_letters(self, consumer: str) -> list[StoredMessage]:
        return [
            StoredMessage(letter.message.body, letter.headers)
            for letter in self.broker.dead_letters(consumer)
        ]

    async def unrouted(self, event_type: str) -> int:
        kept = [message.event_type for message in self.broker.unrouted]
        return kept.count(event_type)


class TestInMemoryBus(BusContract):
    @pytest.fixture
    def backend(self) -> BusBackend:
        """A broker for the services of one test."""
        return _Backend()


class _Slow:
    """A handler with a gate."""

    def __init__(self) -> None:
        self.seen: list[UserDeletedEvent] = []
        self.gate = asyncio.Event()

    async def handle(self, event: UserDeletedEvent) -> None:
        self.seen.append(event)
        await self.gate.wait()


def _event() -> UserDeletedEvent:
    payload = UserDeletedPayload(user_id=uuid4(), requested_by="user")
    return UserDeletedEvent(payload=payload)


async def _fail(_: UserDeletedEvent) -> None:
    raise ValueError


async def test_services_in_one_process_share_a_broker() -> None:
    """Without one they are alone."""
    broker = InMemoryBroker()
    slow = _Slow()
    slow.gate.set()
    shop, mail = InMemoryBus("shop", broker=broker), InMemoryBus("mail", broker=broker)
    mail.subscribe(UserDeletedEvent, slow.handle)
    async with shop, mail, InMemoryBus("alone") as alone:
        event = _event()
        await shop.publish(event)
        await alone.publish(_event())
        await broker.idle()

    assert slow.seen == [event]
    assert (shop.unrouted_count, alone.unrouted_count) == (0, 1)


async def test_a_bus_can_be_started_again() -> None:
    """What was not handled is there, in its order, and retries go on."""
    slow = _Slow()
    bus = InMemoryBus("a")
    bus.subscribe(UserDeletedEvent, slow.handle, concurrency=1)
    events = [_event() for _ in range(3)]
    await bus.start()
    for event in events:
        await bus.publish(event)
    await bus.stop(timeout=0.01)
    left = bus.backlog()
    slow.gate.set()
    async with bus:
        await bus.broker.idle()

    assert left == {"a.handle": Backlog(waiting=3, delayed=0, in_hand=0)}
    assert slow.seen[-3:] == events


def test_a_bus_can_be_started_in_another_loop() -> None:
    """When it is stopped in the one before; what is delayed comes there."""
    slow = _Slow()
    bus = InMemoryBus("a")
    attempts: list[int] = []

    async def fail_once(event: UserDeletedEvent) -> None:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            raise ValueError
        slow.seen.append(event)

    policy = FailurePolicy(immediate_retries=0, delays=(0.05,))
    bus.subscribe(UserDeletedEvent, fail_once, policy=policy)

    async def first() -> None:
        async with bus, asyncio.timeout(30):
            await bus.publish(_event())
            await until(lambda: bus.backlog()["a.fail_once"].delayed)

    async def second() -> None:
        async with bus, asyncio.timeout(30):
            await bus.broker.idle()

    asyncio.run(first())
    asyncio.run(second())

    assert len(slow.seen) == 1


async def test_another_loop_is_refused() -> None:
    """Its tasks and futures would not meet; it says so instead of hanging."""
    broker = InMemoryBroker()
    errors: list[str] = []

    def elsewhere() -> None:
        for call in (
            bus.publish(_event()),
            bus.publish_messages([]),
            bus.stop(),
            bus.start(),
            InMemoryBus("b", broker=broker).start(),
        ):
            try:
                asyncio.run(call)
            except RuntimeError as error:
                errors.append(str(error))

    async with InMemoryBus("a", broker=broker) as bus:
        await asyncio.to_thread(elsewhere)
        await bus.publish(_event())

    assert ["another event loop" in error for error in errors] == [True] * 5


async def test_a_full_broker_lets_publishers_wait() -> None:
    """In their order; there is room when something was handled."""
    slow = _Slow()
    bus = InMemoryBus("a", max_messages=2)
    bus.subscribe(UserDeletedEvent, slow.handle, concurrency=1)
    events = [_event() for _ in range(20)]
    async with bus:
        tasks = [asyncio.create_task(bus.publish(event)) for event in events]
        await until(lambda: slow.seen)
        with pytest.raises(BrokerUnavailableException, match="no room"):
            await bus.check()
        waiting = [task.done() for task in tasks]
        tasks[5].cancel()
        slow.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.broker.idle()
        await bus.check()

    assert waiting == [True] * 2 + [False] * 18
    assert slow.seen == events[:5] + events[6:]


async def test_behind_a_message_that_found_no_room_nothing_is_taken() -> None:
    """It would be handled before that one; and each would wait as long."""
    slow = _Slow()
    broker = InMemoryBroker(max_messages=2, patience=0.2)
    bus = InMemoryBus("one", broker=broker)
    bus.subscribe(UserDeletedEvent, slow.handle, concurrency=1)
    async with bus:
        messages = [MessageWriter().write(_event()) for _ in range(6)]
        publishing = asyncio.create_task(bus.publish_messages(messages))
        await asyncio.sleep(0.3)
        slow.gate.set()
        results = await publishing
        await broker.idle()

    assert [error is None for error in results] == [True] * 2 + [False] * 4
    assert len(slow.seen) == 2


async def test_a_broker_that_stays_full_refuses() -> None:
    """A publisher has an answer in time, and dead letters take room."""
    broker = InMemoryBroker(max_messages=2, patience=0.05)
    bus = InMemoryBus("a", broker=broker)
    policy = FailurePolicy(immediate_retries=0, delays=())
    bus.subscribe(UserDeletedEvent, _fail, policy=policy)
    message = MessageWriter().write(_event())
    async with bus:
        results = await bus.publish_messages([message] * 3)
        with pytest.raises(BrokerUnavailableException, match="there may be 2"):
            await bus.publish(_event())
        purged = broker.purge("a._fail")
        await bus.publish(_event())
        await broker.idle()

    assert [type(result) for result in results] == [
        type(None),
        type(None),
        BrokerUnavailableException,
    ]
    assert (purged, broker.purge("unknown")) == (2, 0)
    assert len(bus.dead_letters()) == 1


async def test_dead_letters_are_replayed_as_new() -> None:
    """Without what became of them, and they may die again."""
    bus = InMemoryBus("a")
    attempts: list[int] = []

    async def fail_twice(event: UserDeletedEvent) -> None:
        delivery = current_delivery()
        assert delivery is not None
        attempts.append(delivery.attempt)
        if len(attempts) <= 2:
            raise ValueError

    policy = FailurePolicy(immediate_retries=1, delays=())
    bus.subscribe(UserDeletedEvent, fail_twice, policy=policy)
    async with bus:
        await bus.publish(_event())
        await bus.broker.idle()
        (letter,) = bus.dead_letters("a.fail_twice")
        others = bus.dead_letters("a.other")
        replayed = bus.replay("a.fail_twice")
        await bus.broker.idle()

    assert attempts == [1, 2, 1]
    assert (replayed, bus.replay("a.other"), others) == (1, 0, ())
    assert bus.dead_letters() == ()
    assert letter.reason is Reason.EXHAUSTED
    assert letter.consumer == "a.fail_twice"
    assert letter.message.tag is None
    assert letter.message.headers.keys() == {"correlation_id", "schema_version"}
    assert letter.headers["x-attempts"] == 2


async def test_of_unrouted_events_the_latest_are_kept() -> None:
    """All are counted."""
    broker = InMemoryBroker(max_unrouted=3)
    events = [_event() for _ in range(5)]
    async with InMemoryBus("a", broker=broker) as bus:
        for event in events:
            await bus.publish(event)

    kept = [message.message_id for message in bus.unrouted]
    assert kept == [str(event.event_id) for event in events[2:]]
    assert bus.unrouted_count == 5


async def test_a_bus_that_is_being_stopped_takes_no_more() -> None:
    """Others of the service have what comes while its handler ends."""
    broker = InMemoryBroker()
    first, second = _Slow(), _Slow()
    second.gate.set()
    old, new = (InMemoryBus("a", broker=broker) for _ in range(2))
    old.subscribe(UserDeletedEvent, first.handle, name="x")
    new.subscribe(UserDeletedEvent, second.handle, name="x")
    await old.start()
    await old.publish(_event())
    await until(lambda: first.seen)
    await new.start()
    stopping = asyncio.create_task(old.stop())
    await asyncio.sleep(0)
    for _ in range(6):
        await new.publish(_event())
    await until(lambda: len(second.seen) == 6)
    first.gate.set()
    await stopping
    await new.stop()

    assert len(first.seen) == 1


async def test_an_ordered_queue_has_one_consumer_at_a_time() -> None:
    """The next bus takes over when the first one stops, behind what that had."""
    broker = InMemoryBroker()
    first, second = _Slow(), _Slow()
    second.gate.set()
    buses = [InMemoryBus("a", broker=broker) for _ in range(2)]
    for bus, slow in zip(buses, (first, second), strict=True):
        bus.subscribe(UserDeletedEvent, slow.handle, name="x", ordered=True)
        await bus.start()
    events = [_event() for _ in range(30)]
    for event in events:
        await buses[1].publish(event)
    await until(lambda: len(first.seen) >= 10)
    before = len(second.seen)
    await buses[0].stop(timeout=0.01)
    await broker.idle()
    await buses[1].stop()

    assert before == 0
    assert sorted(map(_id, second.seen)) == sorted(map(_id, events))
    assert second.seen[:10] == events[:10]


def _id(event: UserDeletedEvent) -> UUID:
    return event.event_id


async def test_retries_come_when_they_are_due() -> None:
    """The one that is due first comes first, and one timer serves all."""
    clock = FakeClock()
    order: list[str] = []
    bus = InMemoryBus("a", clock=clock.monotonic, sleep=clock.async_sleep)

    def handler(name: str) -> Callable[[UserDeletedEvent], Awaitable[None]]:
        async def handle(event: UserDeletedEvent) -> None:
            delivery = current_delivery()
            assert delivery is not None
            if delivery.attempt == 1:
                raise ValueError
            order.append(name)

        return handle

    for name, delay in (("late", 3600.0), ("early", 60.0), ("middle", 600.0)):
        policy = FailurePolicy(immediate_retries=0, delays=(delay,))
        bus.subscribe(UserDeletedEvent, handler(name), name=name, policy=policy)
    async with bus:
        await bus.publish(_event())
        await bus.broker.idle()

    assert order == ["early", "middle", "late"]
    assert clock.monotonic() >= 4600


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_messages": 0}, "max_messages must be positive"),
        ({"max_unrouted": -1}, "max_unrouted must not be negative"),
        ({"patience": 0}, "patience must be positive"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, message: str) -> None:
    """At once."""
    with pytest.raises(ValueError, match=message):
        InMemoryBroker(**options)


async def test_what_waits_takes_little_memory() -> None:
    """Queues share the body of a message."""
    bus = InMemoryBus("a")
    slow = _Slow()
    for name in ("x", "y"):
        bus.subscribe(UserDeletedEvent, slow.handle, name=name, concurrency=1)
    message = MessageWriter().write(_event())
    large = replace(message, body=message.body + b" " * 100_000)
    tracemalloc.start()
    async with bus:
        await bus.publish_messages([large] * 2000)
        waiting, _ = tracemalloc.get_traced_memory()
        await bus.stop(timeout=0)
    tracemalloc.stop()

    assert bus.backlog()["a.x"].waiting + bus.backlog()["a.y"].waiting >= 3998
    assert waiting < 4000 * 1000
