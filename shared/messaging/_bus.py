"""What every event bus does.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, Self

from shared.events import BaseEvent
from shared.messaging._message import OutgoingMessage
from shared.messaging._policy import FailurePolicy
from shared.messaging._subscription import E, Handler, Subscription


class Outcome(StrEnum):
    """What became of a message."""

    PUBLISHED = "published"
    HANDLED = "handled"
    RETRIED = "retried"
    """A round failed, and there is another one later."""
    DEAD = "dead"
    """It is a dead letter."""
    RELEASED = "released"
    """It goes back to the queue: the bus was stopped, or lost its broker."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What an ``observe=`` hook is told, for metrics."""

    outcome: Outcome
    event_type: str
    consumer: str | None = None
    """Whose handler; None for what is published."""
    seconds: float = 0.0
    """What the round, or the confirmation, took."""


Observer = Callable[[Observation], object]
"""Called for each message, in the event loop; what it raises is logged."""


class EventBus(Protocol):
    """Takes events, and hands them to handlers: at least once each.

    All buses behave alike, which `shared.testing.bus_contract` holds them to:

    * An event goes to every subscription to its type, of every service.
    * A handler that raises, or takes too long, gets it again as its `FailurePolicy`
      says; then it is a dead letter.
    * What is no event, or of a type or version that the handler was not written for, is
      a dead letter at once, as it came.
    * An event for which there is no subscription is kept, and counted.
    * A handler runs with the correlation id and the trace of the event.
    """

    async def publish(self, event: BaseEvent[Any]) -> None:
        """Hand over *event*; when this returns, the bus has it.

        Inside of a handler the event that is handled is its cause.

        Raises:
            BrokerUnavailableException: The bus could not confirm that it has it.
            EventTooLargeError: It is larger than what is read.
            RuntimeError: The bus is not started.
        """
        ...

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """Hand over many at once, in this order; the outbox's relay does.

        Returns:
            For each message None, or why the bus does not have it. Where one of a batch
            is refused, those after it may have been taken.

        Raises:
            RuntimeError: The bus is not started.
        """
        ...

    def subscribe(
        self,
        event_types: type[E] | Iterable[type[E]],
        handler: Handler[E],
        *,
        name: str | None = None,
        policy: FailurePolicy | None = None,
        ordered: bool = False,
        concurrency: int = 10,
    ) -> Subscription:
        """Let *handler* have the events of a type, or of several.

        Args:
            event_types: A class of events, or several.
            handler: An async function of one event. It may get an event twice.
            name: Names the queue, with the name of the service before it: it must stay
                the same when the code moves. Else the name of the function.
            policy: What happens when it fails.
            ordered: Events of one aggregate are handled one after the other, in the
                order in which they came, by one process at a time. While one is retried
                those of the same aggregate wait.
            concurrency: How many events are handled at once, in each process.

        Raises:
            SubscriptionError: A class is in no registry, the handler is not async, the
                name is taken or is none, or an ordered handler would be held too long.
            RuntimeError: The bus is started.
        """
        ...

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """What was subscribed so far, in that order; the bus need not be started."""
        ...

    async def start(self) -> None:
        """Begin to deliver. A broker that is not there is waited for in the background.

        Does nothing when the bus is started.

        Raises:
            TopologyError: The broker has a queue of ours with other arguments.
        """
        ...

    async def stop(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """Take no more, finish what is handled, and close.

        Handlers that end meanwhile may publish. What is not handled waits in its
        queue. Does nothing when the bus is stopped.

        Args:
            timeout: Seconds after which handlers are cancelled. What they had is
                delivered again.

        Raises:
            RuntimeError: A handler of this bus calls it, for which it would wait.
        """
        ...

    async def check(self) -> None:
        """Whether events can be published and are consumed; for health checks.

        Raises:
            BrokerUnavailableException: Not now.
            TopologyError: Not before somebody puts it right.
        """
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...
