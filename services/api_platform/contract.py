"""What the API Platform promises to others: the service, and the events it publishes.

`./bazelw build //services/api_platform:contract` writes it down.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from services.api_platform._settings import NAME, Settings
from services.api_platform.app import bootstrap
from services.api_platform.webhooks import WEBHOOK_EVENTS, WebhookRequestedEvent
from shared.app import Service
from shared.config import SecurityConfig
from shared.events import (
    ApiKeyCreatedEvent,
    ApiKeyLeakedEvent,
    ApiKeyRevokedEvent,
    ApiKeyRotatedEvent,
    BaseEvent,
    QuotaExceededEvent,
    QuotaThresholdReachedEvent,
    WebhookDeletedEvent,
    WebhookDeliveryFailedEvent,
    WebhookDisabledEvent,
    WebhookEnabledEvent,
    WebhookRegisteredEvent,
    WebhookSecretRotatedEvent,
    WebhookUpdatedEvent,
)
from shared.messaging import InMemoryBus

PUBLISHES: Final[tuple[type[BaseEvent[Any]], ...]] = (
    ApiKeyCreatedEvent,
    ApiKeyLeakedEvent,
    ApiKeyRevokedEvent,
    ApiKeyRotatedEvent,
    QuotaExceededEvent,
    QuotaThresholdReachedEvent,
    WebhookDeletedEvent,
    WebhookDeliveryFailedEvent,
    WebhookDisabledEvent,
    WebhookEnabledEvent,
    WebhookRegisteredEvent,
    WebhookRequestedEvent,
    WebhookSecretRotatedEvent,
    WebhookUpdatedEvent,
)

UNSAID: Final[Mapping[str, Mapping[str, Any]]] = {
    "check_day": {
        "refused": {"A day before the service was there.": "2019-12-31"},
    },
    "check_ip_range": {
        "refused": {
            "A bit is set behind the length of the network.": "10.0.0.1/8",
            "An address of five bytes.": "10.0.0.0.1",
        },
        "accepted": (
            "::",
            "10.0.0.0/8",
            "203.0.113.0/24",
            "0000:0000:0000:0000:0000:ffff:255.255.255.255/128",
        ),
    },
    "each_once": {"says": "It drops what is named twice."},
}
"""What functions of this service refuse that no keyword of a schema can say."""

_KEY: Final = SecretStr(b64encode(bytes(range(32))).decode())
"""Nothing is signed or encrypted with it."""


def service() -> Service:
    """Build the service with its defaults: nothing is read, nothing is opened."""
    security = SecurityConfig(secret_key=_KEY, aes_key=_KEY, api_key_peppers=_KEY)
    return bootstrap(
        Settings(service_name=NAME, security=security),
        bus=InMemoryBus(NAME),
        webhooks_bus=InMemoryBus(NAME, registry=WEBHOOK_EVENTS, exchange="webhooks"),
    )
