"""Puts webhooks into a server, and what feeds them into whoever consumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.keys import Access
from services.api_platform.limits import Limits
from services.api_platform.models import inbox_events, webhook_outbox_events
from services.api_platform.parts import Parts
from services.api_platform.webhooks._documentation import document_deliveries
from services.api_platform.webhooks._erasure import build_erasure
from services.api_platform.webhooks._events import (
    EXCHANGE,
    WEBHOOK_EVENTS,
    WebhookRequestedEvent,
    offered_events,
)
from services.api_platform.webhooks._fan_out import build_fan_out
from services.api_platform.webhooks._leaks import build_distrust
from services.api_platform.webhooks._producer import WebhookProducer
from services.api_platform.webhooks._router import build_router
from services.api_platform.webhooks._service import WebhookService
from shared.app.messaging import add_event_bus, add_inbox, add_outbox
from shared.errors import ServiceUnavailableException
from shared.events import ApiKeyLeakedEvent, BaseEvent, UserDeletedEvent
from shared.messaging import EventBus, EventTooLargeError, FailurePolicy
from shared.messaging.inbox import Inbox, idempotent
from shared.messaging.outbox import Outbox
from shared.rate_limit import RateLimitPolicy

_PATIENT: Final = FailurePolicy(
    # As long as an ordered handler may hold an event for what is its own fault.
    immediate_retries=1,
    delays=(1.0, 10.0, *(60.0,) * 12),
    timeout=15.0,
    # The database is away, and no event is to blame: it is handled when that is back.
    hold_on=(ServiceUnavailableException,),
    # It gets no smaller, and those behind it would wait.
    never_retry=(EventTooLargeError,),
)


def _nothing() -> None:
    pass


def add_webhooks(parts: Parts, access: Access, limits: Limits) -> WebhookService:
    """Give the server the endpoints of webhooks.

    Args:
        parts: Of the server.
        access: Lets callers in.
        limits: Of the settings.
    """
    webhooks = WebhookService(parts.outbox, parts.transport, parts.now)
    policy = RateLimitPolicy("webhooks-minute", limits.webhooks_per_minute, 60)
    router = build_router(parts.database, webhooks, access, policy)
    parts.service.app.include_router(router)
    document_deliveries(parts.service.app.webhooks)
    return webhooks


def add_webhook_consumers(
    parts: Parts,
    *,
    bus: EventBus | None = None,
    wake: Callable[[], object] = _nothing,
) -> Outbox:
    """Let the service make deliveries of the platform's events, and forget users.

    Args:
        parts: Of the service. Its bus is subscribed to, so it must not have started.
        bus: Of the exchange `webhooks`; else the one of the settings.
        wake: Called when there are new deliveries.

    Returns:
        The outbox of that exchange.
    """
    service, database = parts.service, parts.database
    webhooks = add_event_bus(
        service, bus, name=EXCHANGE, registry=WEBHOOK_EVENTS, exchange=EXCHANGE
    )
    outbox = Outbox(webhook_outbox_events)
    add_outbox(service, outbox, database=database, bus=webhooks, name="webhook_outbox")
    inbox = Inbox(inbox_events, database)
    add_inbox(service, inbox)
    producer = WebhookProducer(outbox)

    @idempotent(inbox)
    async def hand_on(event: BaseEvent[Any], session: AsyncSession) -> None:
        await producer.publish_webhook_event(session, event)

    parts.bus.subscribe(
        offered_events(), hand_on, name="webhooks", ordered=True, policy=_PATIENT
    )
    own = WebhookService(parts.outbox, parts.transport, parts.now)
    erase = build_erasure(inbox, own, outbox=parts.outbox, now=parts.now)
    parts.bus.subscribe(UserDeletedEvent, erase, name="former_users", policy=_PATIENT)
    distrust = build_distrust(inbox, own)
    parts.bus.subscribe(
        ApiKeyLeakedEvent, distrust, name="leaked_keys", policy=_PATIENT
    )
    webhooks.subscribe(
        WebhookRequestedEvent,
        build_fan_out(inbox, now=parts.now, wake=wake),
        name="fan_out",
        ordered=True,
        policy=_PATIENT,
    )
    return outbox
