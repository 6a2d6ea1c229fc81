"""The bus inside of one process.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

from shared.events import MAX_EVENT_BYTES, BaseEvent, EventRegistry
from shared.messaging._broker import Backlog, Consumer, DeadLetter, InMemoryBroker
from shared.messaging._bus import Observation, Observer, Outcome
from shared.messaging._consumption import Consumption, tell
from shared.messaging._errors import BrokerUnavailableException
from shared.messaging._message import IncomingMessage, MessageWriter, OutgoingMessage
from shared.messaging._policy import FailurePolicy
from shared.messaging._subscription import (
    EVENTS,
    E,
    Handler,
    Subscription,
    Subscriptions,
)

# An ordered handler has more in hand than it handles, so that the events of one
# aggregate, which wait for each other, don't keep those of others in the queue.
_IN_HAND: Final = 1000


class InMemoryBus:
    """The `EventBus` of a single process, which needs no broker.

    Events go through bytes, wait in queues, are retried, ordered and buried as on
    RabbitMQ. They are gone when the process ends, whatever way: use it for tests,
    examples and what may be lost. What is not handled when the bus is stopped stays in
    its broker, and is delivered when this bus, or another one of the same service on
    that broker, is started.

    It belongs to the event loop in which it was started.

    Args:
        service_name: Comes before the names of handlers.
        registry: The events that it reads; those of the platform, unless told.
        writer: Writes them.
        observe: Told of each outcome; see `Observation`.
        max_bytes: How large an event may be that is read.
        broker: Shared with the buses of other services; one of its own, unless told.
        exchange: As on RabbitMQ; buses of another one have another broker.
        max_messages: Of a broker of its own; see `InMemoryBroker`.
        now: The time of day, for the histories of failures.
        clock: Seconds, for measuring; and for retries, in a broker of its own.
        sleep: Waits, where an event is held; and for retries, in a broker of its own.
    """

    def __init__(
        self,
        service_name: str,
        *,
        registry: EventRegistry | None = None,
        writer: MessageWriter | None = None,
        observe: Observer | None = None,
        max_bytes: int = MAX_EVENT_BYTES,
        broker: InMemoryBroker | None = None,
        exchange: str = EVENTS,
        max_messages: int = 100_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if registry is None:
            # Here, since its 52 types take their time and are not everybody's.
            from shared.events import PLATFORM_EVENTS

            registry = PLATFORM_EVENTS
        self._subscriptions = Subscriptions(service_name, registry, exchange=exchange)
        self._registry = registry
        self._writer = writer or MessageWriter()
        self._observe = observe
        self._max_bytes = max_bytes
        self.broker = broker or InMemoryBroker(
            max_messages=max_messages, clock=clock, sleep=sleep
        )
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._consumers: list[tuple[Consumer, Consumption]] = []
        self._stopped: asyncio.Event | None = None  # while it is being stopped

    async def publish(self, event: BaseEvent[Any]) -> None:
        """See `EventBus.publish`."""
        self._check_loop()
        (error,) = await self.publish_messages([self._writer.write(event)])
        if error is not None:
            raise error

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """See `EventBus.publish_messages`."""
        self._check_loop()
        results: list[Exception | None] = []
        for message in messages:
            started = self._clock()
            # As with a broker, others have their turn, and it may be cancelled.
            await asyncio.sleep(0)
            try:
                await self.broker.publish(message)
            except BrokerUnavailableException as error:
                # What is behind it must not be handled before it.
                results += [error] * (len(messages) - len(results))
                break
            results.append(None)
            if self._observe is not None:
                seconds = self._clock() - started
                observation = Observation(
                    Outcome.PUBLISHED, message.event_type, None, seconds
                )
                tell(self._observe, observation)
        return results

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
        """See `EventBus.subscribe`."""
        if self._loop is not None:
            raise RuntimeError("Subscribe before the bus is started.")
        return self._subscriptions.add(
            event_types,
            handler,
            name=name,
            policy=policy,
            ordered=ordered,
            concurrency=concurrency,
        )

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """See `EventBus.subscriptions`."""
        return tuple(self._subscriptions)

    async def start(self) -> None:
        """See `EventBus.start`. Does nothing when it is started."""
        if self._loop is not None:
            self._check_loop()
            if self._stopped is not None:
                raise RuntimeError("The bus is being stopped.")
            return
        self.broker.open()
        try:
            self.broker.declare(self._subscriptions)
        except BaseException:
            self.broker.close()
            raise
        self._loop = asyncio.get_running_loop()
        for subscription in self._subscriptions:
            self._consume(subscription)
        for consumer, _ in self._consumers:
            self.broker.attach(consumer)

    def _consume(self, subscription: Subscription) -> None:
        prefetch = max(_IN_HAND * subscription.ordered, subscription.concurrency)
        consumer = self.broker.consumer(subscription.consumer, prefetch=prefetch)
        consumption = Consumption(
            subscription,
            consumer,
            registry=self._registry,
            observe=self._observe,
            max_bytes=self._max_bytes,
            now=self._now,
            clock=self._clock,
            sleep=self._sleep,
        )
        consumer.deliver = consumption.accept
        self._consumers.append((consumer, consumption))

    async def stop(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """See `EventBus.stop`. Handlers that end meanwhile may publish."""
        if self._loop is None:
            return
        self._check_loop()
        me = asyncio.current_task()
        if any(consumption.runs(me) for _, consumption in self._consumers):
            raise RuntimeError("A handler can't stop its bus, which waits for it.")
        if self._stopped is not None:
            await self._stopped.wait()
            return
        self._stopped = asyncio.Event()
        for consumer, _ in self._consumers:
            self.broker.pause(consumer)
        try:
            stopping = (each.stop(timeout=timeout) for _, each in self._consumers)
            await asyncio.gather(*stopping)
        finally:
            for consumer, _ in self._consumers:
                self.broker.detach(consumer)
            self._consumers.clear()
            self.broker.close()
            self._loop = None
            self._stopped.set()
            self._stopped = None

    async def check(self) -> None:
        """See `EventBus.check`."""
        if self._loop is None:
            raise BrokerUnavailableException("The bus is not started.")
        if self.broker.full:
            raise BrokerUnavailableException("There is no room for more messages.")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def dead_letters(self, consumer: str | None = None) -> tuple[DeadLetter, ...]:
        """The dead letters of all handlers, or of one: ``accounts.send_welcome``."""
        return self.broker.dead_letters(consumer)

    def replay(self, consumer: str) -> int:
        """Give a handler its dead letters again, as if they were new; how many."""
        return self.broker.replay(consumer)

    @property
    def unrouted(self) -> tuple[IncomingMessage, ...]:
        """The latest events that there was no subscription for."""
        return self.broker.unrouted

    @property
    def unrouted_count(self) -> int:
        """How many events there was no subscription for, kept or not."""
        return self.broker.unrouted_count

    def backlog(self) -> dict[str, Backlog]:
        """What waits, is delayed and in hand, of each handler."""
        return self.broker.backlog()

    def _check_loop(self) -> None:
        if self._loop is None:
            raise RuntimeError("The bus is not started.")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "The bus belongs to another event loop: use it where it was started."
            )
