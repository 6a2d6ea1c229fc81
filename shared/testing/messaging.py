"""A bus for tests of services: what was published, what failed, when it is over.

::

    async with RecordingBus("accounts") as bus:
        await register(bus, "ada@example.com")
        await settled(bus)

    assert_published(bus, UserRegisteredEvent, email="ada@example.com")

Needs no pytest.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar, get_args

from pydantic import SecretStr

from shared.events import BaseEvent, EventRegistry, UnknownEvent
from shared.events.cloudevents import from_message, is_cloudevent
from shared.messaging import (
    BrokerUnavailableException,
    InMemoryBus,
    OutgoingMessage,
    Subscription,
)

__all__ = [
    "Faults",
    "Recorded",
    "RecordingBus",
    "assert_nothing_published",
    "assert_published",
    "settled",
]

E = TypeVar("E", bound="BaseEvent[Any]")

_SHOWN: Final = 20
_LONGEST: Final = 500
_MASK: Final = SecretStr("*")


class Recorded(Protocol):
    """Something that knows what was published."""

    @property
    def published(self) -> Sequence[BaseEvent[Any]]:
        """The events, in their order."""
        ...


class Faults:
    """What goes wrong on a `RecordingBus`. Each fault is used up by what it hits."""

    def __init__(self, bus: RecordingBus) -> None:
        self._bus = bus
        self._left: Counter[str] = Counter()
        self._handlers: dict[str, deque[Callable[[], BaseException]]] = {}
        self.connected = True

    def fail_publish(self, *, times: int = 1) -> None:
        """The next events are refused: `BrokerUnavailableException`, and not there."""
        self._left["refused"] += _times(times)

    def lose_confirmation(self, *, times: int = 1) -> None:
        """The next events are there, and `BrokerUnavailableException` is raised."""
        self._left["unconfirmed"] += _times(times)

    def duplicate(self, *, times: int = 1) -> None:
        """Each handler gets the next events twice."""
        self._left["duplicated"] += _times(times)

    def fail_handler(
        self,
        name: str,
        *,
        times: int = 1,
        error: Callable[[], BaseException] = RuntimeError,
    ) -> None:
        """The next tries of a handler fail, before it runs.

        Args:
            name: Of the handler, as it was subscribed.
            times: How many tries.
            error: Makes what is raised: a class, or a function.

        Raises:
            ValueError: There is no such handler.
        """
        consumer = self._bus.consumer_of(name)
        self._handlers.setdefault(consumer, deque()).extend([error] * _times(times))

    @asynccontextmanager
    async def lose_connection(self) -> AsyncIterator[None]:
        """There is no broker inside of this block.

        Handlers that run are cancelled, and what they had is delivered again behind
        it. Publishing, and ``check()``, raise `BrokerUnavailableException`.
        """
        self.connected = False
        try:
            await self._bus.stop(timeout=0)
            yield
        finally:
            self.connected = True
            await self._bus.start()

    def take(self, fault: str) -> bool:
        """Whether it is the turn of this one: for the bus."""
        if not self._left[fault]:
            return False
        self._left[fault] -= 1
        return True

    def before_handler(self, consumer: str) -> None:
        """Fail, if that was asked for: for the bus."""
        errors = self._handlers.get(consumer)
        if errors:
            raise errors.popleft()()


class RecordingBus(InMemoryBus):
    """An `InMemoryBus` that remembers what was published, and fails when told to.

    With a `FakeClock` time passes by itself, so that retries come at once::

        RecordingBus(
            "accounts", now=clock, clock=clock.monotonic, sleep=clock.async_sleep
        )

    Attributes:
        published: What the bus took, in its order, as readers get it.
        faults: What is to go wrong.
    """

    def __init__(self, service_name: str, **options: Any) -> None:
        """Take the options of `InMemoryBus`."""
        super().__init__(service_name, **options)
        self.published: list[BaseEvent[Any]] = []
        self.faults = Faults(self)
        # Also events that this service publishes and can't read; with its upcasters.
        self._known = EventRegistry(self._registry)

    async def publish(self, event: BaseEvent[Any]) -> None:
        """See `EventBus.publish`."""
        self._check_connection()
        cls: Any = type(event)
        if (
            issubclass(cls, BaseEvent)
            and cls is not UnknownEvent
            and self._known.find(event.event_type, event.schema_version) is None
        ):
            self._known.register(cls)
        await super().publish(event)

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """See `EventBus.publish_messages`."""
        if not self.faults.connected:
            return [_unavailable() for _ in messages]
        return [await self._publish(message) for message in messages]

    async def _publish(self, message: OutgoingMessage) -> Exception | None:
        if self.faults.take("refused"):
            return _unavailable()
        copies = 1 + self.faults.take("duplicated")
        result, *_ = await super().publish_messages([message] * copies)
        if result is None:
            self.published.append(self._read(message))
            if self.faults.take("unconfirmed"):
                return _unavailable()
        return result

    async def check(self) -> None:
        """See `EventBus.check`."""
        self._check_connection()
        await super().check()

    def consumer_of(self, name: str) -> str:
        """The whole name of a handler.

        Raises:
            ValueError: There is none of this name.
        """
        consumers = [each.consumer for each in self._subscriptions]
        for consumer in consumers:
            if name in (
                consumer,
                consumer.removeprefix(f"{self._subscriptions.service_name}."),
            ):
                return consumer
        raise ValueError(f"There is no handler {name!r}, only {consumers}.")

    def _consume(self, subscription: Subscription) -> None:
        async def handle(event: BaseEvent[Any]) -> None:
            self.faults.before_handler(subscription.consumer)
            await subscription.handler(event)

        super()._consume(replace(subscription, handler=handle))

    def _check_connection(self) -> None:
        if not self.faults.connected:
            raise _unavailable()

    def _read(self, message: OutgoingMessage) -> BaseEvent[Any]:
        headers = {**message.headers, "content-type": message.content_type}
        if is_cloudevent(headers):
            return from_message(headers, message.body, registry=self._known)
        return self._known.parse(message.body)


def assert_published(
    bus: Recorded, event_type: type[E], /, *, times: int = 1, **members: object
) -> list[E]:
    """Fail unless so many events of a type, with these members, were published.

    Args:
        bus: A `RecordingBus`, or whatever has ``published``.
        event_type: The class of the events.
        times: How many there must be, not more and not less.
        members: What their payloads say. A secret may be given as text.

    Returns:
        The events.

    Raises:
        AssertionError: There were more, or fewer. It says what was published.
        TypeError: Payloads of this type have no such member.
    """
    fields = _fields(event_type)
    unknown = sorted(members.keys() - fields.keys())
    if unknown:
        raise TypeError(
            f"The payload of {event_type.__name__} has no {', '.join(unknown)}, only "
            f"{', '.join(sorted(fields))}."
        )
    matching = [
        event
        for event in bus.published
        if isinstance(event, event_type) and _has(event, members)
    ]
    if len(matching) == times:
        return matching
    wanted = _with(event_type, members)
    raise AssertionError(
        f"{event_type.__name__} was published {len(matching)} times{wanted}, "
        f"not {times}. {_what_was(bus.published)}"
    )


def assert_nothing_published(
    bus: Recorded, event_type: type[BaseEvent[Any]] = BaseEvent, /
) -> None:
    """Fail if anything was published, or an event of a type.

    Raises:
        AssertionError: There was, and it says what.
    """
    found = [event for event in bus.published if isinstance(event, event_type)]
    if found:
        raise AssertionError(f"Nothing was to be published. {_what_was(found)}")


async def settled(bus: InMemoryBus, *, timeout: float = 10.0) -> None:  # noqa: ASYNC109
    """Wait until nothing waits, is handled or is due for a retry.

    On the whole broker, so also of other services. What is a dead letter is over, too.

    Raises:
        AssertionError: There is still something after *timeout* seconds; it says what.
    """
    try:
        async with asyncio.timeout(timeout):
            await bus.broker.idle()
    except TimeoutError:
        left = [
            f"{consumer}: {backlog.waiting} waiting, {backlog.delayed} delayed, "
            f"{backlog.in_hand} in hand"
            for consumer, backlog in bus.backlog().items()
            if backlog
        ]
        raise AssertionError(
            f"The bus did not settle in {timeout:g} seconds: {'; '.join(left)}."
        ) from None


def _times(times: int) -> int:
    if times < 1:
        raise ValueError(f"times must be positive (got {times}).")
    return times


def _unavailable() -> BrokerUnavailableException:
    return BrokerUnavailableException("The broker is not there, as the test wants it.")


def _fields(event_type: type[BaseEvent[Any]]) -> dict[str, Any]:
    payload = event_type.model_fields["payload"].annotation
    fields = getattr(payload, "model_fields", {})
    return {name: field.annotation for name, field in fields.items()}


def _has(event: BaseEvent[Any], members: dict[str, object]) -> bool:
    return all(
        _plain(getattr(event.payload, name)) == _plain(value)
        for name, value in members.items()
    )


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _with(event_type: type[BaseEvent[Any]], members: dict[str, object]) -> str:
    fields = _fields(event_type)
    shown = [
        f"{name}={_short(_MASK if _is_secret(fields[name]) else value)}"
        for name, value in members.items()
    ]
    return f" with {', '.join(shown)}" if shown else ""


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _what_was(events: Sequence[BaseEvent[Any]]) -> str:
    if not events:
        return "Nothing was published."
    lines = [
        f"  {type(event).__name__}: {_short(event.payload)}"
        for event in events[-_SHOWN:]
    ]
    rest = Counter(type(event).__name__ for event in events[:-_SHOWN])
    lines += [f"  and before {name} {times} times" for name, times in rest.items()]
    return "\n".join(["Published were:", *lines])


def _short(value: object) -> str:
    # The repr of a payload masks its secrets.
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
