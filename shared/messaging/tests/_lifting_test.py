"""Old and newer versions of an event, on their way to a handler."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from shared.events import BaseEvent, EventPayload, EventRegistry, upcaster
from shared.messaging import (
    FailurePolicy,
    InMemoryBroker,
    InMemoryBus,
    MessageWriter,
    Reason,
    SubscriptionError,
    Wire,
)
from shared.testing.messaging import RecordingBus

ONCE = FailurePolicy(immediate_retries=0, delays=())


class _Payload1(EventPayload):
    name: str


class _Made1(BaseEvent[_Payload1]):
    event_type: Literal["thing.made"] = "thing.made"
    schema_version: Literal[1] = 1


class _Payload2(EventPayload):
    name: str
    size: int


class _Made2(BaseEvent[_Payload2]):
    event_type: Literal["thing.made"] = "thing.made"
    schema_version: Literal[2] = 2


class _Made3(BaseEvent[_Payload2]):
    event_type: Literal["thing.made"] = "thing.made"
    schema_version: Literal[3] = 3


@upcaster("thing.made", from_version=1)
def measure(payload: dict[str, Any]) -> dict[str, Any]:
    """It fails when a name has no character."""
    return {**payload, "size": 12 // len(payload["name"])}


@upcaster("thing.made", from_version=2)
def keep(payload: dict[str, Any]) -> dict[str, Any]:
    """Nothing has changed."""
    return payload


NEWER = EventRegistry([_Made2], upcasters=[measure])
NEWEST = EventRegistry([_Made3], upcasters=[measure, keep])


class _Service:
    """A bus and a handler of one class."""

    def __init__(
        self, broker: InMemoryBroker, registry: EventRegistry, cls: type[BaseEvent[Any]]
    ) -> None:
        self.seen: list[BaseEvent[Any]] = []
        self.bus = InMemoryBus("stock", registry=registry, broker=broker)
        self.consumer = self.bus.subscribe(cls, self.note, policy=ONCE).consumer

    async def note(self, event: BaseEvent[Any]) -> None:
        self.seen.append(event)


@pytest.mark.parametrize("wire", list(Wire))
async def test_an_old_event_in_the_queue_reaches_the_newest_handler(wire: Wire) -> None:
    """It was published before the service was deployed that knows version 2."""
    broker = InMemoryBroker()
    writer = MessageWriter(wire=wire, source="/stock")
    publisher = InMemoryBus("shop", broker=broker, writer=writer)
    before = _Service(broker, EventRegistry([_Made1]), _Made1)
    async with before.bus:
        await before.bus.stop()
    old = _Made1(payload={"name": "cube"})
    async with publisher:
        await publisher.publish(old)
    after = _Service(broker, NEWER, _Made2)
    async with after.bus:
        await broker.idle()

    assert after.seen == [
        _Made2(
            event_id=old.event_id,
            correlation_id=old.correlation_id,
            timestamp=old.timestamp,
            payload={"name": "cube", "size": 3},
        )
    ]
    assert (before.seen, broker.dead_letters()) == ([], ())


async def test_a_newer_event_waits_as_a_dead_letter_for_who_knows_it() -> None:
    """To the byte; and its replay reaches the handler once there is one."""
    broker = InMemoryBroker()
    newer = _Made3(payload={"name": "cube", "size": 3})
    today = _Service(broker, NEWER, _Made2)
    async with today.bus:
        await today.bus.publish(newer)
        await broker.idle()
        (letter,) = broker.dead_letters(today.consumer)
    tomorrow = _Service(broker, NEWEST, _Made3)
    async with tomorrow.bus:
        replayed = tomorrow.bus.replay(tomorrow.consumer)
        await broker.idle()

    assert (letter.reason, letter.message.body) == (
        Reason.UNKNOWN_SCHEMA,
        newer.encode(),
    )
    assert (replayed, today.seen, tomorrow.seen) == (1, [], [newer])
    assert broker.dead_letters() == ()


async def test_what_an_upcaster_fails_on_waits_until_it_is_mended() -> None:
    """To the byte, as a malformed event, since trying again would not help."""
    broker = InMemoryBroker()
    old = _Made1(payload={"name": ""})
    broken = _Service(broker, NEWER, _Made2)
    async with broken.bus:
        await broken.bus.publish(old)
        await broker.idle()
        (letter,) = broker.dead_letters(broken.consumer)

    @upcaster("thing.made", from_version=1)
    def mended(payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "size": 0}

    after = _Service(broker, EventRegistry([_Made2], upcasters=[mended]), _Made2)
    async with after.bus:
        after.bus.replay(after.consumer)
        await broker.idle()

    assert (letter.reason, letter.message.body) == (Reason.MALFORMED, old.encode())
    assert [event.event_id for event in after.seen] == [old.event_id]


def test_a_subscription_to_what_is_lifted_is_refused() -> None:
    """Its handler would never be called, and all events would be dead letters."""
    registry = EventRegistry([_Made1, _Made2], upcasters=[measure])
    bus = InMemoryBus("stock", registry=registry)

    async def handle(event: BaseEvent[Any]) -> None: ...

    with pytest.raises(
        SubscriptionError, match=r"_Made1 is never read, .* make _Made2 of it"
    ):
        bus.subscribe(_Made1, handle)
    both = bus.subscribe([_Made1, _Made2], handle)
    assert both.event_types == (_Made1, _Made2)


async def test_tests_see_what_readers_get() -> None:
    """The bus for tests lifts what was published under an old version."""
    bus = RecordingBus("stock", registry=NEWER)
    async with bus:
        await bus.publish(_Made1(payload={"name": "cube"}))

    assert [type(event) for event in bus.published] == [_Made2]
