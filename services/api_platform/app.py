"""Builds the service: nothing happens before `bootstrap` is called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from ipaddress import ip_network

from services.api_platform._certificates import trusting
from services.api_platform._openapi import complete_openapi
from services.api_platform._settings import DESCRIPTION, NAME, TITLE, Settings
from services.api_platform.delivery import (
    DeliveryOptions,
    TargetTransport,
    add_delivery,
    delivery_store,
)
from services.api_platform.delivery import build_router as build_delivery_router
from services.api_platform.downstreams import add_downstreams
from services.api_platform.generations import add_generations
from services.api_platform.keys import (
    Access,
    APIKeyService,
    LastUsed,
    ReportersKeys,
    build_leaks_router,
)
from services.api_platform.keys import build_router as build_keys_router
from services.api_platform.models import outbox_events
from services.api_platform.parts import Parts
from services.api_platform.quota import add_quota
from services.api_platform.toggles import FeatureToggles
from services.api_platform.toggles import build_router as build_toggles_router
from services.api_platform.verbose import add_verbose_logging
from services.api_platform.webhooks import add_webhook_consumers, add_webhooks
from shared.app import Service, create_service
from shared.app.database import add_database
from shared.app.messaging import add_event_bus, add_outbox
from shared.crypto import AesKeyRing, PepperRing
from shared.database import Database, utc_now
from shared.database.encryption import use_encryption_keys
from shared.http_client import PublicTransport
from shared.messaging import EventBus
from shared.messaging.outbox import Outbox
from shared.rate_limit import RateLimitPolicy


class MissingKeysError(ValueError):
    """The service has no keys for what it stores."""


def assemble(
    settings: Settings,
    *,
    bus: EventBus | None = None,
    transport: PublicTransport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Parts:
    """Make the service with its database and its bus, and no routes yet.

    Raises:
        MissingKeysError: AES_KEY is not set.
    """
    service = create_service(NAME, settings, title=TITLE, description=DESCRIPTION)
    database = Database(settings.database, service_name=NAME)
    aes_key = settings.security.aes_key
    if aes_key is None:
        raise MissingKeysError("AES_KEY is not set: it encrypts webhooks' secrets.")
    use_encryption_keys(database, AesKeyRing.parse(aes_key.get_secret_value()))
    add_database(service, database)
    return Parts(
        service=service,
        database=database,
        bus=add_event_bus(service, bus),
        outbox=Outbox(outbox_events),
        toggles=FeatureToggles(database),
        transport=_added_transport(service, settings, transport),
        now=now,
    )


def _added_transport(
    service: Service, settings: Settings, transport: PublicTransport | None
) -> PublicTransport:
    networks = [ip_network(each) for each in settings.webhook_allowed_networks]
    made = transport or TargetTransport(
        allow=networks,
        concurrency=settings.webhook_concurrency,
        tls=trusting(settings.webhook_ca_file),
    )

    @asynccontextmanager
    async def closing() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await made.aclose()

    service.add_resource("targets of webhooks", closing)
    return made


def delivery_options(settings: Settings) -> DeliveryOptions:
    """How a process with these settings delivers webhooks."""
    return DeliveryOptions(
        concurrency=settings.webhook_concurrency,
        per_endpoint=settings.webhook_endpoint_concurrency,
        retention=timedelta(days=settings.webhook_retention_days),
    )


def bootstrap(
    settings: Settings,
    *,
    bus: EventBus | None = None,
    webhooks_bus: EventBus | None = None,
    transport: PublicTransport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Service:
    """Make the server.

    Args:
        settings: With every key; see `with_local_keys`.
        bus: Takes the events; else the one of the settings.
        webhooks_bus: The same for the exchange `webhooks`, where this process consumes.
        transport: Reaches the targets of webhooks; else those that are public, and
            those of the settings.
        now: The clock.

    Raises:
        MissingKeysError: A key is not set.
        ConfigurationError: A service behind this one has no URL, in production.
    """
    parts = assemble(settings, bus=bus, transport=transport, now=now)
    service, database = parts.service, parts.database
    # Without a broker between processes there is no other one to publish.
    embedded = settings.rabbitmq.url is None
    add_outbox(
        service,
        parts.outbox,
        database=database,
        bus=parts.bus if embedded else None,
    )
    keys = APIKeyService(_peppers(settings), parts.outbox, now)
    last_used = LastUsed(database)
    service.add_resource("last use of keys", last_used.running)
    access = Access(keys, database, last_used, now)
    making = RateLimitPolicy("keys-hour", settings.quota.keys_per_hour, 3600)
    service.app.include_router(build_keys_router(database, keys, making))
    service.app.include_router(
        build_leaks_router(database, keys, ReportersKeys(settings.leak_reporters))
    )
    service.app.include_router(build_toggles_router(parts.toggles))
    add_verbose_logging(parts)
    downstreams = add_downstreams(parts, settings)
    quota = add_quota(parts, access, settings.quota, billing=downstreams.billing)
    add_generations(
        parts, access, quota, settings.quota, orchestration=downstreams.generations
    )
    add_webhooks(parts, access, settings.quota)
    service.app.include_router(build_delivery_router(delivery_store(parts), parts.now))
    if embedded:
        delivery = add_delivery(parts, delivery_options(settings))
        service.app.state.webhook_outbox = add_webhook_consumers(
            parts, bus=webhooks_bus, wake=delivery.wake
        )
    complete_openapi(service.app)
    # For what runs beside the routes, such as tests.
    service.app.state.access = access
    service.app.state.database = database
    service.app.state.outbox = parts.outbox
    service.app.state.quota = quota
    return service


def _peppers(settings: Settings) -> PepperRing:
    peppers = settings.security.api_key_peppers
    if peppers is None:
        raise MissingKeysError("API_KEY_PEPPERS is not set: it hashes API keys.")
    return PepperRing.parse(peppers.get_secret_value())
