from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

import pytest

from shared.events import (
    BaseEvent,
    EventPayload,
    TeamDeletedEvent,
    UserDeletedEvent,
    UserDeletedPayload,
    UserRegisteredEvent,
    UserRegisteredPayload,
)
from shared.messaging import (
    BrokerUnavailableException,
    FailurePolicy,
    MessageWriter,
    Wire,
    current_delivery,
)
from shared.testing import FakeClock
from shared.testing.messaging import (
    RecordingBus,
    assert_nothing_published,
    assert_published,
    settled,
)

USER = UUID("7ad29fee-3ed3-4ee2-8d5c-6c4fe6d4e6a5")
ONCE = FailurePolicy(immediate_retries=0, delays=())


class NotedPayload(EventPayload):
    """Of a type of event that is in no registry."""

    text: str


class NotedEvent(BaseEvent[NotedPayload]):
    """Somebody noted something."""

    event_type: Literal["note.taken"] = "note.taken"
    schema_version: Literal[1] = 1


def _registered(email: str = "ada@example.com") -> UserRegisteredEvent:
    payload = UserRegisteredPayload(
        user_id=USER, email=email, verification_token="hunter2"
    )
    return UserRegisteredEvent(payload=payload)


def _deleted() -> UserDeletedEvent:
    payload = UserDeletedPayload(user_id=USER, requested_by="user")
    return UserDeletedEvent(payload=payload)


class _Handler:
    def __init__(self) -> None:
        self.attempts: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()

    async def handle(self, _: BaseEvent[Any]) -> None:
        delivery = current_delivery()
        assert delivery is not None
        self.attempts.append(delivery.attempt)
        self.called.set()
        await self.gate.wait()


@pytest.fixture
def handler() -> _Handler:
    """One whose gate is open."""
    return _Handler()


@pytest.fixture
async def bus(handler: _Handler) -> AsyncIterator[RecordingBus]:
    """A bus in fake time, with that handler."""
    clock = FakeClock()
    bus = RecordingBus(
        "accounts", now=clock, clock=clock.monotonic, sleep=clock.async_sleep
    )
    policy = FailurePolicy(immediate_retries=0, delays=(3600,) * 3)
    bus.subscribe(UserRegisteredEvent, handler.handle, name="greet", policy=policy)
    async with bus:
        yield bus


async def test_what_was_published_is_there_in_order(bus: RecordingBus) -> None:
    """Also what nobody subscribed to, and what is in no registry."""
    events = [_registered(), _deleted(), NotedEvent(payload=NotedPayload(text="x"))]
    for event in events:
        await bus.publish(event)

    assert bus.published == events


@pytest.mark.parametrize("wire", Wire)
async def test_messages_are_read_in_each_mode(wire: Wire) -> None:
    """As the relay of an outbox publishes them."""
    event = _registered()
    message = MessageWriter(wire=wire, source="/accounts").write(event)
    async with RecordingBus("accounts") as bus:
        assert await bus.publish_messages([message]) == [None]

    assert bus.published == [event]


async def test_the_cause_is_recorded() -> None:
    """An event is recorded as readers get it."""
    bus = RecordingBus("accounts")

    async def delete(_: UserRegisteredEvent) -> None:
        await bus.publish(_deleted())

    bus.subscribe(UserRegisteredEvent, delete)
    async with bus:
        event = _registered()
        await bus.publish(event)
        await settled(bus)

    assert [each.causation_id for each in bus.published] == [None, event.event_id]


async def test_assert_published_gives_the_events(bus: RecordingBus) -> None:
    """Those of the class whose payload says so; a secret may be given as text."""
    first, second = _registered("a@example.com"), _registered("b@example.com")
    await bus.publish(first)
    await bus.publish(second)

    assert assert_published(bus, UserRegisteredEvent, times=2) == [first, second]
    assert assert_published(bus, UserRegisteredEvent, email="b@example.com") == [second]
    assert_published(
        bus, UserRegisteredEvent, times=2, user_id=USER, verification_token="hunter2"
    )
    assert_published(bus, TeamDeletedEvent, times=0)


async def test_assert_published_says_what_was_there_instead(bus: RecordingBus) -> None:
    """All of it but the secrets, those that were expected among them."""
    await bus.publish(_registered("b@example.com"))
    with pytest.raises(AssertionError) as failed:
        assert_published(
            bus, UserRegisteredEvent, email="a@b.c", verification_token="hunter3"
        )
    text = str(failed.value)

    assert "UserRegisteredEvent was published 0 times with email='a@b.c'" in text
    assert "not 1. Published were:\n  UserRegisteredEvent: UserReg" in text
    assert "email='b@example.com'" in text
    assert "hunter" not in text


async def test_assert_published_counts(bus: RecordingBus) -> None:
    """Once more than expected is wrong as well."""
    with pytest.raises(AssertionError, match=r"0 times, not 1\. Nothing was published"):
        assert_published(bus, UserRegisteredEvent)
    await bus.publish(_registered())
    await bus.publish(_registered())

    with pytest.raises(AssertionError, match="published 2 times, not 1"):
        assert_published(bus, UserRegisteredEvent)


async def test_assert_published_knows_the_members(bus: RecordingBus) -> None:
    """A misspelt one would never match, and with times=0 always pass."""
    with pytest.raises(TypeError, match="has no mail, only email, full_name"):
        assert_published(bus, UserRegisteredEvent, times=0, mail="a@b.c")


async def test_a_long_list_is_shortened(bus: RecordingBus) -> None:
    """The latest are shown and the rest is counted."""
    for _ in range(30):
        await bus.publish(_deleted())
    with pytest.raises(AssertionError, match="before UserDeletedEvent 10 times") as it:
        assert_published(bus, UserRegisteredEvent)

    assert str(it.value).count("\n") == 21


async def test_assert_nothing_published(bus: RecordingBus) -> None:
    """At all, or of a type."""
    assert_nothing_published(bus)
    await bus.publish(_deleted())
    assert_nothing_published(bus, UserRegisteredEvent)

    with pytest.raises(AssertionError, match=r"(?s)to be published.*UserDel"):
        assert_nothing_published(bus, UserDeletedEvent)
    with pytest.raises(AssertionError, match=r"(?s)was to be.*requested_by='user'"):
        assert_nothing_published(bus)


async def test_settled_waits_for_retries_that_come_at_once(
    bus: RecordingBus, handler: _Handler
) -> None:
    """Hours of delay are nothing to a fake clock."""
    bus.faults.fail_handler("greet", times=3)
    await bus.publish(_registered())
    await settled(bus)

    assert handler.attempts == [4]


async def test_settled_says_what_is_left(bus: RecordingBus, handler: _Handler) -> None:
    """So that a test that hangs needs no debugger."""
    handler.gate.clear()
    for _ in range(12):
        await bus.publish(_registered())
    with pytest.raises(AssertionError, match=r"accounts\.greet: 2 waiting, 0 .* 10 in"):
        await settled(bus, timeout=0.05)
    handler.gate.set()
    await settled(bus)

    assert len(handler.attempts) == 12


async def test_settled_of_an_idle_bus_is_now(bus: RecordingBus) -> None:
    """There is nothing to wait for."""
    async with asyncio.timeout(10):
        await settled(bus)


async def test_a_publish_that_fails_is_not_there(
    bus: RecordingBus, handler: _Handler
) -> None:
    """As often as told; then all is well again."""
    bus.faults.fail_publish(times=2)
    for _ in range(2):
        with pytest.raises(BrokerUnavailableException, match="as the test"):
            await bus.publish(_registered())
    assert_nothing_published(bus)
    await bus.publish(_registered())
    await settled(bus)

    assert handler.attempts == [1]


async def test_a_confirmation_that_is_lost(
    bus: RecordingBus, handler: _Handler
) -> None:
    """The publisher has an error and the consumer the event."""
    bus.faults.lose_confirmation()
    with pytest.raises(BrokerUnavailableException, match="as the test"):
        await bus.publish(_registered())
    await settled(bus)

    assert_published(bus, UserRegisteredEvent)
    assert handler.attempts == [1]


async def test_an_event_that_comes_twice(bus: RecordingBus, handler: _Handler) -> None:
    """It was published once."""
    bus.faults.duplicate()
    await bus.publish(_registered())
    await bus.publish(_registered())
    await settled(bus)

    assert_published(bus, UserRegisteredEvent, times=2)
    assert handler.attempts == [1, 1, 1]


async def test_a_handler_that_fails(bus: RecordingBus, handler: _Handler) -> None:
    """With the error that was asked for, by either of its names."""
    bus.faults.fail_handler("accounts.greet", times=4, error=lambda: KeyError("x"))
    await bus.publish(_registered())
    await settled(bus)
    (letter,) = bus.dead_letters("accounts.greet")

    assert letter.headers["x-error"] == "KeyError"
    assert letter.headers["x-attempts"] == 4
    assert handler.attempts == []


async def test_a_fault_is_of_a_handler_that_exists(bus: RecordingBus) -> None:
    """A misspelt one would never fail."""
    with pytest.raises(ValueError, match=r"'great', only \['accounts\.greet'\]"):
        bus.faults.fail_handler("great")
    with pytest.raises(ValueError, match="times must be positive"):
        bus.faults.fail_publish(times=0)


async def test_a_connection_that_is_lost(bus: RecordingBus, handler: _Handler) -> None:
    """What was being handled comes again; what is published meanwhile is refused."""
    handler.gate.clear()
    await bus.publish(_registered())
    async with asyncio.timeout(10):
        await handler.called.wait()
    message = MessageWriter().write(_registered())
    async with bus.faults.lose_connection():
        handler.gate.set()
        with pytest.raises(BrokerUnavailableException, match="as the test"):
            await bus.publish(_registered())
        with pytest.raises(BrokerUnavailableException, match="as the test"):
            await bus.check()
        (error,) = await bus.publish_messages([message])
        assert isinstance(error, BrokerUnavailableException)
    await bus.check()
    await settled(bus)

    assert handler.attempts == [1, 1]
    assert len(bus.published) == 1
