"""A bus on RabbitMQ from its start to its stop: two connections and the consumers.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aiormq.connection import Connection

from shared.events import EventRegistry
from shared.messaging._bus import Observer
from shared.messaging._consumption import Consumption, Settler
from shared.messaging._errors import TopologyError
from shared.messaging._rabbit_connection import (
    SETUP_SECONDS,
    Link,
    check_url,
    describe,
    own_context,
)
from shared.messaging._rabbit_consumer import Consumer
from shared.messaging._rabbit_declare import Declarer
from shared.messaging._rabbit_publisher import Publisher, unavailable
from shared.messaging._subscription import Subscription, Subscriptions
from shared.messaging._topology import topology_of

_log = logging.getLogger("shared.messaging")

_FLUSH_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `RabbitMQBus` was told; see there."""

    service_name: str
    url: str = field(repr=False)
    registry: EventRegistry
    observe: Observer | None
    max_bytes: int
    prefetch: int | None
    publish_timeout: float
    connect_timeout: float
    heartbeat: int | None
    now: Callable[[], datetime]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.prefetch is not None and not 1 <= self.prefetch <= 65535:
            raise ValueError(f"prefetch must be from 1 to 65535 (got {self.prefetch}).")
        if self.heartbeat is not None and not 1 <= self.heartbeat <= 65535:
            raise ValueError(
                f"heartbeat must be from 1 to 65535 seconds (got {self.heartbeat})."
            )
        for name in ("publish_timeout", "connect_timeout"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be more than 0 seconds (got {value}).")


class Running:
    """A bus from its start to its stop.

    Args:
        settings: Of the bus.
        subscriptions: Of the bus, all of them.
    """

    def __init__(self, settings: Settings, subscriptions: Subscriptions) -> None:
        self._settings = settings
        self.loop = asyncio.get_running_loop()
        self._topology = topology_of(subscriptions, exchange=subscriptions.exchange)
        self._declarer = Declarer(
            settings.service_name, self._topology, now=settings.now
        )
        self._declaring = asyncio.Lock()
        self._starting = True
        self._refused: asyncio.Future[TopologyError]
        self._refused = self.loop.create_future()
        self.publisher = Publisher(
            timeout=settings.publish_timeout, why_not=lambda: self.publishing.error
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
                prefetch=settings.prefetch,
            )
            for subscription in subscriptions
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._supervisors: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect, declare and consume; what is not possible goes on in background."""
        self._tasks = [self._task(self.publishing.run())]
        if self.consumers:
            self._tasks.append(self._task(self.consuming.run()))
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self.publishing.reached.wait()
            async with asyncio.timeout(SETUP_SECONDS):  # many queues take their time
                await self._until(self.publishing.connected())
                self._supervise()
                for consumer in self.consumers:
                    await consumer.started.wait()
        except TimeoutError:
            _log.warning(
                "%s starts without RabbitMQ, which is waited for. %s",
                *(self._settings.service_name, self._why()),
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
        settings = self._settings
        return Link(
            f"{settings.service_name} {what}",
            settings.url,
            setup=setup,
            connect_timeout=settings.connect_timeout,
            heartbeat=settings.heartbeat,
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
        settings = self._settings
        return Consumption(
            subscription,
            settler,
            registry=settings.registry,
            observe=settings.observe,
            max_bytes=settings.max_bytes,
            now=settings.now,
            clock=settings.clock,
            sleep=settings.sleep,
        )


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
