"""What happens to webhooks. The secret that signs deliveries is in no event."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Code, Name, Timestamp, Url

_EventTypes = Annotated[tuple[Name, ...], Field(min_length=1)]


class _WebhookPayload(EventPayload):
    aggregate_key = "webhook_id"

    webhook_id: UUID
    user_id: UUID


class WebhookRegisteredPayload(_WebhookPayload):
    """Where deliveries go, and which events they are about."""

    target_url: Url
    event_types: _EventTypes
    api_key_id: UUID | None = None


class WebhookRegisteredEvent(BaseEvent[WebhookRegisteredPayload]):
    """A developer registered a webhook."""

    event_type: Literal["webhook.registered"] = "webhook.registered"
    schema_version: Literal[1] = 1


class WebhookUpdatedPayload(_WebhookPayload):
    """The webhook after the change."""

    target_url: Url
    event_types: _EventTypes
    changed_fields: Annotated[tuple[Name, ...], Field(min_length=1)]


class WebhookUpdatedEvent(BaseEvent[WebhookUpdatedPayload]):
    """A webhook has another target or other events."""

    event_type: Literal["webhook.updated"] = "webhook.updated"
    schema_version: Literal[1] = 1


class WebhookSecretRotatedPayload(_WebhookPayload):
    """How long deliveries are signed with both secrets."""

    previous_valid_until: Timestamp | None = None


class WebhookSecretRotatedEvent(BaseEvent[WebhookSecretRotatedPayload]):
    """Deliveries are signed with a new secret."""

    event_type: Literal["webhook.secret_rotated"] = "webhook.secret_rotated"
    schema_version: Literal[1] = 1


class WebhookDisabledPayload(_WebhookPayload):
    """Why nothing is delivered any more."""

    reason: Literal["by_user", "by_admin", "too_many_failures"]
    consecutive_failures: int = Field(default=0, ge=0)
    # Not a reason of its own: who knows the three would refuse the event.
    error_code: Code | None = Field(
        default=None,
        description="What the last attempt ended with, where the target's answers are "
        "the reason: gone, if it said so and wants no more. key_leaked, if strangers "
        "had the key that registered it. Null if somebody chose it.",
    )


class WebhookDisabledEvent(BaseEvent[WebhookDisabledPayload]):
    """A webhook gets no deliveries until it is enabled again."""

    event_type: Literal["webhook.disabled"] = "webhook.disabled"
    schema_version: Literal[1] = 1


class WebhookEnabledPayload(_WebhookPayload):
    """The webhook that works again."""


class WebhookEnabledEvent(BaseEvent[WebhookEnabledPayload]):
    """A disabled webhook gets deliveries again."""

    event_type: Literal["webhook.enabled"] = "webhook.enabled"
    schema_version: Literal[1] = 1


class WebhookDeletedPayload(_WebhookPayload):
    """The webhook that is gone."""


class WebhookDeletedEvent(BaseEvent[WebhookDeletedPayload]):
    """A webhook was deleted."""

    event_type: Literal["webhook.deleted"] = "webhook.deleted"
    schema_version: Literal[1] = 1


class WebhookDeliveryFailedPayload(_WebhookPayload):
    """Which delivery failed, and how."""

    delivery_id: UUID
    delivered_event_id: UUID
    delivered_event_type: Name
    attempt: int = Field(ge=1)
    status_code: int | None = Field(
        default=None, ge=100, le=599, description="Null when there was no answer."
    )
    error_code: Code
    next_attempt_at: Timestamp | None = Field(
        default=None, description="Null: that was the last try."
    )


class WebhookDeliveryFailedEvent(BaseEvent[WebhookDeliveryFailedPayload]):
    """A webhook's target did not accept a delivery."""

    event_type: Literal["webhook.delivery_failed"] = "webhook.delivery_failed"
    schema_version: Literal[1] = 1


EVENTS = (
    WebhookRegisteredEvent,
    WebhookUpdatedEvent,
    WebhookSecretRotatedEvent,
    WebhookDisabledEvent,
    WebhookEnabledEvent,
    WebhookDeletedEvent,
    WebhookDeliveryFailedEvent,
)
