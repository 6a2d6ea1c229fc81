"""What happens to users and their accounts."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Email, Name, Secret, Timestamp
from shared.validation import DecimalNumber


class _UserPayload(EventPayload):
    aggregate_key = "user_id"

    user_id: UUID


class UserRegisteredPayload(_UserPayload):
    """A new account, whose address is yet to be verified."""

    email: Email
    verification_token: Secret = Field(
        description="Goes into the mail that verifies the address."
    )
    full_name: Name | None = None


class UserRegisteredEvent(BaseEvent[UserRegisteredPayload]):
    """Somebody registered."""

    event_type: Literal["user.registered"] = "user.registered"
    schema_version: Literal[1] = 1


class UserEmailVerificationRequestedPayload(_UserPayload):
    """The address to verify, with a new token that replaces those before."""

    email: Email
    verification_token: Secret
    expires_at: Timestamp


class UserEmailVerificationRequestedEvent(
    BaseEvent[UserEmailVerificationRequestedPayload]
):
    """A user asked for another verification mail, or changed their address."""

    event_type: Literal["user.email_verification_requested"] = (
        "user.email_verification_requested"
    )
    schema_version: Literal[1] = 1


class UserEmailVerifiedPayload(_UserPayload):
    """The address that belongs to the user for certain."""

    email: Email


class UserEmailVerifiedEvent(BaseEvent[UserEmailVerifiedPayload]):
    """A user followed the link in the verification mail."""

    event_type: Literal["user.email_verified"] = "user.email_verified"
    schema_version: Literal[1] = 1


class UserUpdatedPayload(_UserPayload):
    """The profile after the change."""

    email: Email
    full_name: Name | None = None
    username: Name | None = None
    changed_fields: Annotated[tuple[Name, ...], Field(min_length=1)]


class UserUpdatedEvent(BaseEvent[UserUpdatedPayload]):
    """A profile was changed."""

    event_type: Literal["user.updated"] = "user.updated"
    schema_version: Literal[1] = 1


class UserPasswordResetRequestedPayload(_UserPayload):
    """Where to send the token that allows for a new password."""

    email: Email
    reset_token: Secret
    expires_at: Timestamp


class UserPasswordResetRequestedEvent(BaseEvent[UserPasswordResetRequestedPayload]):
    """Somebody claims to have forgotten the password."""

    event_type: Literal["user.password_reset_requested"] = (
        "user.password_reset_requested"
    )
    schema_version: Literal[1] = 1


class UserPasswordChangedPayload(_UserPayload):
    """How the password came to be changed. Sessions from before are over."""

    reason: Literal["changed_by_user", "reset_by_token", "forced_by_admin"]


class UserPasswordChangedEvent(BaseEvent[UserPasswordChangedPayload]):
    """A user has a new password."""

    event_type: Literal["user.password_changed"] = "user.password_changed"
    schema_version: Literal[1] = 1


class UserSubscriptionChangedPayload(_UserPayload):
    """The tiers before and after."""

    previous_tier: Name
    subscription_tier: Name


class UserSubscriptionChangedEvent(BaseEvent[UserSubscriptionChangedPayload]):
    """A user moved to another subscription tier."""

    event_type: Literal["user.subscription_changed"] = "user.subscription_changed"
    schema_version: Literal[1] = 1


class UserCreditsChangedPayload(_UserPayload):
    """A movement of credits, and the balance after it."""

    amount: DecimalNumber = Field(description="Negative when credits were spent.")
    credit_balance: DecimalNumber
    reason: Literal["purchase", "subscription", "generation", "refund", "adjustment"]
    generation_id: UUID | None = None


class UserCreditsChangedEvent(BaseEvent[UserCreditsChangedPayload]):
    """A user gained or spent credits."""

    event_type: Literal["user.credits_changed"] = "user.credits_changed"
    schema_version: Literal[1] = 1


class UserDeletedPayload(_UserPayload):
    """Who asked for it. Every service erases what it holds of the user."""

    requested_by: Literal["user", "admin", "retention_policy"]


class UserDeletedEvent(BaseEvent[UserDeletedPayload]):
    """An account is gone."""

    event_type: Literal["user.deleted"] = "user.deleted"
    schema_version: Literal[1] = 1


EVENTS = (
    UserRegisteredEvent,
    UserEmailVerificationRequestedEvent,
    UserEmailVerifiedEvent,
    UserUpdatedEvent,
    UserPasswordResetRequestedEvent,
    UserPasswordChangedEvent,
    UserSubscriptionChangedEvent,
    UserCreditsChangedEvent,
    UserDeletedEvent,
)
