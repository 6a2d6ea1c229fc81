"""What every `EventBus` must do. Needs pytest and pytest-asyncio.

::

    class TestMine(BusContract):
        @pytest.fixture
        def backend(self) -> BusBackend:
            return MyBackend()

Each test has event types and services of its own, so brokers may be shared.
"""

# ruff: noqa: S101 - this is a test, whose classes run elsewhere

from __future__ import annotations

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, cast
from uuid import uuid4

import pytest

from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.logging import correlation_id_var, parse_traceparent, trace_context_var
from shared.messaging import (
    BrokerUnavailableException,
    EventBus,
    EventTooLargeError,
    FailurePolicy,
    MessageWriter,
    Observation,
    Outcome,
    SubscriptionError,
    TopologyError,
    Wire,
    current_delivery,
)
from shared.resilience import current_deadline

__all__ = [
    "BusBackend",
    "BusContract",
    "BusWorld",
    "Happening",
    "StoredMessage",
    "until",
]

T = TypeVar("T")
R = TypeVar("R")

# How long a condition may take to come true, where it does at all.
PATIENCE = 30.0

ONCE = FailurePolicy(immediate_retries=0, delays=())
LATER = FailurePolicy(immediate_retries=0, delays=(0.05, 0.1))

_whose: ContextVar[str] = ContextVar("whose", default="nobody's")

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True)
class StoredMessage:
    """A message that a broker keeps."""

    body: bytes
    headers: Mapping[str, Any]


class BusBackend(ABC):
    """A broker under test."""

    @abstractmethod
    def bus(
        self, service_name: str, *, registry: EventRegistry, **options: Any
    ) -> EventBus:
        """A bus of that service on the broker, not started.

        Args:
            service_name: Queues of it are the test's, and can go afterwards.
            registry: The events it reads.
            options: Of its constructor: ``writer``, ``observe``, ``max_bytes``.
        """

    @abstractmethod
    async def dead_letters(self, consumer: str) -> list[StoredMessage]:
        """The dead letters of a handler, which stay where they are."""

    @abstractmethod
    async def unrouted(self, event_type: str) -> int:
        """How many events of this type are kept for which nobody subscribed."""


class Happening(EventPayload):
    """What the events of these tests say."""

    aggregate_key = "thing"

    thing: str | None
    number: int
    note: str = ""


Event = BaseEvent[Happening]


@dataclass
class BusWorld:
    """Services, event types and buses of one test."""

    backend: BusBackend
    suffix: str = field(default_factory=lambda: uuid4().hex[:12])
    registry: EventRegistry = field(default_factory=EventRegistry)
    buses: list[EventBus] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.Happened = self.event_class("happened")
        self.Ended = self.event_class("ended")

    def event_class(
        self, name: str, *, version: int = 1, register: bool = True
    ) -> type[Event]:
        """A type of event that only this test knows."""
        event_type = f"test_{self.suffix}.{name}"
        members = {
            "__module__": __name__,
            "__annotations__": {
                "event_type": Literal[event_type],
                "schema_version": Literal[version],
            },
            "event_type": event_type,
            "schema_version": version,
        }
        cls = cast("type[Event]", type(name.title(), (BaseEvent[Happening],), members))
        return self.registry.register(cls) if register else cls

    def event(
        self,
        number: int = 0,
        *,
        thing: str | None = "a",
        note: str = "",
        cls: type[Event] | None = None,
        **members: Any,
    ) -> Event:
        """A happening."""
        make: Any = cls or self.Happened
        payload = Happening(thing=thing, number=number, note=note)
        event: Event = make(payload=payload, **members)
        return event

    def service(self, name: str = "one") -> str:
        """The name of a service that only this test knows."""
        return f"{name}-{self.suffix}"

    def bus(self, service: str = "one", **options: Any) -> EventBus:
        """A bus, which is stopped after the test."""
        options = {"registry": self.registry} | options
        bus = self.backend.bus(self.service(service), **options)
        self.buses.append(bus)
        return bus

    async def start(self, *buses: EventBus) -> None:
        """Start them, and wait until they consume."""
        for bus in buses:
            await bus.start()
        for bus in buses:
            await _eventually(bus, _passes)

    async def publisher(self, **options: Any) -> EventBus:
        """A bus without handlers, started."""
        bus = self.bus("publisher", **options)
        await self.start(bus)
        return bus

    async def dead_letters(self, consumer: str, number: int) -> list[StoredMessage]:
        """The dead letters of a handler, as soon as there are so many."""

        async def letters(consumer: str) -> list[StoredMessage] | None:
            found = await self.backend.dead_letters(consumer)
            return found if len(found) >= number else None

        return await _eventually(consumer, letters)

    async def unrouted(self, event_type: str, number: int) -> int:
        """How many events were not wanted, as soon as there are so many."""

        async def kept(event_type: str) -> int | None:
            found = await self.backend.unrouted(event_type)
            return found if found >= number else None

        return await _eventually(event_type, kept)

    async def close(self) -> None:
        """Stop what is not stopped."""
        for bus in reversed(self.buses):
            await bus.stop(timeout=5)


class Seen(list[int]):
    """A handler that notes the numbers of its events; `then` does the rest."""

    def __init__(self, then: Callable[[Event], Awaitable[object]] | None = None):
        super().__init__()
        self.events: list[Event] = []
        self.attempts: list[int] = []
        self.headers: list[Mapping[str, Any]] = []
        self._then = then

    async def handler(self, event: Event) -> None:
        delivery = current_delivery()
        assert delivery is not None
        self.append(event.payload.number)
        self.events.append(event)
        self.attempts.append(delivery.attempt)
        self.headers.append(delivery.headers)
        if self._then is not None:
            await self._then(event)

    async def until(self, number: int) -> None:
        """Wait for so many calls."""
        await until(lambda: len(self) >= number)


async def until(condition: Callable[[], object]) -> None:
    """Wait for *condition*."""

    async def holds(condition: Callable[[], object]) -> object:
        return condition() or None

    await _eventually(condition, holds)


async def _eventually(of: T, ask: Callable[[T], Awaitable[R | None]]) -> R:
    """What *ask* finds, as soon as that is not None."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await ask(of)
            if found is not None:
                return found
            await asyncio.sleep(0.01)


async def _passes(bus: EventBus) -> bool | None:
    try:
        await bus.check()
    except BrokerUnavailableException:
        return None
    return True


class _MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class BusContract:
    """The rules. A subclass has a fixture ``backend``."""

    @pytest.fixture
    def backend(self) -> BusBackend:
        """The broker under test."""
        raise NotImplementedError

    @pytest.fixture
    async def world(self, backend: BusBackend) -> AsyncIterator[BusWorld]:
        """What the test may use."""
        world = BusWorld(backend)
        yield world
        await world.close()

    # Delivery

    async def test_every_subscription_gets_the_event(self, world: BusWorld) -> None:
        """Of one service and of others; it is the same event."""
        first, second, third = Seen(), Seen(), Seen()
        one, two = world.bus("one"), world.bus("two")
        one.subscribe(world.Happened, first.handler, name="first")
        one.subscribe(world.Happened, second.handler, name="second")
        two.subscribe(world.Happened, third.handler, name="first")
        await world.start(one, two)
        event = world.event(7, note="é\u2028")
        await one.publish(event)
        for seen in (first, second, third):
            await seen.until(1)

        assert first.events == second.events == third.events == [event]
        assert first.attempts == [1]

    async def test_a_subscription_has_its_types_and_no_others(
        self, world: BusWorld
    ) -> None:
        """Several types go to one handler, each event once."""
        both, ended = Seen(), Seen()
        bus = world.bus()
        bus.subscribe([world.Happened, world.Ended], both.handler, name="both")
        bus.subscribe(world.Ended, ended.handler, name="ended")
        await world.start(bus)
        await bus.publish(world.event(1))
        await bus.publish(world.event(2, cls=world.Ended))
        await both.until(2)
        await ended.until(1)

        assert (sorted(both), ended) == ([1, 2], [2])

    async def test_many_are_published_in_their_order(self, world: BusWorld) -> None:
        """Each is answered for, and one handler at a time sees them in order."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=1)
        await world.start(bus)
        write = MessageWriter().write
        results = await bus.publish_messages([write(world.event(n)) for n in range(50)])
        await seen.until(50)

        assert results == [None] * 50
        assert seen == list(range(50))

    async def test_no_messages_are_no_work(self, world: BusWorld) -> None:
        """An empty batch has an empty answer."""
        bus = await world.publisher()

        assert await bus.publish_messages([]) == []

    async def test_an_event_may_come_twice(self, world: BusWorld) -> None:
        """The bus removes no duplicates: that is the inbox's."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen")
        await world.start(bus)
        event = world.event()
        await bus.publish(event)
        await bus.publish(event)
        await seen.until(2)

        assert seen.events == [event, event]

    async def test_processes_of_a_service_share_its_events(
        self, world: BusWorld
    ) -> None:
        """Both work at once, and each event is handled by one of them."""
        both = asyncio.Barrier(2)

        async def meet(event: Event) -> None:
            if event.payload.number < 2:
                await both.wait()

        seen = [Seen(meet), Seen(meet)]
        buses = [world.bus(), world.bus()]
        for bus, each in zip(buses, seen, strict=True):
            bus.subscribe(world.Happened, each.handler, name="seen", concurrency=1)
        await world.start(*buses)
        for number in range(20):
            await buses[0].publish(world.event(number))
        await until(lambda: len(seen[0]) + len(seen[1]) >= 20)

        assert sorted(seen[0] + seen[1]) == list(range(20))
        assert seen[0]
        assert seen[1]

    async def test_a_handler_may_publish_what_it_gets_itself(
        self, world: BusWorld
    ) -> None:
        """A chain of events does not block on itself."""
        bus = world.bus()

        async def next_one(event: Event) -> None:
            if event.payload.number:
                await bus.publish(world.event(event.payload.number - 1))

        seen = Seen(next_one)
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=1)
        await world.start(bus)
        await bus.publish(world.event(20))
        await seen.until(21)

        assert seen == list(range(20, -1, -1))

    # Failures

    async def test_a_failure_is_tried_again_at_once(self, world: BusWorld) -> None:
        """As often as the policy says, and a success ends it."""

        async def third_time(_: Event) -> None:
            if len(seen) < 3:
                raise ValueError("not yet")

        seen = Seen(third_time)
        bus = world.bus()
        policy = FailurePolicy(immediate_retries=2, delays=())
        bus.subscribe(world.Happened, seen.handler, name="seen", policy=policy)
        await world.start(bus)
        await bus.publish(world.event())
        await seen.until(3)
        await bus.publish(world.event(1))
        await seen.until(4)

        assert seen.attempts == [1, 2, 3, 1]

    async def test_a_failure_is_tried_again_later(self, world: BusWorld) -> None:
        """Attempts are counted over all rounds, and headers say what happened."""

        async def third_round(_: Event) -> None:
            if len(seen) <= 4:
                raise ValueError("the password is hunter2")

        seen = Seen(third_round)
        bus = world.bus()
        policy = FailurePolicy(immediate_retries=1, delays=(0.05, 0.1))
        bus.subscribe(world.Happened, seen.handler, name="seen", policy=policy)
        await world.start(bus)
        event = world.event()
        await bus.publish(event)
        await seen.until(5)
        headers = seen.headers[4]
        history = json.loads(headers["x-history"])

        assert seen.events == [event] * 5
        assert seen.attempts == [1, 2, 3, 4, 5]
        assert (headers["x-round"], headers["x-attempts"]) == (2, 4)
        assert [failure["error"] for failure in history] == ["ValueError"] * 2
        assert headers["correlation_id"] == event.correlation_id
        assert "hunter2" not in str(headers)

    async def test_others_have_their_turn_during_a_delay(self, world: BusWorld) -> None:
        """An event that waits for another round is behind those that waited."""

        async def first_round(event: Event) -> None:
            if event.payload.number == 0 and len(seen) == 1:
                raise ValueError

        seen = Seen(first_round)
        bus = world.bus()
        policy = FailurePolicy(immediate_retries=0, delays=(0.3,))
        bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=policy, concurrency=1
        )
        await world.start(bus)
        write = MessageWriter().write
        await bus.publish_messages([write(world.event(n)) for n in range(4)])
        await seen.until(5)

        assert seen == [0, 1, 2, 3, 0]

    async def test_the_last_failure_makes_a_dead_letter(self, world: BusWorld) -> None:
        """With what came, whose fault it was, and how often it was tried."""

        async def fail(_: Event) -> None:
            raise ValueError("the password is hunter2")

        seen = Seen(fail)
        bus = world.bus()
        subscription = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=LATER
        )
        await world.start(bus)
        event = world.event()
        await bus.publish(event)
        (letter,) = await world.dead_letters(subscription.consumer, 1)
        history = json.loads(letter.headers["x-history"])

        assert seen.attempts == [1, 2, 3]
        assert letter.body == event.encode()
        assert letter.headers["correlation_id"] == event.correlation_id
        assert letter.headers["x-reason"] == "exhausted"
        assert letter.headers["x-consumer"] == subscription.consumer
        assert letter.headers["x-error"] == "ValueError"
        assert letter.headers["x-attempts"] == 3
        assert letter.headers["x-traceback-digest"] == history[-1]["digest"]
        assert [failure["round"] for failure in history] == [1, 2, 3]
        assert "hunter2" not in str(letter)

    async def test_some_errors_are_never_retried(self, world: BusWorld) -> None:
        """What another try can't heal is a dead letter at once."""

        async def fail(_: Event) -> None:
            raise KeyError

        seen = Seen(fail)
        bus = world.bus()
        policy = replace(LATER, immediate_retries=5, never_retry=(LookupError,))
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=policy
        ).consumer
        await world.start(bus)
        await bus.publish(world.event())
        (letter,) = await world.dead_letters(consumer, 1)

        assert seen.attempts == [1]
        assert letter.headers["x-reason"] == "rejected"

    async def test_a_handler_that_hangs_is_cancelled_and_tried_again(
        self, world: BusWorld
    ) -> None:
        """Its time is its deadline, which it can see."""
        deadlines = []

        async def hang_once(_: Event) -> None:
            deadlines.append(current_deadline())
            if len(seen) == 1:
                await asyncio.Event().wait()

        seen = Seen(hang_once)
        bus = world.bus()
        policy = replace(LATER, timeout=0.2)
        bus.subscribe(world.Happened, seen.handler, name="seen", policy=policy)
        await world.start(bus)
        await bus.publish(world.event())
        await seen.until(2)
        (failure,) = json.loads(seen.headers[1]["x-history"])

        assert seen.attempts == [1, 2]
        assert failure["error"] == "shared.resilience._errors.DeadlineExceededError"
        assert None not in deadlines

    @pytest.mark.parametrize(
        "error",
        [
            Exception,
            lambda: ExceptionGroup("several", [ValueError("one")]),
            asyncio.CancelledError,
            TimeoutError,
            StopAsyncIteration,
            RecursionError,
            _MuteError,
        ],
    )
    async def test_no_error_loses_the_event(
        self, world: BusWorld, error: Callable[[], BaseException]
    ) -> None:
        """Whatever is raised, and the next event is handled."""

        async def fail_first(event: Event) -> None:
            if event.payload.number == 0:
                raise error()

        seen = Seen(fail_first)
        bus = world.bus()
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=ONCE, concurrency=1
        ).consumer
        await world.start(bus)
        await bus.publish(world.event(0))
        await bus.publish(world.event(1))
        await world.dead_letters(consumer, 1)
        await seen.until(2)

        assert seen == [0, 1]

    async def test_a_handler_that_cancels_its_own_task_has_failed(
        self, world: BusWorld
    ) -> None:
        """As some libraries do to time out; the bus does not take it for its end."""

        async def cancel_itself(event: Event) -> None:
            if event.payload.number < 2:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            if event.payload.number == 1:
                await asyncio.sleep(0)

        seen = Seen(cancel_itself)
        bus = world.bus()
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=ONCE, concurrency=1
        ).consumer
        await world.start(bus)
        for number in range(3):
            await bus.publish(world.event(number))
        letters = await world.dead_letters(consumer, 2)
        await until(lambda: 2 in seen)

        assert {letter.headers["x-reason"] for letter in letters} == {"exhausted"}

    # What is no event

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda body: b"", "malformed"),
            (lambda body: b"{", "malformed"),
            (lambda body: b"[]", "malformed"),
            (lambda body: b"\xff\xfe", "malformed"),
            (lambda body: body + b"}", "malformed"),
            (lambda body: body.replace(b'"event_id"', b'"id"'), "malformed"),
            (lambda body: body.replace(b'"number":0', b'"number":"0"'), "malformed"),
            (lambda body: body.replace(b'Z"', b'"'), "malformed"),
            (lambda body: body.replace(b'"note":""', b'"note":1'), "malformed"),
            (lambda body: body.replace(b".happened", b".odd"), "unknown_schema"),
            (
                lambda body: body.replace(
                    b'"schema_version":1', b'"schema_version":99'
                ),
                "unknown_schema",
            ),
        ],
        ids=[
            *("empty", "cut", "array", "binary", "longer", "no-id", "wrong-type"),
            *("naive", "wrong-type-2", "unknown-type", "unknown-version"),
        ],
    )
    async def test_what_is_no_event_is_a_dead_letter_at_once(
        self, world: BusWorld, change: Callable[[bytes], bytes], reason: str
    ) -> None:
        """Whole, without a try, and it does not keep the next from being handled."""
        seen = Seen()
        bus = world.bus()
        consumer = bus.subscribe(world.Happened, seen.handler, name="seen").consumer
        await world.start(bus)
        good = MessageWriter().write(world.event())
        bad = replace(good, body=change(good.body))
        await bus.publish_messages([bad, good])
        (letter,) = await world.dead_letters(consumer, 1)
        await seen.until(1)

        assert bad.body != good.body
        assert letter.body == bad.body
        assert letter.headers["x-reason"] == reason
        assert letter.headers["x-consumer"] == consumer
        assert letter.headers["x-attempts"] == 0
        assert seen == [0]

    async def test_an_event_of_a_type_nobody_subscribed_here_is_unknown(
        self, world: BusWorld
    ) -> None:
        """The routing key says one type and the body another, which has a class."""
        seen = Seen()
        bus = world.bus()
        consumer = bus.subscribe(world.Happened, seen.handler, name="seen").consumer
        await world.start(bus)
        message = MessageWriter().write(world.event(cls=world.Ended))
        key = MessageWriter().write(world.event()).event_type
        await bus.publish_messages([replace(message, event_type=key)])
        (letter,) = await world.dead_letters(consumer, 1)

        assert letter.headers["x-reason"] == "unknown_schema"
        assert seen == []

    async def test_what_is_larger_than_readers_read_is_a_dead_letter(
        self, world: BusWorld
    ) -> None:
        """Its body is kept all the same."""
        bus = world.bus(max_bytes=1000)
        consumer = bus.subscribe(world.Happened, Seen().handler, name="seen").consumer
        await world.start(bus)
        message = MessageWriter().write(world.event(note="x" * 1000))
        await bus.publish_messages([message])
        (letter,) = await world.dead_letters(consumer, 1)

        assert letter.body == message.body
        assert letter.headers["x-reason"] == "malformed"

    async def test_what_is_larger_than_writers_write_is_refused(
        self, world: BusWorld
    ) -> None:
        """At once, and nothing of it arrives."""
        seen = Seen()
        bus = world.bus(writer=MessageWriter(max_bytes=1000))
        bus.subscribe(world.Happened, seen.handler, name="seen")
        await world.start(bus)
        with pytest.raises(EventTooLargeError, match="may have 1000"):
            await bus.publish(world.event(1, note="x" * 1000))
        await bus.publish(world.event(2))
        await seen.until(1)

        assert seen == [2]

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-round": "rubbish", "x-attempts": "-5", "x-history": "{"},
            {"x-history": "[" * 50_000},
            {"x-history": '[{"round": Infinity, "at": 1}]', "x-round": "1e400"},
            {"cloudEvents": "no", "ce": "neither", "traceparent": "00-rubbish"},
        ],
    )
    async def test_headers_of_others_do_no_harm(
        self, world: BusWorld, headers: dict[str, str]
    ) -> None:
        """What is not as we write it counts as absent."""

        async def fail_once(_: Event) -> None:
            if len(seen) == 1:
                raise ValueError

        seen = Seen(fail_once)
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", policy=LATER)
        await world.start(bus)
        message = MessageWriter().write(world.event())
        await bus.publish_messages([replace(message, headers=headers)])
        await seen.until(2)

        assert seen.attempts == [1, 2]
        assert len(json.loads(seen.headers[1]["x-history"])) == 1

    # Unrouted

    async def test_an_event_that_nobody_wants_is_kept(self, world: BusWorld) -> None:
        """It is no error, and what comes after it is delivered."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen")
        await world.start(bus)
        unwanted = world.event(cls=world.Ended)
        for _ in range(3):
            await bus.publish(unwanted)
        await bus.publish(world.event())
        await seen.until(1)

        assert await world.unrouted(unwanted.event_type, 3) == 3
        assert await world.backend.unrouted(seen.events[0].event_type) == 0

    # Order and concurrency

    async def test_events_of_an_aggregate_are_handled_in_order(
        self, world: BusWorld
    ) -> None:
        """One at a time, while those of others are handled beside them."""
        running: dict[str | None, int] = {}
        most = 0
        overlaps = 0
        chance = random.Random(1)  # noqa: S311 - not for secrets

        async def take_a_while(event: Event) -> None:
            nonlocal most, overlaps
            thing = event.payload.thing
            overlaps += running.get(thing, 0)
            running[thing] = running.get(thing, 0) + 1
            most = max(most, sum(running.values()))
            await asyncio.sleep(chance.random() / 100)
            running[thing] -= 1

        seen = Seen(take_a_while)
        bus = world.bus()
        bus.subscribe(
            world.Happened, seen.handler, name="seen", ordered=True, concurrency=4
        )
        await world.start(bus)
        write = MessageWriter().write
        events = [world.event(n, thing=t) for n in range(20) for t in "abcdef"]
        await bus.publish_messages([write(event) for event in events])
        await seen.until(120)
        by_thing = {
            thing: [e.payload.number for e in seen.events if e.payload.thing == thing]
            for thing in "abcdef"
        }

        assert by_thing == {thing: list(range(20)) for thing in "abcdef"}
        assert overlaps == 0
        assert 1 < most <= 4

    async def test_an_aggregate_waits_while_its_event_is_retried(
        self, world: BusWorld
    ) -> None:
        """And others go on, in the place that it does not need meanwhile."""
        log: list[str] = []

        async def fail_until_b_is_through(event: Event) -> None:
            name = f"{event.payload.thing}{event.payload.number}"
            if name == "a0" and "b2" not in log:
                raise ValueError
            log.append(name)

        seen = Seen(fail_until_b_is_through)
        bus = world.bus()
        bus.subscribe(
            world.Happened,
            seen.handler,
            name="seen",
            ordered=True,
            concurrency=1,
            policy=FailurePolicy(immediate_retries=0, delays=(0.1,) * 100, timeout=5),
        )
        await world.start(bus)
        write = MessageWriter().write
        events = [world.event(n, thing=t) for t in "ab" for n in range(3)]
        await bus.publish_messages([write(event) for event in events])
        await until(lambda: len(log) == 6)

        assert log == ["b0", "b1", "b2", "a0", "a1", "a2"]
        assert seen.attempts[0] == 1
        assert max(seen.attempts) > 1

    async def test_an_aggregate_goes_on_after_a_dead_letter(
        self, world: BusWorld
    ) -> None:
        """It is held for as long as there is hope, and not for ever."""

        async def fail_first(event: Event) -> None:
            if event.payload.number == 0:
                raise ValueError

        seen = Seen(fail_first)
        bus = world.bus()
        policy = replace(LATER, timeout=5.0)
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", ordered=True, policy=policy
        ).consumer
        await world.start(bus)
        for number in range(3):
            await bus.publish(world.event(number))
        (letter,) = await world.dead_letters(consumer, 1)
        await seen.until(5)

        assert seen == [0, 0, 0, 1, 2]
        assert letter.headers["x-attempts"] == 3

    async def test_events_about_nothing_have_no_order(self, world: BusWorld) -> None:
        """Without an aggregate, an ordered handler takes them side by side."""
        together = asyncio.Barrier(3)

        async def meet(_: Event) -> None:
            await together.wait()

        seen = Seen(meet)
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", ordered=True)
        await world.start(bus)
        for number in range(3):
            await bus.publish(world.event(number, thing=None))
        await until(lambda: not together.n_waiting and len(seen) == 3)

        assert sorted(seen) == [0, 1, 2]

    async def test_no_more_are_handled_at_once_than_allowed(
        self, world: BusWorld
    ) -> None:
        """And no fewer, where there are enough."""
        running, most = 0, 0
        gate = asyncio.Event()

        async def wait(_: Event) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1

        seen = Seen(wait)
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=3)
        await world.start(bus)
        for number in range(12):
            await bus.publish(world.event(number))
        await until(lambda: running == 3)
        gate.set()
        await seen.until(12)

        assert most == 3

    async def test_a_slow_handler_holds_up_nobody_else(self, world: BusWorld) -> None:
        """Its events wait in its queue; publishers and other handlers don't."""
        gate = asyncio.Event()

        async def wait(_: Event) -> None:
            await gate.wait()

        slow, fast = Seen(wait), Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, slow.handler, name="slow", concurrency=2)
        bus.subscribe(world.Happened, fast.handler, name="fast")
        await world.start(bus)
        write = MessageWriter().write
        await bus.publish_messages([write(world.event(n)) for n in range(300)])
        await fast.until(300)
        before = len(slow)
        gate.set()
        await slow.until(300)

        assert before <= 2
        assert sorted(slow) == sorted(fast) == list(range(300))

    # Context

    async def test_a_handler_runs_in_the_context_of_its_event(
        self, world: BusWorld
    ) -> None:
        """Ids and trace are those of whoever published, and go on from there."""
        found: list[tuple[str | None, str | None]] = []
        bus = world.bus()

        async def publish_more(event: Event) -> None:
            trace = trace_context_var.get()
            found.append((correlation_id_var.get(), trace and trace.trace_id))
            if event.payload.number == 1:
                await bus.publish(world.event(2))

        seen = Seen(publish_more)
        bus.subscribe(world.Happened, seen.handler, name="seen")
        await world.start(bus)
        trace = parse_traceparent(TRACEPARENT)
        token = trace_context_var.set(trace)
        event = world.event(1, correlation_id="request-1")
        await bus.publish(event)
        trace_context_var.reset(token)
        await seen.until(2)
        first, second = seen.headers

        assert trace is not None
        assert found == [("request-1", trace.trace_id)] * 2
        assert first["correlation_id"] == second["correlation_id"] == "request-1"
        assert first["traceparent"] == second["traceparent"] == TRACEPARENT
        assert seen.events[1].correlation_id == "request-1"
        assert seen.events[1].causation_id == event.event_id
        assert second["causation_id"] == str(event.event_id)
        assert "causation_id" not in first

    async def test_no_event_sees_the_context_of_another(self, world: BusWorld) -> None:
        """Nor that of who started the bus, or happened to publish meanwhile."""
        found: list[tuple[str | None, object, str]] = []

        async def look(_: Event) -> None:
            trace = trace_context_var.get()
            found.append((correlation_id_var.get(), trace, _whose.get()))
            trace_context_var.set(parse_traceparent(TRACEPARENT))
            _whose.set("the last handler's")

        seen = Seen(look)
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=1)
        trace_context_var.set(parse_traceparent(TRACEPARENT))
        correlation_id_var.set("of-the-starter")
        _whose.set("the starter's")
        await world.start(bus)
        trace_context_var.set(None)
        _whose.set("the publisher's")
        for number in range(3):
            await bus.publish(world.event(number, correlation_id=f"request-{number}"))
        await seen.until(3)

        assert found == [(f"request-{number}", None, "nobody's") for number in range(3)]

    @pytest.mark.parametrize("wire", Wire)
    async def test_every_mode_is_read(self, world: BusWorld, wire: Wire) -> None:
        """Whatever the reader itself writes; the event is the same."""

        async def fail_once(_: Event) -> None:
            if len(seen) == 1:
                raise ValueError

        seen = Seen(fail_once)
        bus = world.bus("reader")
        bus.subscribe(world.Happened, seen.handler, name="seen", policy=LATER)
        await world.start(bus)
        writer = MessageWriter(wire=wire, source="/writer")
        publisher = await world.publisher(writer=writer)
        event = world.event(3, note="é")
        await publisher.publish(event)
        await seen.until(2)
        headers = seen.headers[1]

        assert seen.events == [event, event]
        assert seen.attempts == [1, 2]
        assert headers["correlation_id"] == event.correlation_id
        assert ("cloudEvents_id" in headers) is (wire is Wire.CLOUDEVENTS_BINARY)

    # Start and stop

    async def test_stop_waits_for_handlers_and_leaves_the_rest(
        self, world: BusWorld
    ) -> None:
        """What runs is finished and settled; what waits goes to the next process."""
        gate = asyncio.Event()

        async def wait(_: Event) -> None:
            await gate.wait()

        first, second = Seen(wait), Seen()
        old, new = world.bus(), world.bus()
        old.subscribe(world.Happened, first.handler, name="seen", concurrency=1)
        new.subscribe(world.Happened, second.handler, name="seen", concurrency=1)
        await world.start(old)
        for number in range(5):
            await old.publish(world.event(number))
        await first.until(1)
        stopping = asyncio.create_task(old.stop())
        await asyncio.sleep(0)
        gate.set()
        await stopping
        await world.start(new)
        await second.until(4)

        assert first == [0]
        assert second == [1, 2, 3, 4]

    async def test_a_handler_that_does_not_end_is_cancelled_by_stop(
        self, world: BusWorld
    ) -> None:
        """Its event is delivered again, to the next process."""

        async def hang(_: Event) -> None:
            await asyncio.Event().wait()

        first, second = Seen(hang), Seen()
        old, new = world.bus(), world.bus()
        old.subscribe(world.Happened, first.handler, name="seen")
        new.subscribe(world.Happened, second.handler, name="seen")
        await world.start(old)
        event = world.event()
        await old.publish(event)
        await first.until(1)
        await old.stop(timeout=0.1)
        await world.start(new)
        await second.until(1)

        assert second.events == [event]
        assert second.attempts == [1]

    async def test_a_delay_outlives_the_bus(self, world: BusWorld) -> None:
        """An event that waits for another round has it in the next process."""
        told: list[Observation] = []

        async def fail(_: Event) -> None:
            raise ValueError

        first, second = Seen(fail), Seen()
        old, new = world.bus(observe=told.append), world.bus()
        policy = FailurePolicy(immediate_retries=0, delays=(0.3,))
        for bus, seen in ((old, first), (new, second)):
            bus.subscribe(world.Happened, seen.handler, name="seen", policy=policy)
        await world.start(old)
        await old.publish(world.event())
        await until(lambda: Outcome.RETRIED in [each.outcome for each in told])
        await old.stop()
        await world.start(new)
        await second.until(1)

        assert (first.attempts, second.attempts) == ([1], [2])

    async def test_stop_does_not_wait_for_what_is_held(self, world: BusWorld) -> None:
        """An ordered event and those behind it go to the next process, in order."""
        told: list[Observation] = []

        async def fail(_: Event) -> None:
            raise ValueError

        first, second = Seen(fail), Seen()
        old, new = world.bus(observe=told.append), world.bus()
        policy = FailurePolicy(immediate_retries=0, delays=(600.0,))
        for bus, seen in ((old, first), (new, second)):
            bus.subscribe(
                world.Happened, seen.handler, name="seen", ordered=True, policy=policy
            )
        await world.start(old)
        for number in range(5):
            await old.publish(world.event(number))
        await until(lambda: Outcome.RETRIED in [each.outcome for each in told])
        async with asyncio.timeout(PATIENCE):
            await old.stop(timeout=PATIENCE * 2)
        await world.start(new)
        await second.until(5)

        assert first == [0]
        assert second == [0, 1, 2, 3, 4]

    async def test_a_handler_that_ends_during_stop_may_publish(
        self, world: BusWorld
    ) -> None:
        """What it says last is not lost."""
        gate = asyncio.Event()
        bus, other = world.bus("one"), world.bus("two")

        async def wait_and_publish(_: Event) -> None:
            await gate.wait()
            await bus.publish(world.event(1, cls=world.Ended))

        first, last = Seen(wait_and_publish), Seen()
        bus.subscribe(world.Happened, first.handler, name="seen", policy=ONCE)
        other.subscribe(world.Ended, last.handler, name="last")
        await world.start(bus, other)
        await bus.publish(world.event())
        await first.until(1)
        stopping = asyncio.create_task(bus.stop())
        await asyncio.sleep(0)
        gate.set()
        await stopping
        await last.until(1)

        assert last == [1]

    async def test_starting_and_stopping_twice_is_the_same(
        self, world: BusWorld
    ) -> None:
        """Neither harms, and each event is still handled once."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=1)
        await bus.stop()
        await world.start(bus)
        await world.start(bus)
        await bus.publish(world.event(0))
        await bus.publish(world.event(1))
        await seen.until(2)
        await asyncio.gather(bus.stop(), bus.stop())
        await bus.stop()

        assert seen == [0, 1]

    async def test_a_bus_is_a_context(self, world: BusWorld) -> None:
        """Started inside, stopped behind."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen")
        async with bus as same:
            await world.start(bus)
            await bus.publish(world.event())
            await seen.until(1)

        assert same is bus
        with pytest.raises(RuntimeError, match="not started"):
            await bus.publish(world.event())

    async def test_a_bus_that_is_not_started_takes_nothing(
        self, world: BusWorld
    ) -> None:
        """Nor does it say that all is well."""
        bus = world.bus()
        message = MessageWriter().write(world.event())

        with pytest.raises(RuntimeError, match="not started"):
            await bus.publish(world.event())
        with pytest.raises(RuntimeError, match="not started"):
            await bus.publish_messages([message])
        with pytest.raises(BrokerUnavailableException, match="not started"):
            await bus.check()

    async def test_a_bus_shows_its_subscriptions(self, world: BusWorld) -> None:
        """In their order, before it is started and while it runs."""
        bus = world.bus()
        assert bus.subscriptions == ()
        made = [
            bus.subscribe(world.Happened, Seen().handler, name="first"),
            bus.subscribe([world.Happened, world.Ended], Seen().handler, name="second"),
        ]
        before = bus.subscriptions
        await world.start(bus)

        assert before == bus.subscriptions == tuple(made)

    async def test_subscriptions_are_made_before_the_start(
        self, world: BusWorld
    ) -> None:
        """Later ones would miss events without anybody noticing."""
        bus = await world.publisher()

        with pytest.raises(RuntimeError, match="before"):
            bus.subscribe(world.Happened, Seen().handler, name="seen")

    async def test_a_handler_can_not_stop_its_bus(self, world: BusWorld) -> None:
        """It would wait for itself."""
        errors: list[BaseException] = []
        bus = world.bus()

        async def stop(_: Event) -> None:
            try:
                await bus.stop()
            except RuntimeError as error:
                errors.append(error)

        seen = Seen(stop)
        bus.subscribe(world.Happened, seen.handler, name="seen", policy=ONCE)
        await world.start(bus)
        await bus.publish(world.event())
        await until(lambda: errors)
        await bus.publish(world.event())
        await seen.until(2)

        assert "can't stop its bus" in str(errors[0])

    async def test_a_publish_that_is_cancelled_leaves_the_bus_in_order(
        self, world: BusWorld
    ) -> None:
        """Its event may be there or not; those after it are."""
        seen = Seen()
        bus = world.bus()
        bus.subscribe(world.Happened, seen.handler, name="seen", concurrency=1)
        await world.start(bus)
        publishing = [
            asyncio.create_task(bus.publish(world.event(number)))
            for number in range(20)
        ]
        await asyncio.sleep(0)
        for task in publishing:
            task.cancel()
        await asyncio.gather(*publishing, return_exceptions=True)
        await bus.publish(world.event(99))
        await until(lambda: 99 in seen)

        assert len(seen) == len(set(seen))

    # Subscriptions that can't work

    async def test_a_wrong_subscription_is_refused_at_once(
        self, world: BusWorld
    ) -> None:
        """With the rule it breaks, and the bus works as if nothing had been."""
        seen = Seen()
        bus = world.bus()
        stranger = world.event_class("stranger", register=False)
        wild: Any = "user.*"

        def not_async(_: Event) -> Any: ...

        bus.subscribe(world.Happened, seen.handler, name="seen")
        with pytest.raises(SubscriptionError, match="named 'seen' already"):
            bus.subscribe(world.Ended, seen.handler, name="seen")
        with pytest.raises(SubscriptionError, match="in no registry"):
            bus.subscribe(stranger, seen.handler, name="two")
        with pytest.raises(SubscriptionError, match="no patterns"):
            bus.subscribe(wild, seen.handler, name="two")
        with pytest.raises(SubscriptionError, match="async function"):
            bus.subscribe(world.Happened, not_async, name="two")
        with pytest.raises(SubscriptionError, match="name must be"):
            bus.subscribe(world.Happened, seen.handler, name="two.*")
        with pytest.raises(SubscriptionError, match="'dead' or 'retry'"):
            bus.subscribe(world.Happened, seen.handler, name="seen.dead")
        await world.start(bus)
        await bus.publish(world.event(1))
        await seen.until(1)

        assert seen == [1]

    async def test_a_queue_that_is_declared_otherwise_is_refused(
        self, world: BusWorld
    ) -> None:
        """Nothing is half-declared, and who has the queue goes on."""
        seen = Seen()
        good, bad = world.bus(), world.bus()
        good.subscribe(world.Happened, seen.handler, name="seen")
        bad.subscribe(world.Ended, seen.handler, name="another")
        bad.subscribe(world.Happened, seen.handler, name="seen", ordered=True)
        await world.start(good)
        with pytest.raises(TopologyError, match="seen"):
            await bad.start()
        ended = world.event(2, cls=world.Ended)
        await good.publish(ended)
        await good.publish(world.event(1))
        await seen.until(1)

        assert seen == [1]
        assert await world.unrouted(ended.event_type, 1) == 1

    # What is told

    async def test_the_hook_is_told_of_each_outcome(self, world: BusWorld) -> None:
        """With the type and the handler, and its errors are nobody's."""
        told: list[Observation] = []

        def observe(observation: Observation) -> None:
            told.append(observation)
            raise ValueError("a metric")

        async def fail_odd_ones(event: Event) -> None:
            if event.payload.number % 2:
                raise ValueError

        seen = Seen(fail_odd_ones)
        bus = world.bus(observe=observe)
        policy = FailurePolicy(immediate_retries=0, delays=(0.05,))
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=policy
        ).consumer
        await world.start(bus)
        for number in range(4):
            await bus.publish(world.event(number))
        await until(lambda: len(told) >= 10)
        counts = {
            (each.outcome, each.consumer): [e.outcome for e in told].count(each.outcome)
            for each in told
        }

        assert counts == {
            (Outcome.PUBLISHED, None): 4,
            (Outcome.HANDLED, consumer): 2,
            (Outcome.RETRIED, consumer): 2,
            (Outcome.DEAD, consumer): 2,
        }
        assert {each.event_type for each in told} == {seen.events[0].event_type}
        assert min(each.seconds for each in told) >= 0
