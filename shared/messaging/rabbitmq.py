"""The bus between processes, on RabbitMQ 3.10 or later; no plugin is needed.

::

    async with RabbitMQBus("accounts", "amqps://user:password@host/vhost") as bus:
        await bus.publish(event)

What it declares is drawn in ``_topology.py``, in the exchange ``creativeflow.events``.

A binding is never removed. When a subscription no longer names a type, its queue goes
on getting those events, and they are dead letters of reason ``unknown_schema``: while
versions of a service overlap, or when one is rolled back, nothing is lost. Call
`RabbitMQBus.unbind` when no version wants them any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from aiormq.connection import Connection
from aiormq.exceptions import AMQPError

from shared.events import MAX_EVENT_BYTES, BaseEvent, EventRegistry
from shared.messaging._bus import EventBus, Observation, Observer, Outcome
from shared.messaging._consumption import tell
from shared.messaging._errors import (
    BrokerUnavailableException,
    EventTooLargeError,
)
from shared.messaging._message import (
    CORRELATION_ID,
    MessageWriter,
    OutgoingMessage,
)
from shared.messaging._policy import FailurePolicy
from shared.messaging._rabbit_connection import replies
from shared.messaging._rabbit_declare import message_counts
from shared.messaging._rabbit_frames import Packet, Properties
from shared.messaging._rabbit_publisher import unavailable
from shared.messaging._rabbit_running import Running, Settings
from shared.messaging._subscription import (
    EVENTS,
    E,
    Handler,
    Subscription,
    Subscriptions,
    check_name,
)
from shared.messaging._topology import CATALOGUE, UNROUTED, topology_of

__all__ = ["RabbitMQBus"]

# Of a message, unless RabbitMQ 4 is told otherwise (max_message_size). A larger one
# would end the channel, with all that is on its way there.
_LARGEST: Final = 16 * 1024 * 1024


class RabbitMQBus:
    """The `EventBus` on RabbitMQ.

    It publishes on one connection and consumes on another, so that a broker that slows
    publishers down takes acknowledgements all the same. Both are made again whenever
    they are lost, and everything on them.

    It belongs to the event loop in which it was started.

    Args:
        service_name: Comes before the names of queues and handlers.
        url: ``amqp://`` or ``amqps://``, with the password; it is never shown.
        registry: The events that it reads; those of the platform, unless told.
        writer: Writes them.
        exchange: Where they are published; another one than the platform's for messages
            that are one service's own.
        observe: Told of each outcome; see `Observation`.
        max_bytes: How large an event may be that is read.
        prefetch: How many messages of a subscription are in hand at most, in each
            process; else twice its concurrency, or ten times if it is ordered.
        publish_timeout: Seconds that a publisher waits for the broker.
        connect_timeout: Seconds that `start` waits for it, and one try to connect.
        heartbeat: Seconds of silence after which the broker is asked; else that of the
            URL, or 10. A peer that is gone is noticed after three times as long.
        now: The time of day, for the histories of failures and the catalogue.
        clock: Seconds, for measuring.
        sleep: Waits, where an ordered handler holds an event.

    Raises:
        ValueError: *url* is no address of a broker, or a number is out of range.
        SubscriptionError: *service_name* can't be part of the name of a queue.
    """

    def __init__(
        self,
        service_name: str,
        url: str,
        *,
        registry: EventRegistry | None = None,
        writer: MessageWriter | None = None,
        exchange: str = EVENTS,
        observe: Observer | None = None,
        max_bytes: int = MAX_EVENT_BYTES,
        prefetch: int | None = None,
        publish_timeout: float = 10.0,
        connect_timeout: float = 5.0,
        heartbeat: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if registry is None:
            # Here, since its types take their time and are not everybody's.
            from shared.events import PLATFORM_EVENTS

            registry = PLATFORM_EVENTS
        self._subscriptions = Subscriptions(service_name, registry, exchange=exchange)
        self._writer = writer or MessageWriter()
        self._settings = Settings(
            service_name=service_name,
            url=url,
            registry=registry,
            observe=observe,
            max_bytes=max_bytes,
            prefetch=prefetch,
            publish_timeout=publish_timeout,
            connect_timeout=connect_timeout,
            heartbeat=heartbeat,
            now=now,
            clock=clock,
            sleep=sleep,
        )
        self._running: Running | None = None
        self._stopping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"RabbitMQBus({self._settings.service_name!r})"

    async def publish(self, event: BaseEvent[Any]) -> None:
        """See `EventBus.publish`."""
        running = self._started()
        message = self._writer.write(event)
        [error] = await self._publish(running, [message])
        if error is not None:
            raise error

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """See `EventBus.publish_messages`."""
        return await self._publish(self._started(), messages)

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
        if self._running is not None:
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
        if self._running is not None:
            self._started()
            if self._stopping is not None:
                raise RuntimeError("The bus is being stopped.")
            return
        self._running = running = Running(self._settings, self._subscriptions)
        try:
            await running.start()
        except BaseException:
            self._running = None
            running.begin_stop(timeout=0.0)
            await running.stop()
            raise

    async def stop(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """See `EventBus.stop`. Does nothing when it is stopped."""
        if self._running is None:
            return
        running = self._started()
        me = asyncio.current_task()
        if any(consumer.runs(me) for consumer in running.consumers):
            raise RuntimeError("A handler can't stop its bus, which waits for it.")
        if self._stopping is None:
            running.begin_stop(timeout=timeout)
            # As a task: who is cancelled while he waits leaves nothing open.
            self._stopping = asyncio.create_task(self._stop(running))
        await asyncio.shield(self._stopping)

    async def check(self) -> None:
        """See `EventBus.check`."""
        if self._running is None:
            raise BrokerUnavailableException("The bus is not started.")
        self._started().check()

    async def unrouted_count(self) -> int:
        """How many events are kept because nobody subscribes to them.

        Raises:
            BrokerUnavailableException: There is no broker to be asked.
        """
        counts = await self._counts((UNROUTED,))
        return counts.get(UNROUTED, 0)

    async def queue_counts(self) -> dict[str, int]:
        """How many messages wait in each queue of this service, those in hand aside.

        Raises:
            BrokerUnavailableException: There is no broker to be asked.
        """
        queues = (queue.name for queue in topology_of(self._subscriptions).queues)
        own = tuple(name for name in queues if name not in (UNROUTED, CATALOGUE))
        return await self._counts(own)

    async def unbind(self, name: str, event_type: str) -> None:
        """Let the queue of the subscription *name* get no more events of this type.

        For a type that no running version of the service subscribes to any more. What
        is in the queue already stays there.

        Raises:
            BrokerUnavailableException: There is no broker.
            SubscriptionError: There can't be such a subscription.
            ValueError: This bus subscribes to it.
        """
        check_name("name", name)
        consumer = f"{self._settings.service_name}.{name}"
        exchange = self._subscriptions.exchange
        for subscription in self._subscriptions:
            if (
                subscription.consumer == consumer
                and event_type in subscription.routing_keys
            ):
                raise ValueError(f"{consumer} subscribes to {event_type}.")
        connection = self._connection()
        try:
            async with asyncio.timeout(self._settings.publish_timeout):
                with replies():
                    channel = await connection.channel()
                    await channel.queue_unbind(consumer, exchange, event_type)
                    await channel.close()
        except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise unavailable("The broker did not unbind it.", error) from error

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def _started(self) -> Running:
        if self._running is None:
            raise RuntimeError("The bus is not started.")
        if asyncio.get_running_loop() is not self._running.loop:
            raise RuntimeError(
                "The bus belongs to another event loop: use it where it was started."
            )
        return self._running

    async def _stop(self, running: Running) -> None:
        try:
            await running.stop()
        finally:
            self._running = self._stopping = None

    async def _publish(
        self, running: Running, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        started = self._settings.clock()
        results: list[Exception | None] = [None] * len(messages)
        packets: list[Packet] = []
        places: list[int] = []
        for place, message in enumerate(messages):
            try:
                packets.append(self._packet(message))
            except ValueError as error:
                results[place] = error
            else:
                places.append(place)
        outcomes = await running.publisher.publish(packets)
        for place, outcome in zip(places, outcomes, strict=True):
            results[place] = outcome
        if self._settings.observe is not None:
            seconds = self._settings.clock() - started
            for message, result in zip(messages, results, strict=True):
                if result is None:
                    observation = Observation(
                        Outcome.PUBLISHED, message.event_type, None, seconds
                    )
                    tell(self._settings.observe, observation)
        return results

    def _packet(self, message: OutgoingMessage) -> Packet:
        if len(message.body) > _LARGEST:
            raise EventTooLargeError(
                f"{message.event_type} {message.event_id} has {len(message.body)} "
                f"bytes; RabbitMQ takes {_LARGEST}."
            )
        properties = Properties(
            content_type=message.content_type,
            headers=message.headers,
            correlation_id=message.headers.get(CORRELATION_ID),
            message_id=str(message.event_id),
            timestamp=message.timestamp,
            type=message.event_type,
            app_id=self._settings.service_name,
        )
        exchange = self._subscriptions.exchange
        return Packet.of(exchange, message.event_type, properties, message.body)

    def _connection(self) -> Connection:
        running = self._started()
        connection = running.publishing.connection
        if connection is None:
            raise unavailable("There is no broker.", running.publishing.error)
        return connection

    async def _counts(self, queues: tuple[str, ...]) -> dict[str, int]:
        connection = self._connection()
        try:
            async with asyncio.timeout(self._settings.publish_timeout):
                with replies():
                    return await message_counts(connection, queues)
        except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise unavailable("The broker did not answer.", error) from error


if TYPE_CHECKING:
    _: EventBus = RabbitMQBus("", "")
