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
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from aiormq.connection import Connection
from aiormq.exceptions import AMQPError

from shared.events import MAX_EVENT_BYTES, BaseEvent, EventRegistry
from shared.messaging._bus import EventBus, Observation, Observer, Outcome
from shared.messaging._consumption import Consumption, Settler, tell
from shared.messaging._errors import (
    BrokerUnavailableException,
    EventTooLargeError,
    TopologyError,
)
from shared.messaging._message import (
    CORRELATION_ID,
    MessageWriter,
    OutgoingMessage,
)
from shared.messaging._policy import FailurePolicy
from shared.messaging._rabbit_connection import Link, check_url, describe, own_context
from shared.messaging._rabbit_consumer import Consumer
from shared.messaging._rabbit_declare import Declarer, message_counts
from shared.messaging._rabbit_frames import Packet, Properties
from shared.messaging._rabbit_publisher import Publisher, unavailable
from shared.messaging._subscription import (
    E,
    Handler,
    Subscription,
    Subscriptions,
    check_name,
)
from shared.messaging._topology import CATALOGUE, EVENTS, UNROUTED, topology_of

__all__ = ["RabbitMQBus"]

_log = logging.getLogger("shared.messaging")

_FLUSH_SECONDS: Final = 5.0
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
        check_url(url)
        if prefetch is not None and not 1 <= prefetch <= 65535:
            raise ValueError(f"prefetch must be from 1 to 65535 (got {prefetch}).")
        for name, value in (
            ("publish_timeout", publish_timeout),
            ("connect_timeout", connect_timeout),
        ):
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be more than 0 seconds (got {value}).")
        self._subscriptions = Subscriptions(service_name, registry)
        self._service_name = service_name
        self._url = url
        self._registry = registry
        self._writer = writer or MessageWriter()
        self._observe = observe
        self._max_bytes = max_bytes
        self._prefetch = prefetch
        self._publish_timeout = publish_timeout
        self._connect_timeout = connect_timeout
        self._heartbeat = heartbeat
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._running: _Running | None = None
        self._stopping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"RabbitMQBus({self._service_name!r})"

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

    async def start(self) -> None:
        """See `EventBus.start`. Does nothing when it is started."""
        if self._running is not None:
            self._started()
            if self._stopping is not None:
                raise RuntimeError("The bus is being stopped.")
            return
        self._running = running = _Running(self)
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
        consumer = f"{self._service_name}.{name}"
        for subscription in self._subscriptions:
            if (
                subscription.consumer == consumer
                and event_type in subscription.routing_keys
            ):
                raise ValueError(f"{consumer} subscribes to {event_type}.")
        connection = self._connection()
        try:
            async with asyncio.timeout(self._publish_timeout):
                channel = await connection.channel()
                await channel.queue_unbind(consumer, EVENTS, event_type)
                await channel.close()
        except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise unavailable("The broker did not unbind it.", error) from error

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def _started(self) -> _Running:
        if self._running is None:
            raise RuntimeError("The bus is not started.")
        if asyncio.get_running_loop() is not self._running.loop:
            raise RuntimeError(
                "The bus belongs to another event loop: use it where it was started."
            )
        return self._running

    async def _stop(self, running: _Running) -> None:
        try:
            await running.stop()
        finally:
            self._running = self._stopping = None

    async def _publish(
        self, running: _Running, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        started = self._clock()
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
        if self._observe is not None:
            seconds = self._clock() - started
            for message, result in zip(messages, results, strict=True):
                if result is None:
                    observation = Observation(
                        Outcome.PUBLISHED, message.event_type, None, seconds
                    )
                    tell(self._observe, observation)
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
            app_id=self._service_name,
        )
        return Packet.of(EVENTS, message.event_type, properties, message.body)

    def _connection(self) -> Connection:
        running = self._started()
        connection = running.publishing.connection
        if connection is None:
            raise unavailable("There is no broker.", running.publishing.error)
        return connection

    async def _counts(self, queues: tuple[str, ...]) -> dict[str, int]:
        connection = self._connection()
        try:
            async with asyncio.timeout(self._publish_timeout):
                return await message_counts(connection, queues)
        except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise unavailable("The broker did not answer.", error) from error


class _Running:
    """What there is between start and stop."""

    def __init__(self, bus: RabbitMQBus) -> None:
        self._bus = bus
        self.loop = asyncio.get_running_loop()
        self._topology = topology_of(bus._subscriptions)
        self._declarer = Declarer(bus._service_name, self._topology, now=bus._now)
        self._declaring = asyncio.Lock()
        self._starting = True
        self._refused: asyncio.Future[TopologyError]
        self._refused = self.loop.create_future()
        self.publisher = Publisher(
            timeout=bus._publish_timeout, why_not=lambda: self.publishing.error
        )
        self.publishing = self._link("publishing", self._set_up_publishing)
        self.consuming = self._link("consuming", self._set_up_consuming)
        self.consumers = [
            Consumer(
                subscription,
                link=self.consuming,
                publisher=self.publisher,
                declare=self._declare_for(subscription),
                consumption=self._consumption,
                prefetch=bus._prefetch,
            )
            for subscription in bus._subscriptions
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._supervisors: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect, declare and consume; what is not possible goes on in background."""
        self._tasks = [self._task(self.publishing.run())]
        if self.consumers:
            self._tasks.append(self._task(self.consuming.run()))
        try:
            async with asyncio.timeout(self._bus._connect_timeout):
                await self._until(self.publishing.connected())
                self._supervise()
                for consumer in self.consumers:
                    await consumer.started.wait()
        except TimeoutError:
            _log.warning(
                "%s starts without RabbitMQ, which is waited for. %s",
                *(self._bus._service_name, self._why()),
            )
        self._starting = False
        self._supervise()

    def check(self) -> None:
        """Raise what is wrong."""
        problems = [consumer.problem for consumer in self.consumers]
        for problem in (self.publishing.error, *problems):
            if isinstance(problem, TopologyError):
                raise TopologyError(str(problem)) from problem
        if not self.publisher.open:
            raise unavailable("Events can't be published.", self.publishing.error)
        if self.publisher.blocked:
            raise unavailable("The broker takes no messages: it is full.", None)
        for consumer in self.consumers:
            if not consumer.consuming:
                cause = consumer.problem or self.consuming.error
                name = consumer.subscription.consumer
                raise unavailable(f"{name} does not consume.", cause)

    def begin_stop(self, *, timeout: float) -> None:
        """Begin no more from now on."""
        for supervisor in self._supervisors:
            supervisor.cancel()
        for consumer in self.consumers:
            consumer.begin_stop(timeout=timeout)

    async def stop(self) -> None:
        """After `begin_stop`: finish and close."""
        await _cancelled(self._supervisors)
        await asyncio.gather(*(consumer.stop() for consumer in self.consumers))
        await self.publisher.finish(timeout=_FLUSH_SECONDS)
        self.publisher.close()
        await _cancelled(self._tasks)

    def _why(self) -> str:
        error = self.publishing.error or self.consuming.error
        for consumer in self.consumers:
            error = error or consumer.problem
        return "No answer yet." if error is None else describe(error)

    async def _until(self, connected: Awaitable[object]) -> None:
        """Wait for it, or raise what the broker has against our queues."""
        waiting: asyncio.Future[object] = asyncio.ensure_future(connected)
        either: set[asyncio.Future[Any]] = {waiting, self._refused}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._refused.done():
            raise self._refused.result()

    def _supervise(self) -> None:
        if not self._supervisors:
            self._supervisors = [self._task(each.run()) for each in self.consumers]

    def _task(self, work: Any) -> asyncio.Task[None]:
        return self.loop.create_task(work, context=own_context())

    def _link(
        self,
        what: str,
        setup: Callable[[Connection], Awaitable[asyncio.Future[Exception] | None]],
    ) -> Link:
        bus = self._bus
        return Link(
            f"{bus._service_name} {what}",
            bus._url,
            setup=setup,
            connect_timeout=bus._connect_timeout,
            heartbeat=bus._heartbeat,
        )

    async def _set_up_publishing(
        self, connection: Connection
    ) -> asyncio.Future[Exception]:
        try:
            async with self._declaring:
                await self._declarer.declare(connection, self._topology)
        except TopologyError as error:
            if self._starting:
                if not self._refused.done():
                    self._refused.set_result(error)
                raise
            # The consumer that it is about says so. The others go on, and publishing.
            async with self._declaring:
                await self._declarer.declare(connection, topology_of(()))
        return await self.publisher.attach(connection)

    async def _set_up_consuming(self, _: Connection) -> None:
        return None

    def _declare_for(
        self, subscription: Subscription
    ) -> Callable[[Connection], Awaitable[None]]:
        topology = topology_of([subscription])

        async def declare(connection: Connection) -> None:
            async with self._declaring:
                await self._declarer.declare(connection, topology)

        return declare

    def _consumption(self, subscription: Subscription, settler: Settler) -> Consumption:
        bus = self._bus
        return Consumption(
            subscription,
            settler,
            registry=bus._registry,
            observe=bus._observe,
            max_bytes=bus._max_bytes,
            now=bus._now,
            clock=bus._clock,
            sleep=bus._sleep,
        )


if TYPE_CHECKING:
    _: EventBus = RabbitMQBus("", "")


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
