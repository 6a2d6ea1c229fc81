"""Who wants which events, and how they are handled.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from shared.events import BaseEvent, EventRegistry
from shared.messaging._errors import SubscriptionError
from shared.messaging._policy import LONGEST_HOLD, FailurePolicy

E = TypeVar("E", bound="BaseEvent[Any]")
Handler: TypeAlias = "Callable[[E], Awaitable[object]]"

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_LONGEST_NAME: Final = 100  # AMQP has 255 bytes for the name of a queue
_MOST_AT_ONCE: Final = 1000

EVENTS: Final = "creativeflow.events"
"""The exchange of the platform's events."""

# Other queues are named so: see shared.messaging._topology.
_OF_QUEUES: Final = frozenset(("dead", "retry"))
_RESERVED: Final = frozenset(("creativeflow.queues", "creativeflow.unrouted"))


@dataclass(frozen=True, slots=True)
class Subscription:
    """One handler, the events it gets, and what happens when it fails."""

    consumer: str
    """Service and handler: ``accounts.send_welcome``. Also the name of the queue."""
    event_types: tuple[type[BaseEvent[Any]], ...]
    handler: Callable[[Any], Awaitable[object]]
    policy: FailurePolicy
    ordered: bool
    """Events of one aggregate one after the other, also while one is retried."""
    concurrency: int
    """How many events are handled at once, in each process."""
    exchange: str = EVENTS
    """Where the events are published."""

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """The names of the event types, each once."""
        names = (cls.model_fields["event_type"].default for cls in self.event_types)
        return tuple(dict.fromkeys(names))

    def accepts(self, event: BaseEvent[Any]) -> bool:
        """Whether the handler was written for an event of this type and version."""
        return type(event) in self.event_types


class Subscriptions:
    """The subscriptions of one service.

    Args:
        service_name: Comes before the handler's name: ``accounts.send_welcome``.
        registry: The events that the service can read.
        exchange: Where they are published.
    """

    def __init__(
        self, service_name: str, registry: EventRegistry, *, exchange: str = EVENTS
    ) -> None:
        check_name("service_name", service_name)
        check_name("exchange", exchange)
        self.service_name = service_name
        self.registry = registry
        self.exchange = exchange
        self._by_consumer: dict[str, Subscription] = {}

    def add(
        self,
        event_types: type[E] | Iterable[type[E]],
        handler: Handler[E],
        *,
        name: str | None = None,
        policy: FailurePolicy | None = None,
        ordered: bool = False,
        concurrency: int = 10,
    ) -> Subscription:
        """Add one; see `EventBus.subscribe`."""
        classes = self._classes(event_types)
        if not (_is_async(handler) and _takes_one(handler)):
            raise SubscriptionError(
                f"The handler {_describe(handler)} must be an async function of one "
                "event; @idempotent(inbox) makes one of a function that wants a "
                "session too."
            )
        name = _own_name(handler) if name is None else name
        check_name("name", name)
        consumer = f"{self.service_name}.{name}"
        if consumer in _RESERVED:
            raise SubscriptionError(f"{consumer} is a queue of another kind.")
        known = self._by_consumer.get(consumer)
        if known is not None:
            raise SubscriptionError(
                f"There is a handler named {name!r} already, "
                f"{_describe(known.handler)}: give {_describe(handler)} another name=."
            )
        if not 1 <= concurrency <= _MOST_AT_ONCE:
            raise SubscriptionError(
                f"concurrency must be from 1 to {_MOST_AT_ONCE} (got {concurrency})."
            )
        subscription = Subscription(
            consumer,
            classes,
            handler,
            _policy_for(policy, ordered=ordered),
            ordered,
            concurrency,
            self.exchange,
        )
        self._by_consumer[consumer] = subscription
        return subscription

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._by_consumer.values())

    def __len__(self) -> int:
        return len(self._by_consumer)

    def _classes(
        self, event_types: type[E] | Iterable[type[E]]
    ) -> tuple[type[BaseEvent[Any]], ...]:
        wanted: Any = event_types
        single = isinstance(wanted, str) or not isinstance(wanted, Iterable)
        given = [wanted] if single else [*wanted]
        for cls in given:
            if not _is_event(cls):
                raise SubscriptionError(
                    "A subscription is to classes of events, such as "
                    f"UserRegisteredEvent (got {cls!r}); there are no patterns."
                )
            if cls not in self.registry:
                raise SubscriptionError(
                    f"{cls.__qualname__} is in no registry of this bus: register it, "
                    "and give the bus that registry=."
                )
        if not given:
            raise SubscriptionError("A subscription needs a class of events.")
        for cls in given:
            event_type = cls.model_fields["event_type"].default
            version = cls.model_fields["schema_version"].default
            newest = self.registry.find(event_type) or cls
            if version in self.registry.lifted_from(event_type) and newest not in given:
                raise SubscriptionError(
                    f"{cls.__qualname__} is never read, since upcasters make "
                    f"{newest.__qualname__} of it: subscribe to that."
                )
        return tuple(dict.fromkeys(given))


def check_name(what: str, name: str) -> None:
    """Refuse what is no part of the name of a queue.

    Raises:
        SubscriptionError: It has wildcards, spaces or nothing in it, or is too long.
    """
    given: object = name
    is_text = isinstance(given, str)
    if not (is_text and _NAME.fullmatch(name) and len(name) <= _LONGEST_NAME):
        raise SubscriptionError(
            f"{what} must be at most {_LONGEST_NAME} letters, digits, '-', '_' and "
            f"single dots (got {name!r})."
        )
    if not _OF_QUEUES.isdisjoint(name.split(".")):
        raise SubscriptionError(
            f"{what} must not have a part that is 'dead' or 'retry', which other "
            f"queues are named with (got {name!r})."
        )


def _policy_for(policy: FailurePolicy | None, *, ordered: bool) -> FailurePolicy:
    if not ordered:
        return policy or FailurePolicy()
    if policy is None:
        return FailurePolicy().shortened(at_most=LONGEST_HOLD)
    if policy.longest_hold > LONGEST_HOLD:
        raise SubscriptionError(
            "An ordered handler holds an event while it retries, and a broker lets it "
            f"for {LONGEST_HOLD:.0f} seconds: with its delays and time-outs this "
            f"policy may take {policy.longest_hold:.0f}."
        )
    return policy


def _is_event(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, BaseEvent)


def _is_async(handler: Any) -> bool:
    if isinstance(handler, type):  # calling it would make one, which is no awaitable
        return False
    handler = _unpartial(handler)
    call = getattr(handler, "__call__", None)  # noqa: B004 - of an object that is callable
    return inspect.iscoroutinefunction(inspect.unwrap(handler)) or (
        inspect.iscoroutinefunction(call)
    )


def _takes_one(handler: Any) -> bool:
    try:
        inspect.signature(handler).bind(None)
    except TypeError:
        return False
    except ValueError:  # it has no signature that one could look at
        return True
    return True


def _unpartial(handler: Any) -> Any:
    while isinstance(handler, partial):
        handler = handler.func
    return handler


def _own_name(handler: object) -> str:
    name = getattr(_unpartial(handler), "__name__", "")
    if not name or name == "<lambda>":
        raise SubscriptionError(f"{_describe(handler)} has no name: give it a name=.")
    return str(name)


def _describe(handler: object) -> str:
    handler = _unpartial(handler)
    module = getattr(handler, "__module__", None)
    name = getattr(handler, "__qualname__", None)
    return f"{module}.{name}" if module and name else repr(handler)
