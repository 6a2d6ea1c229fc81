"""What happens to the keys of the platform's API. A key itself is in no event."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Name, Prose, Timestamp, Url


class _ApiKeyPayload(EventPayload):
    aggregate_key = "api_key_id"

    api_key_id: UUID
    user_id: UUID
    name: Name


class ApiKeyCreatedPayload(_ApiKeyPayload):
    """The new key, as its owner sees it in lists."""

    key_prefix: Annotated[str, Field(min_length=1, max_length=32)] = Field(
        description="The first characters, which tell keys apart and open nothing."
    )
    permissions: tuple[Name, ...] = ()
    expires_at: Timestamp | None = None


class ApiKeyCreatedEvent(BaseEvent[ApiKeyCreatedPayload]):
    """A developer made a key."""

    event_type: Literal["api_key.created"] = "api_key.created"
    schema_version: Literal[1] = 1


class ApiKeyRotatedPayload(_ApiKeyPayload):
    """The new secret's prefix, and how long the old secret is still accepted."""

    key_prefix: Annotated[str, Field(min_length=1, max_length=32)]
    previous_valid_until: Timestamp | None = Field(
        default=None, description="Null: the old secret is void at once."
    )


class ApiKeyRotatedEvent(BaseEvent[ApiKeyRotatedPayload]):
    """A key has a new secret."""

    event_type: Literal["api_key.rotated"] = "api_key.rotated"
    schema_version: Literal[1] = 1


class ApiKeyRevokedPayload(_ApiKeyPayload):
    """Who took the key back, and why."""

    revoked_by: Literal["user", "admin", "system"]
    reason: Prose | None = None


class ApiKeyRevokedEvent(BaseEvent[ApiKeyRevokedPayload]):
    """A key is void. Every cache of it must forget it."""

    event_type: Literal["api_key.revoked"] = "api_key.revoked"
    schema_version: Literal[1] = 1


class ApiKeyExpiredPayload(_ApiKeyPayload):
    """When the key's time was up."""

    expired_at: Timestamp


class ApiKeyExpiredEvent(BaseEvent[ApiKeyExpiredPayload]):
    """A key reached its end."""

    event_type: Literal["api_key.expired"] = "api_key.expired"
    schema_version: Literal[1] = 1


class ApiKeyLeakedPayload(_ApiKeyPayload):
    """Where the secret was seen."""

    found_by: Literal["secret_scanning", "report", "anomaly"]
    found_url: Url | None = None
    revoked: bool = Field(description="Whether the key was revoked because of it.")


class ApiKeyLeakedEvent(BaseEvent[ApiKeyLeakedPayload]):
    """A key's secret is known to others."""

    event_type: Literal["api_key.leaked"] = "api_key.leaked"
    schema_version: Literal[1] = 1


EVENTS = (
    ApiKeyCreatedEvent,
    ApiKeyRotatedEvent,
    ApiKeyRevokedEvent,
    ApiKeyExpiredEvent,
    ApiKeyLeakedEvent,
)
