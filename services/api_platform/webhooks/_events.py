"""What webhooks are about, and the service's own event that says so to the worker."""

# No `from __future__ import annotations`: as in shared.events, for pydantic.

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

from pydantic import Field

from shared.events import PLATFORM_EVENTS, BaseEvent, EventPayload, EventRegistry

EXCHANGE: Final = "webhooks"
PING: Final = "webhook.ping"
"""What a webhook gets when its owner asks for it, and cannot subscribe to."""

OfferedType = Literal[
    "api_key.created",
    "api_key.leaked",
    "api_key.revoked",
    "api_key.rotated",
    "brand_kit.created",
    "brand_kit.deleted",
    "brand_kit.updated",
    "generation.cancelled",
    "generation.completed",
    "generation.failed",
    "generation.requested",
    "generation.started",
    "project.created",
    "project.deleted",
    "project.updated",
    "quota.exceeded",
    "quota.threshold_reached",
    "webhook.disabled",
]
"""What can be subscribed to: events of the platform that are about one user's own
things and have no secret in them. A new one is named here by hand, and there is no
``*``: an event that is added to the platform must not leave it by itself."""

OFFERED: Final[tuple[str, ...]] = get_args(OfferedType)

_OWNERS: Final = ("user_id", "owner_id")
"""The members of a payload that say whose the event is."""


class WebhookRequestedPayload(EventPayload):
    """An event of the platform on its way to a user's webhooks."""

    aggregate_key = "user_id"  # a user's webhooks hear things in their order

    user_id: UUID
    delivered_event_id: UUID
    delivered_event_type: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(min_length=1)] = Field(
        description="What is signed and sent, in UTF-8."
    )


class WebhookRequestedEvent(BaseEvent[WebhookRequestedPayload]):
    """A user's webhooks are to hear of something."""

    event_type: Literal["webhook.requested"] = "webhook.requested"
    schema_version: Literal[1] = 1


WEBHOOK_EVENTS: Final = EventRegistry([WebhookRequestedEvent])


def offered_events() -> list[type[BaseEvent[Any]]]:
    """The classes of the events that are offered."""
    found = [PLATFORM_EVENTS.find(name) for name in OFFERED]
    return [cls for cls in found if cls is not None]


def owner_of(event: BaseEvent[Any]) -> UUID | None:
    """Whose event it is; None if it is nobody's."""
    for name in _OWNERS:
        owner = getattr(event.payload, name, None)
        if isinstance(owner, UUID):
            return owner
    return None


def body_of(event_type: str, timestamp: datetime, data: bytes) -> bytes:
    """The body of a delivery, in the form that Standard Webhooks recommends.

    Args:
        event_type: Of the event.
        timestamp: When it happened, aware.
        data: Its payload, in JSON.
    """
    moment = timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")
    head = f'{{"type":{json.dumps(event_type)},"timestamp":"{moment}","data":'
    # The payload as it was written: read and written again, a number of many digits
    # would be another one.
    return head.encode() + data + b"}"
