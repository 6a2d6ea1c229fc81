"""The names of the platform's events.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """Every type of event of the platform. A member is its own routing key.

    A service's own types are plain text: this list is what all services share.
    """

    API_KEY_CREATED = "api_key.created"
    API_KEY_EXPIRED = "api_key.expired"
    API_KEY_LEAKED = "api_key.leaked"
    API_KEY_REVOKED = "api_key.revoked"
    API_KEY_ROTATED = "api_key.rotated"

    BRAND_KIT_CREATED = "brand_kit.created"
    BRAND_KIT_DELETED = "brand_kit.deleted"
    BRAND_KIT_UPDATED = "brand_kit.updated"

    GENERATION_CANCELLED = "generation.cancelled"
    GENERATION_COMPLETED = "generation.completed"
    GENERATION_FAILED = "generation.failed"
    GENERATION_REQUESTED = "generation.requested"
    GENERATION_STARTED = "generation.started"

    PROJECT_CREATED = "project.created"
    PROJECT_DELETED = "project.deleted"
    PROJECT_UPDATED = "project.updated"

    QUOTA_EXCEEDED = "quota.exceeded"
    QUOTA_THRESHOLD_REACHED = "quota.threshold_reached"

    SOCIAL_CONNECTED = "social.connected"
    SOCIAL_CONNECTION_EXPIRED = "social.connection_expired"
    SOCIAL_DISCONNECTED = "social.disconnected"
    SOCIAL_POST_CANCELLED = "social.post_cancelled"
    SOCIAL_POST_FAILED = "social.post_failed"
    SOCIAL_POST_PUBLISHED = "social.post_published"
    SOCIAL_POST_REJECTED = "social.post_rejected"
    SOCIAL_POST_SCHEDULED = "social.post_scheduled"

    SUBJECT_CREATED = "subject.created"
    SUBJECT_DELETED = "subject.deleted"
    SUBJECT_UPDATED = "subject.updated"

    TEAM_CREATED = "team.created"
    TEAM_DELETED = "team.deleted"
    TEAM_MEMBER_INVITED = "team.member_invited"
    TEAM_MEMBER_JOINED = "team.member_joined"
    TEAM_MEMBER_REMOVED = "team.member_removed"
    TEAM_MEMBER_ROLE_CHANGED = "team.member_role_changed"
    TEAM_UPDATED = "team.updated"

    USER_CREDITS_CHANGED = "user.credits_changed"
    USER_DELETED = "user.deleted"
    USER_EMAIL_VERIFICATION_REQUESTED = "user.email_verification_requested"
    USER_EMAIL_VERIFIED = "user.email_verified"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105  # no password
    USER_PASSWORD_RESET_REQUESTED = "user.password_reset_requested"  # noqa: S105
    USER_REGISTERED = "user.registered"
    USER_SUBSCRIPTION_CHANGED = "user.subscription_changed"
    USER_UPDATED = "user.updated"

    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_DELIVERY_FAILED = "webhook.delivery_failed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_ENABLED = "webhook.enabled"
    WEBHOOK_REGISTERED = "webhook.registered"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105  # no secret
    WEBHOOK_UPDATED = "webhook.updated"
