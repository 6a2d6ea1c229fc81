"""What happens to connections to social networks, and to what is posted there."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Code, Name, Prose, Timestamp, Url


class _ConnectionPayload(EventPayload):
    aggregate_key = "connection_id"

    connection_id: UUID
    user_id: UUID
    platform: Name = Field(examples=["instagram"])


class SocialConnectedPayload(_ConnectionPayload):
    """The account on the network. Its tokens stay in the service that holds them."""

    external_user_id: Name
    external_display_name: Name | None = None
    scopes: tuple[Name, ...] = ()
    expires_at: Timestamp | None = None


class SocialConnectedEvent(BaseEvent[SocialConnectedPayload]):
    """A user connected an account, or renewed the connection."""

    event_type: Literal["social.connected"] = "social.connected"
    schema_version: Literal[1] = 1


class SocialConnectionExpiredPayload(_ConnectionPayload):
    """Why the connection can't be used until the user renews it."""

    reason: Literal["expired", "revoked_on_platform", "permissions_changed"]


class SocialConnectionExpiredEvent(BaseEvent[SocialConnectionExpiredPayload]):
    """The network does not accept our tokens any more."""

    event_type: Literal["social.connection_expired"] = "social.connection_expired"
    schema_version: Literal[1] = 1


class SocialDisconnectedPayload(_ConnectionPayload):
    """The account that is not connected any more."""

    external_user_id: Name
    revoked_on_platform: bool = Field(
        description="Whether the network confirmed that our tokens are void."
    )


class SocialDisconnectedEvent(BaseEvent[SocialDisconnectedPayload]):
    """A user disconnected an account."""

    event_type: Literal["social.disconnected"] = "social.disconnected"
    schema_version: Literal[1] = 1


class _PostPayload(EventPayload):
    aggregate_key = "job_id"

    job_id: UUID
    user_id: UUID
    connection_id: UUID
    platform: Name = Field(examples=["instagram"])


class SocialPostScheduledPayload(_PostPayload):
    """When the post is due."""

    scheduled_at: Timestamp


class SocialPostScheduledEvent(BaseEvent[SocialPostScheduledPayload]):
    """A post waits for its time."""

    event_type: Literal["social.post_scheduled"] = "social.post_scheduled"
    schema_version: Literal[1] = 1


class SocialPostPublishedPayload(_PostPayload):
    """Where the post is."""

    post_url: Url | None = Field(
        default=None, description="Null where the network does not tell."
    )
    published_at: Timestamp
    attempts: int = Field(ge=1)


class SocialPostPublishedEvent(BaseEvent[SocialPostPublishedPayload]):
    """A post is on the network."""

    event_type: Literal["social.post_published"] = "social.post_published"
    schema_version: Literal[1] = 1


class SocialPostFailedPayload(_PostPayload):
    """Why the post is not on the network."""

    error_code: Code
    error_message: Prose | None = Field(
        default=None, description="For people, without internals."
    )
    attempts: int = Field(ge=1)


class SocialPostFailedEvent(BaseEvent[SocialPostFailedPayload]):
    """All tries to publish a post have failed."""

    event_type: Literal["social.post_failed"] = "social.post_failed"
    schema_version: Literal[1] = 1


class SocialPostRejectedPayload(_PostPayload):
    """What the content breaks."""

    rejected_by: Literal["policy", "platform"]
    reason: Prose


class SocialPostRejectedEvent(BaseEvent[SocialPostRejectedPayload]):
    """A post may not be published as it is."""

    event_type: Literal["social.post_rejected"] = "social.post_rejected"
    schema_version: Literal[1] = 1


class SocialPostCancelledPayload(_PostPayload):
    """Who withdrew the post."""

    cancelled_by: Literal["user", "admin", "system"]


class SocialPostCancelledEvent(BaseEvent[SocialPostCancelledPayload]):
    """A scheduled post was withdrawn before its time."""

    event_type: Literal["social.post_cancelled"] = "social.post_cancelled"
    schema_version: Literal[1] = 1


EVENTS = (
    SocialConnectedEvent,
    SocialConnectionExpiredEvent,
    SocialDisconnectedEvent,
    SocialPostScheduledEvent,
    SocialPostPublishedEvent,
    SocialPostFailedEvent,
    SocialPostRejectedEvent,
    SocialPostCancelledEvent,
)
