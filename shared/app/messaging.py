"""Events in a service: the bus, the outbox and the inbox, started, watched and stopped.

::

    service = create_service("accounts", config)
    database = add_database(service)
    bus = add_event_bus(service)
    add_outbox(service, outbox, database=database, bus=bus)

    bus.subscribe(UserRegisteredEvent, send_welcome)

The bus is RabbitMQ where ``RABBITMQ_URL`` is set, and in the process where it is not. A
broker that is away makes the service no less ready: what it is to publish waits in the
outbox, and health says ``warn``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from shared.app import DegradedError, Metrics, Service
from shared.config import ConfigurationError, ConfigurationProblem, ServiceConfig
from shared.database import Database
from shared.errors import BaseAPIException
from shared.events import PLATFORM_EVENTS, EventRegistry
from shared.messaging import (
    EventBus,
    InMemoryBus,
    MessageWriter,
    Observation,
    Observer,
    Outcome,
)
from shared.messaging.inbox import Inbox
from shared.messaging.outbox import Outbox, OutboxRelay
from shared.messaging.rabbitmq import RabbitMQBus
from shared.messaging.topology import EVENTS

__all__ = ["add_event_bus", "add_inbox", "add_outbox", "event_buses", "event_observer"]

_log = logging.getLogger("shared.app.messaging")

# Between two looks at what only the broker or the database knows, in seconds.
_SAMPLE: Final = 10.0
_OTHER: Final = "other"
_DEAD: Final = ".dead"  # the end of the name of a queue of dead letters
_NO_BROKER: Final = ConfigurationProblem(
    "RABBITMQ_URL",
    "is not set, and in production events must not end with the process.",
    "Set it, or pass add_event_bus the bus that is meant.",
)
_RELAY_SECONDS: Final = 5.0


def add_event_bus(
    service: Service,
    bus: EventBus | None = None,
    *,
    name: str = "events",
    registry: EventRegistry | None = None,
    writer: MessageWriter | None = None,
    exchange: str = EVENTS,
) -> EventBus:
    """Give *service* a bus, which starts and stops with it.

    When the service stops, handlers have as long as requests have before them,
    ``SHUTDOWN_TIMEOUT``; what they had beyond that is delivered again.

    Args:
        service: The service.
        bus: Else the one of the settings: RabbitMQ, or in the process. One that is
            given counts its messages if it was made with `event_observer`.
        name: In messages, health replies and metrics.
        registry: The events that the service reads; else the platform's.
        writer: How events are written; else as the kernel's envelope.
        exchange: Where they are published; another one than the platform's for messages
            that are the service's own. Then it needs a *name*, too.

    Raises:
        ConfigurationError: No bus is given and none is in the settings, in production.
    """
    made = bus or _bus_of(
        service.config,
        registry=registry or PLATFORM_EVENTS,
        writer=writer or MessageWriter(),
        exchange=exchange,
        observe=event_observer(service.metrics, registry or PLATFORM_EVENTS),
    )
    grace = service.config.server.shutdown_timeout

    @asynccontextmanager
    async def started() -> AsyncIterator[EventBus]:
        await made.start()
        try:
            yield made
        finally:
            await made.stop(timeout=grace)

    service.add_resource(name, started, close_timeout=grace + 5.0)
    service.add_check(name, made.check, critical=False)
    _count_what_waits(service, name, made)
    service.app.state.shared_event_buses = (*event_buses(service), made)
    return made


def event_buses(service: Service) -> tuple[EventBus, ...]:
    """The buses that *service* was given, in that order."""
    buses: tuple[EventBus, ...] = getattr(service.app.state, "shared_event_buses", ())
    return buses


def _count_what_waits(service: Service, name: str, bus: EventBus) -> None:
    """Show what only the broker knows: it makes dead letters by itself, too."""
    unrouted = service.metrics.gauge("messaging_unrouted_messages").labels(name)
    dead = service.metrics.gauge("messaging_dead_letters")

    async def in_memory(bus: InMemoryBus) -> None:
        unrouted.set(bus.unrouted_count)
        for consumer in bus.backlog():
            dead.labels(name, consumer).set(len(bus.dead_letters(consumer)))

    async def on_rabbitmq(bus: RabbitMQBus) -> None:
        unrouted.set(await bus.unrouted_count())
        for queue, waiting in (await bus.queue_counts()).items():
            if queue.endswith(_DEAD):
                dead.labels(name, queue.removesuffix(_DEAD)).set(waiting)

    if isinstance(bus, InMemoryBus):
        _sample(service, f"{name} counts", partial(in_memory, bus))
    elif isinstance(bus, RabbitMQBus):
        _sample(service, f"{name} counts", partial(on_rabbitmq, bus))


def _bus_of(
    config: ServiceConfig,
    *,
    registry: EventRegistry,
    writer: MessageWriter,
    exchange: str,
    observe: Observer,
) -> EventBus:
    name, url = config.service_name, config.rabbitmq.connection_string
    if url is None and config.environment == "production":
        raise ConfigurationError(name, [_NO_BROKER])
    if url is None:
        _log.warning(
            "RABBITMQ_URL is not set: events stay in this process, and end with it."
        )
        return InMemoryBus(
            name, registry=registry, writer=writer, exchange=exchange, observe=observe
        )
    return RabbitMQBus(
        name,
        url,
        registry=registry,
        writer=writer,
        exchange=exchange,
        observe=observe,
    )


def event_observer(metrics: Metrics, registry: EventRegistry) -> Observer:
    """An ``observe=`` for a bus that counts in *metrics*.

    A type that *registry* does not know counts as ``other``: anybody may make them up.
    """
    known = {cls.model_fields["event_type"].default for cls in registry}
    messages = metrics.counter("messaging_messages_total")
    durations = metrics.histogram("messaging_handler_duration_seconds")

    def observe(observation: Observation) -> None:
        event_type, consumer = observation.event_type, observation.consumer
        if event_type not in known:
            event_type = _OTHER
        messages.labels(observation.outcome.value, event_type, consumer or "").inc()
        if consumer is not None and observation.outcome in _HANDLED:
            durations.labels(consumer).observe(observation.seconds)

    return observe


# What ends a round of a handler.
_HANDLED: Final = frozenset((Outcome.HANDLED, Outcome.RETRIED, Outcome.DEAD))


def add_outbox(
    service: Service,
    outbox: Outbox,
    *,
    database: Database,
    bus: EventBus | None,
    name: str = "outbox",
    max_lag: float = 60.0,
) -> OutboxRelay | None:
    """Publish what is in *outbox*, and watch how far behind that is.

    Args:
        service: The service. Add the database and the bus before.
        outbox: Where handlers of requests add events.
        database: Where it is.
        bus: Where its events go; None where another process relays them.
        name: In messages, health replies and metrics.
        max_lag: Seconds that an event may wait before health warns.
    """
    relay = None if bus is None else OutboxRelay(outbox, database, bus)
    if relay is not None:
        _run_relay(service, name, relay)
    rows = service.metrics.gauge("outbox_pending_rows").labels(name)
    seconds = service.metrics.gauge("outbox_lag_seconds").labels(name)
    latest: float | None = 0.0

    async def measure() -> None:
        nonlocal latest
        try:
            lag = await outbox.lag(database)
        except Exception:
            latest = None
            raise
        rows.set(lag.rows)
        seconds.set(lag.seconds)
        latest = lag.seconds

    async def check() -> None:
        if latest is None:
            raise DegradedError("the outbox can't be read; is its table there?")
        if latest > max_lag:
            raise DegradedError(f"events wait for {latest:.0f} seconds")

    _sample(service, f"{name} lag", measure)
    service.add_check(name, check, critical=False)
    return relay


def _run_relay(service: Service, name: str, relay: OutboxRelay) -> None:
    @asynccontextmanager
    async def relaying() -> AsyncIterator[None]:
        await relay.start()
        try:
            yield
        finally:
            # It may wait for a broker that is away. What it gives up stays there.
            await relay.stop(timeout=_RELAY_SECONDS)

    service.add_resource(name, relaying, close_timeout=_RELAY_SECONDS)


def add_inbox(service: Service, inbox: Inbox, *, name: str = "inbox") -> None:
    """Remove what *inbox* need not remember any more, while the service runs."""
    service.add_resource(name, inbox.cleaning)


def _sample(service: Service, name: str, look: Callable[[], Awaitable[object]]) -> None:
    """Call *look* from time to time while the service runs; failures are logged."""

    async def looking() -> None:
        well = True
        while True:
            try:
                await look()
                well = True
            except Exception as error:
                # Once: while a server is away, each look fails alike.
                if well:
                    reason = (
                        error.code
                        if isinstance(error, BaseAPIException)
                        else type(error).__name__
                    )
                    _log.warning("No %s: %s.", name, reason, exc_info=error)
                well = False
            await asyncio.sleep(_SAMPLE)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        task = asyncio.create_task(looking(), name=name)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    service.add_resource(name, running)
