"""What there is on a broker: exchanges, queues, bindings.

    creativeflow.events      topic exchange; the routing key is the event type
      accounts.send_welcome            a queue for each subscription
        accounts.send_welcome.retry.10000ms   whose messages come back after the delay
        accounts.send_welcome.dead            its dead letters
    creativeflow.unrouted    where the exchange sends what no queue is bound for
      creativeflow.unrouted            the queue that keeps it
    creativeflow.queues      a queue with a message for each queue that was declared

All queues are quorum queues: replicated where there are several brokers, and flushed to
disk before a publish is confirmed. What moves from one to another by itself moves
at least once (https://www.rabbitmq.com/docs/quorum-queues#dead-lettering).

Private: import names from ``shared.messaging.topology``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.messaging._subscription import EVENTS, Subscription

UNROUTED: Final = "creativeflow.unrouted"
CATALOGUE: Final = "creativeflow.queues"

_DEAD: Final = ".dead"
_RETRY: Final = ".retry."

# Of deliveries without a settlement: a message that kills its consumer each time goes
# to the dead letters. RabbitMQ 4 has this limit unasked, and then drops the message.
_DELIVERIES: Final = 20
# For queues that people look into: looking is a delivery too.
_UNLIMITED: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange, durable."""

    name: str
    kind: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, durable."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Binding:
    """Messages of *exchange* with this key go to *queue*."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that one service declares. Declaring it twice changes nothing."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def dead_queue(consumer: str) -> str:
    """The queue with the dead letters of a consumer."""
    return consumer + _DEAD


def retry_queue(consumer: str, delay: float) -> str:
    """The queue from which messages come back to a consumer after *delay* seconds."""
    return f"{consumer}{_RETRY}{round(delay * 1000)}ms"


def consumer_of_dead(queue: str) -> str | None:
    """The consumer whose dead letters *queue* holds; None if it is no such queue."""
    return queue.removesuffix(_DEAD) if queue.endswith(_DEAD) else None


def topology_of(
    subscriptions: Iterable[Subscription], *, exchange: str = EVENTS
) -> Topology:
    """What must be there for these subscriptions, and for publishing without any.

    Args:
        subscriptions: Of one service.
        exchange: Where it publishes.
    """
    exchanges = {exchange: None}
    queues = [_keeping(UNROUTED), _keeping(CATALOGUE)]
    bindings = [Binding(UNROUTED, UNROUTED, "")]
    for subscription in subscriptions:
        consumer = subscription.consumer
        exchanges[subscription.exchange] = None
        queues.append(_keeping(dead_queue(consumer)))
        queues.append(_main(subscription))
        # An ordered handler holds an event instead.
        delays = () if subscription.ordered else subscription.policy.delays
        milliseconds = {round(delay * 1000) for delay in delays}
        queues += [_returning(consumer, each / 1000) for each in sorted(milliseconds)]
        bindings += [
            Binding(subscription.exchange, consumer, key)
            for key in subscription.routing_keys
        ]
    topics = [
        Exchange(name, "topic", {"alternate-exchange": UNROUTED}) for name in exchanges
    ]
    return Topology(
        (Exchange(UNROUTED, "fanout", {}), *topics), tuple(queues), tuple(bindings)
    )


def _keeping(name: str) -> Queue:
    """A queue that messages leave only when somebody takes them."""
    return Queue(name, {"x-queue-type": "quorum", "x-delivery-limit": _UNLIMITED})


def _main(subscription: Subscription) -> Queue:
    arguments = _handing_on(dead_queue(subscription.consumer))
    arguments["x-delivery-limit"] = _DELIVERIES
    if subscription.ordered:
        arguments["x-single-active-consumer"] = True
    return Queue(subscription.consumer, arguments)


def _returning(consumer: str, delay: float) -> Queue:
    arguments = _handing_on(consumer)
    arguments["x-message-ttl"] = round(delay * 1000)
    return Queue(retry_queue(consumer, delay), arguments)


def _handing_on(queue: str) -> dict[str, Any]:
    """A queue whose messages go to another one when they die, and not before."""
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
