"""What the service keeps: one class, one table. A change needs a migration."""

from services.api_platform.models._api_client import APIClient
from services.api_platform.models._events import (
    inbox_events,
    outbox_events,
    webhook_outbox_events,
)
from services.api_platform.models._feature_toggle import FeatureToggle
from services.api_platform.models._former_user import FormerUser
from services.api_platform.models._generation_job import GenerationJob
from services.api_platform.models._idempotency import idempotency_keys
from services.api_platform.models._usage import APIUsageLog, UsageState
from services.api_platform.models._webhook import (
    DeliveryState,
    Signing,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from shared.database import Base

METADATA = Base.metadata

__all__ = [
    "METADATA",
    "APIClient",
    "APIUsageLog",
    "DeliveryState",
    "FeatureToggle",
    "FormerUser",
    "GenerationJob",
    "Signing",
    "UsageState",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "idempotency_keys",
    "inbox_events",
    "outbox_events",
    "webhook_outbox_events",
]
