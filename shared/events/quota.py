"""When users of the platform's API come near the end of their quotas."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Name, Timestamp
from shared.validation import DecimalNumber

_Amount = Annotated[DecimalNumber, Field(ge=0)]


class _QuotaPayload(EventPayload):
    aggregate_key = "user_id"

    user_id: UUID
    api_key_id: UUID | None = Field(
        default=None, description="Null: the quota is the user's, over all keys."
    )
    quota: Name = Field(examples=["generations_per_month"])
    limit: _Amount
    used: _Amount
    period_ends_at: Timestamp


class QuotaThresholdReachedPayload(_QuotaPayload):
    """How much of the quota is used."""

    threshold_percent: int = Field(ge=1, le=99)


class QuotaThresholdReachedEvent(BaseEvent[QuotaThresholdReachedPayload]):
    """A part of the quota is used up that its owner wants to know of."""

    event_type: Literal["quota.threshold_reached"] = "quota.threshold_reached"
    schema_version: Literal[1] = 1


class QuotaExceededPayload(_QuotaPayload):
    """The quota that is used up. Requests are refused until the period ends."""


class QuotaExceededEvent(BaseEvent[QuotaExceededPayload]):
    """A quota is used up."""

    event_type: Literal["quota.exceeded"] = "quota.exceeded"
    schema_version: Literal[1] = 1


EVENTS = (
    QuotaThresholdReachedEvent,
    QuotaExceededEvent,
)
