"""Builds the worker: it publishes what was committed and delivers webhooks.

It serves nothing but its health and its metrics, on a port of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.api_platform._settings import Settings
from services.api_platform.app import assemble, delivery_options
from services.api_platform.delivery import add_delivery
from services.api_platform.webhooks import add_webhook_consumers
from shared.app import Service
from shared.app.messaging import add_outbox
from shared.database import utc_now
from shared.http_client import PublicTransport
from shared.messaging import EventBus


def build_worker(
    settings: Settings,
    *,
    bus: EventBus | None = None,
    webhooks_bus: EventBus | None = None,
    transport: PublicTransport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Service:
    """Make the worker. Any number of them may run.

    Args:
        settings: Those of the server; see `bootstrap`.
        bus: Takes the events; else the one of the settings.
        webhooks_bus: The same for the exchange `webhooks`.
        transport: Reaches the targets of webhooks; see `bootstrap`.
        now: The clock.

    Raises:
        MissingKeysError: A key is not set.
    """
    server = settings.server.model_copy(update={"port": settings.worker_port})
    parts = assemble(
        settings.model_copy(update={"server": server}),
        bus=bus,
        transport=transport,
        now=now,
    )
    add_outbox(parts.service, parts.outbox, database=parts.database, bus=parts.bus)
    delivery = add_delivery(parts, delivery_options(settings))
    add_webhook_consumers(parts, bus=webhooks_bus, wake=delivery.wake)
    return parts.service
