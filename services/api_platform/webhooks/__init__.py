"""Webhooks: who hears of what, and which deliveries an event makes."""

from services.api_platform.webhooks._events import (
    OFFERED,
    PING,
    WEBHOOK_EVENTS,
    WebhookRequestedEvent,
    WebhookRequestedPayload,
)
from services.api_platform.webhooks._producer import WebhookProducer
from services.api_platform.webhooks._service import (
    WebhookDisabledException,
    WebhookLimitException,
    WebhookService,
)
from services.api_platform.webhooks._wiring import add_webhook_consumers, add_webhooks

__all__ = [
    "OFFERED",
    "PING",
    "WEBHOOK_EVENTS",
    "WebhookDisabledException",
    "WebhookLimitException",
    "WebhookProducer",
    "WebhookRequestedEvent",
    "WebhookRequestedPayload",
    "WebhookService",
    "add_webhook_consumers",
    "add_webhooks",
]
