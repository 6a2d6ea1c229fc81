"""From one event to the deliveries that it makes: one for each webhook."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.webhooks._events import WebhookRequestedEvent
from services.api_platform.webhooks._repository import (
    DeliveryRepository,
    WebhookRepository,
)
from shared.messaging.inbox import Inbox, idempotent


def build_fan_out(
    inbox: Inbox, *, now: Callable[[], datetime], wake: Callable[[], object]
) -> Callable[[WebhookRequestedEvent], Coroutine[Any, Any, None]]:
    """The handler of `webhook.requested`.

    Args:
        inbox: Notes what was handled.
        now: The clock.
        wake: Called when there are new deliveries, behind their commit.
    """

    @idempotent(inbox)
    async def insert(event: WebhookRequestedEvent, session: AsyncSession) -> bool:
        asked = event.payload
        webhooks = await WebhookRepository(session).hearing(
            asked.user_id, asked.delivered_event_type
        )
        if webhooks:
            await DeliveryRepository(session).add_for(
                webhooks,
                event_id=asked.delivered_event_id,
                event_type=asked.delivered_event_type,
                body=asked.body.encode(),
                correlation_id=event.correlation_id,
                now=now(),
            )
        return bool(webhooks)

    async def fan_out(event: WebhookRequestedEvent) -> None:
        if await insert(event):
            wake()

    return fan_out
