from __future__ import annotations

from functools import partial, wraps
from typing import Any, Literal
from unittest.mock import AsyncMock

import pytest

from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.messaging import FailurePolicy, SubscriptionError
from shared.messaging._subscription import Subscriptions


class _Payload(EventPayload):
    number: int


class _First(BaseEvent[_Payload]):
    event_type: Literal["thing.made"] = "thing.made"
    schema_version: Literal[1] = 1


class _Second(BaseEvent[_Payload]):
    event_type: Literal["thing.made"] = "thing.made"
    schema_version: Literal[2] = 2


class _Other(BaseEvent[_Payload]):
    event_type: Literal["thing.lost"] = "thing.lost"
    schema_version: Literal[1] = 1


class _Stranger(BaseEvent[_Payload]):
    event_type: Literal["thing.odd"] = "thing.odd"
    schema_version: Literal[1] = 1


class _Handlers:
    async def method(self, event: BaseEvent[Any]) -> None: ...

    async def __call__(self, event: BaseEvent[Any]) -> None: ...


async def handle(event: BaseEvent[Any]) -> None: ...


def handle_not(event: BaseEvent[Any]) -> Any: ...


@wraps(handle)
def handle_wrapped(event: BaseEvent[Any]) -> Any:
    return handle(event)


@pytest.fixture
def subscriptions() -> Subscriptions:
    """Of a service that knows three types."""
    return Subscriptions("stock", EventRegistry([_First, _Second, _Other]))


def test_a_handler_has_the_name_of_its_service(subscriptions: Subscriptions) -> None:
    """Two services may have handlers of one name."""
    subscription = subscriptions.add(_First, handle)

    assert subscription.consumer == "stock.handle"
    assert list(subscriptions) == [subscription]
    assert len(subscriptions) == 1


def test_versions_of_a_type_share_a_routing_key(subscriptions: Subscriptions) -> None:
    """The handler gets those that it was written for, and no others."""
    both = subscriptions.add([_First, _Second, _First], handle)
    first = subscriptions.add(_First, handle, name="first")
    event = _Second(payload=_Payload(number=1))

    assert both.event_types == (_First, _Second)
    assert both.routing_keys == first.routing_keys == ("thing.made",)
    assert (both.accepts(event), first.accepts(event)) == (True, False)


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (handle, "handle"),
        (handle_wrapped, "handle"),
        (_Handlers().method, "method"),
        (partial(partial(handle)), "handle"),
    ],
)
def test_a_handler_is_named_after_its_function(
    subscriptions: Subscriptions, handler: Any, name: str
) -> None:
    """However it is wrapped."""
    assert subscriptions.add(_First, handler).consumer == f"stock.{name}"


@pytest.mark.parametrize("handler", [_Handlers(), partial(_Handlers())])
def test_what_has_no_name_must_be_given_one(
    subscriptions: Subscriptions, handler: Any
) -> None:
    """A name that were made up would change, and the queue with it."""
    with pytest.raises(SubscriptionError, match="has no name: give it a name="):
        subscriptions.add(_First, handler)


@pytest.mark.parametrize("handler", [_Handlers(), AsyncMock()])
def test_objects_that_are_called_are_handlers(
    subscriptions: Subscriptions, handler: Any
) -> None:
    """If that is asynchronous."""
    assert subscriptions.add(_First, handler, name="x").consumer == "stock.x"


@pytest.mark.parametrize("handler", [handle_not, print, None, "handle", _Handlers])
def test_what_is_not_async_is_refused(
    subscriptions: Subscriptions, handler: Any
) -> None:
    """It would block the loop, or do nothing."""
    with pytest.raises(SubscriptionError, match="must be an async function"):
        subscriptions.add(_First, handler, name="x")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a.",
        ".a",
        "a..b",
        "user.*",
        "#",
        "ä",
        "a\n",
        "x" * 101,
        "-a",
        7,
        None,
    ],
)
def test_names_are_those_of_queues(name: Any) -> None:
    """Wildcards, spaces and empty parts are refused, of services as well."""
    with pytest.raises(SubscriptionError, match="service_name must be at most 100"):
        Subscriptions(name, EventRegistry())


@pytest.mark.parametrize("name", ["dead", "a.dead", "retry", "a.retry.1000ms"])
def test_names_of_other_queues_are_refused(
    subscriptions: Subscriptions, name: str
) -> None:
    """A handler would take the dead letters of another one."""
    with pytest.raises(SubscriptionError, match="'dead' or 'retry'"):
        subscriptions.add(_First, handle, name=name)
    with pytest.raises(SubscriptionError, match="'dead' or 'retry'"):
        Subscriptions(name, EventRegistry())


def test_the_kernel_s_own_queues_are_refused() -> None:
    """A handler would take what nobody is to take."""
    subscriptions = Subscriptions("creativeflow", EventRegistry([_First]))
    for name in ("queues", "unrouted"):
        with pytest.raises(SubscriptionError, match="queue of another kind"):
            subscriptions.add(_First, handle, name=name)


@pytest.mark.parametrize(
    ("event_types", "message"),
    [
        ("thing.*", "no patterns"),
        ([], "needs a class"),
        (_Stranger, "_Stranger is in no registry"),
        ([_First, _Stranger], "_Stranger is in no registry"),
        (int, "no patterns"),
        (5, r"got 5\)"),
        (_First(payload=_Payload(number=1)), "is to classes"),
        (BaseEvent, "in no registry"),
    ],
)
def test_a_subscription_is_to_registered_classes(
    subscriptions: Subscriptions, event_types: Any, message: str
) -> None:
    """Of anything else the handler would never get one."""
    with pytest.raises(SubscriptionError, match=message):
        subscriptions.add(event_types, handle)

    assert len(subscriptions) == 0


def test_two_handlers_of_one_name_are_refused(subscriptions: Subscriptions) -> None:
    """They would share a queue, and each have half of its events."""
    subscriptions.add(_First, handle, name="x")

    with pytest.raises(SubscriptionError, match=r"named 'x' already, .*\.handle: give"):
        subscriptions.add(_Other, _Handlers(), name="x")


@pytest.mark.parametrize("concurrency", [0, -1, 1001])
def test_concurrency_has_bounds(subscriptions: Subscriptions, concurrency: int) -> None:
    """None at once would be a handler that never runs."""
    with pytest.raises(SubscriptionError, match=r"from 1 to 1000 \(got -?\d+\)"):
        subscriptions.add(_First, handle, concurrency=concurrency)


def test_an_ordered_handler_holds_no_longer_than_a_broker_lets_it(
    subscriptions: Subscriptions,
) -> None:
    """The default policy is made shorter, and one that is given is refused."""
    long = FailurePolicy(delays=(1200.0,))
    subscription = subscriptions.add(_First, handle, ordered=True)
    with pytest.raises(SubscriptionError, match=r"1200 seconds: .* may take 1320\."):
        subscriptions.add(_First, handle, name="x", ordered=True, policy=long)

    assert subscription.policy.longest_hold <= 1200
    assert subscriptions.add(_First, handle, name="y", policy=long).policy is long


def test_a_handler_that_wants_more_than_the_event(subscriptions: Subscriptions) -> None:
    """Is refused where it is subscribed, and told what gives it a session."""

    async def book(event: _First, session: object) -> None:
        """Want a session."""

    with pytest.raises(SubscriptionError, match=r"one event; @idempotent\(inbox\)"):
        subscriptions.add(_First, book)  # type: ignore[arg-type]
