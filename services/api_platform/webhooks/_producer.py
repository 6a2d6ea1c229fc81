"""From the platform's events to the exchange `webhooks`, through an outbox of its own.

What happens on the platform is one queue; what is to be delivered another: a slow
fan-out holds nobody else up, and an event that was taken is not lost with the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.webhooks._events import (
    OFFERED,
    WebhookRequestedEvent,
    WebhookRequestedPayload,
    body_of,
    owner_of,
)
from services.api_platform.webhooks._repository import WebhookRepository
from shared.events import BaseEvent
from shared.messaging.outbox import Outbox


@dataclass(frozen=True, slots=True)
class WebhookProducer:
    """Asks for events to be delivered.

    Attributes:
        outbox: Of the exchange `webhooks`.
    """

    outbox: Outbox

    async def publish_webhook_event(
        self, session: AsyncSession, event: BaseEvent[Any]
    ) -> None:
        """Let the webhooks of whoever *event* is about have it.

        It is published if, and after, the transaction of *session* is committed. An
        event that is not offered, or whose owner has no webhook, is passed over.
        """
        owner = owner_of(event)
        if owner is None or event.event_type not in OFFERED:
            return
        if not await WebhookRepository(session).any_active(owner):
            return
        body = body_of(event.event_type, event.timestamp, event.encode_payload())
        payload = WebhookRequestedPayload(
            user_id=owner,
            delivered_event_id=event.event_id,
            delivered_event_type=event.event_type,
            body=body.decode(),
        )
        requested = WebhookRequestedEvent(payload=payload).caused_by(event)
        self.outbox.add(session, requested)
