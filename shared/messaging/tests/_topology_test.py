from __future__ import annotations

from typing import Any

from shared.events import BaseEvent, EventRegistry, UserDeletedEvent, UserUpdatedEvent
from shared.messaging import FailurePolicy
from shared.messaging._subscription import Subscriptions
from shared.messaging._topology import (
    Binding,
    Topology,
    consumer_of_dead,
    dead_queue,
    retry_queue,
    topology_of,
)


async def _handle(_: BaseEvent[Any]) -> None: ...


def _topology(*, ordered: bool = False) -> Topology:
    subscriptions = Subscriptions(
        "stock", EventRegistry([UserDeletedEvent, UserUpdatedEvent])
    )
    subscriptions.add(
        [UserDeletedEvent, UserUpdatedEvent],
        _handle,
        name="x",
        ordered=ordered,
        policy=FailurePolicy(delays=(1.5, 0.1, 1.5, 0.1002)),
    )
    return topology_of(subscriptions)


def test_a_subscription_has_its_queues() -> None:
    """One of its own, one for each delay, one of dead letters; each name once."""
    names = [queue.name for queue in _topology().queues]

    assert names == [
        "creativeflow.unrouted",
        "creativeflow.queues",
        "stock.x.dead",
        "stock.x",
        "stock.x.retry.100ms",
        "stock.x.retry.1500ms",
    ]


def test_an_ordered_subscription_has_one_consumer_and_no_delays() -> None:
    """It holds what it tries again."""
    queues = {queue.name: queue.arguments for queue in _topology(ordered=True).queues}

    assert [name for name in queues if ".retry." in name] == []
    assert queues["stock.x"]["x-single-active-consumer"] is True


def test_a_queue_is_bound_for_each_type() -> None:
    """By its name, which is the routing key."""
    assert _topology().bindings == (
        Binding("creativeflow.unrouted", "creativeflow.unrouted", ""),
        Binding("creativeflow.events", "stock.x", "user.deleted"),
        Binding("creativeflow.events", "stock.x", "user.updated"),
    )


def test_messages_of_one_service_may_have_an_exchange_of_their_own() -> None:
    """Declared with the same alternate; the platform's is none of its business."""
    subscriptions = Subscriptions(
        "stock", EventRegistry([UserDeletedEvent]), exchange="webhooks"
    )
    subscriptions.add(UserDeletedEvent, _handle, name="x")
    found = topology_of(subscriptions, exchange="webhooks")

    assert [(e.name, e.kind, dict(e.arguments)) for e in found.exchanges] == [
        ("creativeflow.unrouted", "fanout", {}),
        ("webhooks", "topic", {"alternate-exchange": "creativeflow.unrouted"}),
    ]
    assert Binding("webhooks", "stock.x", "user.deleted") in found.bindings


def test_what_nobody_is_bound_for_has_a_place() -> None:
    """The alternate exchange is there before the exchange that names it."""
    unrouted, events = topology_of([]).exchanges

    assert events.arguments == {"alternate-exchange": unrouted.name}


def test_all_queues_are_replicated_and_lose_nothing() -> None:
    """Quorum queues; what dies goes on at least once, and nothing is dropped."""
    for queue in _topology().queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        handed_on = "x-dead-letter-exchange" in queue.arguments
        strategy = queue.arguments.get("x-dead-letter-strategy")
        assert (strategy == "at-least-once") is handed_on
        assert "x-max-length" not in queue.arguments


def test_names_of_queues_say_whose_they_are() -> None:
    """A dead letter's consumer is read from the name of its queue."""
    assert consumer_of_dead(dead_queue("stock.x")) == "stock.x"
    assert consumer_of_dead(retry_queue("stock.x", 1.0)) is None
    assert retry_queue("stock.x", 86400) == "stock.x.retry.86400000ms"
