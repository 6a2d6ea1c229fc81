"""What crosses the API about webhooks."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.api_platform.models import DeliveryState, Signing
from services.api_platform.requests import RequestDTO
from services.api_platform.webhooks._events import OFFERED, OfferedType
from shared.dtos.base import (
    BaseDTO,
    BaseResponseDTO,
    BaseUpdateDTO,
    NotNull,
    with_examples,
)
from shared.dtos.common import Cursor, PageQuery
from shared.validation import HttpsUrl, UtcDateTime

_ID = "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5b"
_EVENT = "6f1d2c3b-0a49-4e58-8f67-1b2c3d4e5f60"
_MOMENT = "2026-01-31T12:00:00Z"
_SHOWN = {
    "id": _ID,
    "created_at": _MOMENT,
    "updated_at": _MOMENT,
    "user_id": "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
    "api_client_id": None,
    "target_url": "https://example.com/hooks",
    "event_types": ["generation.completed", "generation.failed"],
    "signing": "v1",
    "public_key": None,
    "ordered": False,
    "is_active": True,
    "disabled_reason": None,
    "failing_since": None,
    "consecutive_failures": 0,
    "previous_valid_until": None,
}
_ATTEMPT = {
    "number": 1,
    "started_at": _MOMENT,
    "duration_ms": 182,
    "status_code": 200,
    "error_code": None,
    "settings": "stable",
}
_DELIVERY = {
    "id": _ID,
    "webhook_id": "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5c",
    "event_id": _EVENT,
    "event_type": "generation.completed",
    "correlation_id": "9b2f6c1e-4d7a-4b0e-8a35-2f1c0d9e8b7a",
    "state": "delivered",
    "created_at": _MOMENT,
    "next_attempt_at": None,
    "finished_at": _MOMENT,
    "attempts": [_ATTEMPT],
}
MAX_GRACE_SECONDS = 30 * 24 * 3600


def _each_once(types: list[OfferedType]) -> list[OfferedType]:
    return list(dict.fromkeys(types))


EventTypes = Annotated[
    list[OfferedType],
    Field(
        min_length=1,
        max_length=len(OFFERED),
        description="What it hears of. There is no *: name each type.",
    ),
    AfterValidator(_each_once),
]


class WebhookCreateDTO(RequestDTO):
    """A new webhook."""

    model_config = with_examples(
        {
            "target_url": "https://example.com/hooks",
            "event_types": ["generation.completed", "generation.failed"],
        }
    )

    target_url: HttpsUrl = Field(
        description="Where events are sent: https, and on the public internet."
    )
    event_types: EventTypes
    signing: Signing = Field(
        Signing.V1,
        description="v1: HMAC-SHA256 with a secret. v1a: Ed25519, checked with a "
        "public key.",
    )
    ordered: bool = Field(
        False,
        description="One delivery after the other: one that fails holds up those "
        "behind it. Events about one thing, such as one generation, come in the order "
        "in which they happened; those about different things may change places.",
    )


class WebhookUpdateDTO(BaseUpdateDTO, RequestDTO):
    """Changes of a webhook; what is absent stays."""

    model_config = with_examples({"event_types": ["generation.completed"]})

    target_url: NotNull[HttpsUrl] = None
    event_types: NotNull[EventTypes] = None
    ordered: NotNull[bool] = None


class WebhookRotateDTO(RequestDTO):
    """A new secret, or key pair, for a webhook."""

    model_config = with_examples({"grace_seconds": 86_400})

    grace_seconds: int = Field(
        86_400,
        ge=0,
        le=MAX_GRACE_SECONDS,
        description="How long deliveries are signed with the old one too; 0: not any "
        "more.",
    )
    signing: Signing | None = Field(
        None, description="How deliveries are signed from now on; null: as before."
    )


class WebhookResponseDTO(BaseResponseDTO):
    """A webhook as its owner sees it. The secret is not in it."""

    model_config = with_examples(_SHOWN)

    user_id: UUID
    api_client_id: UUID | None = Field(description="The key that registered it.")
    target_url: str
    event_types: list[str]
    signing: Signing
    public_key: str | None = Field(
        description="Checks the signatures of v1a: whpk_... Null for v1."
    )
    ordered: bool
    is_active: bool
    disabled_reason: str | None
    failing_since: UtcDateTime | None
    consecutive_failures: int
    previous_valid_until: UtcDateTime | None = Field(
        description="Until when the secret before the last rotation signs as well."
    )


class WebhookSecretResponseDTO(WebhookResponseDTO):
    """A new webhook, or one with a new secret: the one time that it is shown."""

    model_config = with_examples({**_SHOWN, "secret": "<shown once>"})

    secret: str | None = Field(
        repr=False,
        description="Checks the signatures of v1: whsec_... Null for v1a, whose "
        "private half stays here.",
    )


class DeliveryQuery(PageQuery):
    """The page of deliveries that is asked for."""

    model_config = with_examples({"limit": 50, "state": "failed"})

    state: DeliveryState | None = Field(None, description="Only those in this state.")


class AttemptResponseDTO(BaseDTO):
    """One try of a delivery."""

    model_config = with_examples(_ATTEMPT)

    number: int = Field(description="From 1 on, and again after a replay.")
    started_at: UtcDateTime
    duration_ms: int
    status_code: int | None = Field(description="Null: there was no answer.")
    error_code: str | None
    settings: str = Field(description="Of the delivery: stable or canary.")


class DeliveryResponseDTO(BaseDTO):
    """An event on its way to a webhook. What it says is not repeated."""

    model_config = with_examples(_DELIVERY)

    id: UUID
    webhook_id: UUID
    event_id: UUID = Field(description="The webhook-id of each attempt.")
    event_type: str
    correlation_id: str | None
    state: DeliveryState
    created_at: UtcDateTime
    next_attempt_at: UtcDateTime | None = Field(description="Null: there is none.")
    finished_at: UtcDateTime | None
    attempts: list[AttemptResponseDTO] = Field(description="The latest, up to 30.")


class DeliveryDetailDTO(DeliveryResponseDTO):
    """One delivery, with the form of what was sent."""

    model_config = with_examples(
        {
            **_DELIVERY,
            "body": {
                "type": "generation.completed",
                "timestamp": _MOMENT,
                "data": {"generation_id": "[redacted]", "user_id": "[redacted]"},
            },
        }
    )

    body: dict[str, Any] = Field(description="What was sent, without its values.")


Over = Literal["delivered", "failed"]


def _all_over() -> list[Over]:
    return ["delivered", "failed"]


class ReplayDTO(RequestDTO):
    """Which deliveries shall be made again."""

    model_config = with_examples({"since": _MOMENT, "states": ["failed"]})

    since: UtcDateTime = Field(description="Those that were made from then on.")
    states: list[Over] = Field(default_factory=_all_over, min_length=1, max_length=2)
    cursor: Cursor | None = Field(
        None, description="The next_cursor of the reply before; absent for the first."
    )


class ReplayResponseDTO(BaseDTO):
    """What is on its way again."""

    model_config = with_examples({"replayed": 12, "next_cursor": None})

    replayed: int
    next_cursor: str | None = Field(
        description="Null: those were all. Else ask again with it."
    )


class DeliveryBodyDTO(BaseDTO):
    """What a webhook is sent."""

    model_config = with_examples(
        {
            "type": "generation.completed",
            "timestamp": _MOMENT,
            "data": {
                "generation_id": _ID,
                "user_id": _SHOWN["user_id"],
                "status": "Completed",
                "final_asset_id": "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5d",
                "assets": [],
                "credits_used": 2.5,
            },
        }
    )

    type: OfferedType | Literal["webhook.ping"]
    timestamp: UtcDateTime = Field(description="When it happened, in UTC.")
    data: dict[str, Any] = Field(
        description="The payload of the event; there may be more members in future."
    )
