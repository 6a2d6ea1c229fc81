"""Events between services: published, delivered at least once, retried, never lost.

`shared.messaging.rabbitmq` is the bus between processes, `shared.messaging.outbox`
publishes what a transaction committed, `shared.messaging.inbox` handles an event once.
"""

from shared.messaging._broker import Backlog, DeadLetter, InMemoryBroker
from shared.messaging._bus import EventBus, Observation, Observer, Outcome
from shared.messaging._delivery import Delivery, current_delivery
from shared.messaging._errors import (
    BrokerUnavailableException,
    EventTooLargeError,
    SubscriptionError,
    TopologyError,
)
from shared.messaging._history import Reason
from shared.messaging._memory import InMemoryBus
from shared.messaging._message import (
    IncomingMessage,
    MessageWriter,
    OutgoingMessage,
    Wire,
)
from shared.messaging._policy import FailurePolicy
from shared.messaging._subscription import Handler, Subscription

__all__ = [
    # Buses
    "EventBus",
    "InMemoryBus",
    "InMemoryBroker",
    "Backlog",
    "Subscription",
    "Handler",
    "FailurePolicy",
    "Delivery",
    "current_delivery",
    "DeadLetter",
    "Reason",
    # Messages
    "IncomingMessage",
    "MessageWriter",
    "OutgoingMessage",
    "Wire",
    # What is told
    "Observation",
    "Observer",
    "Outcome",
    # What goes wrong
    "BrokerUnavailableException",
    "EventTooLargeError",
    "SubscriptionError",
    "TopologyError",
]
