"""What happened, as services tell each other: typed events in one envelope.

`shared.events.cloudevents` writes and reads them as CloudEvents.

The platform's events are imported when they are first asked for: their 52 types would
take a quarter of the time that pydantic itself takes to import, and a service uses few.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.events._envelope import MAX_EVENT_BYTES, BaseEvent, EventPayload
from shared.events._errors import EventFormatError, FormatIssue
from shared.events._fields import Secret, Timestamp
from shared.events._json import FrozenDict, JsonObject, JsonValue
from shared.events._registry import EventRegistry
from shared.events._types import EventType
from shared.events._unknown import UnknownEvent
from shared.events._upcasting import Upcaster, upcaster

if TYPE_CHECKING:
    from shared.events._platform import PLATFORM_EVENTS, parse_event
    from shared.events.api_key import (
        ApiKeyCreatedEvent,
        ApiKeyCreatedPayload,
        ApiKeyExpiredEvent,
        ApiKeyExpiredPayload,
        ApiKeyLeakedEvent,
        ApiKeyLeakedPayload,
        ApiKeyRevokedEvent,
        ApiKeyRevokedPayload,
        ApiKeyRotatedEvent,
        ApiKeyRotatedPayload,
    )
    from shared.events.generation import (
        GenerationAsset,
        GenerationCancelledEvent,
        GenerationCancelledPayload,
        GenerationCompletedEvent,
        GenerationCompletedPayload,
        GenerationFailedEvent,
        GenerationFailedPayload,
        GenerationRequestedEvent,
        GenerationRequestedPayload,
        GenerationStartedEvent,
        GenerationStartedPayload,
    )
    from shared.events.project import (
        BrandKitCreatedEvent,
        BrandKitCreatedPayload,
        BrandKitDeletedEvent,
        BrandKitDeletedPayload,
        BrandKitUpdatedEvent,
        BrandKitUpdatedPayload,
        ProjectCreatedEvent,
        ProjectCreatedPayload,
        ProjectDeletedEvent,
        ProjectDeletedPayload,
        ProjectUpdatedEvent,
        ProjectUpdatedPayload,
    )
    from shared.events.quota import (
        QuotaExceededEvent,
        QuotaExceededPayload,
        QuotaThresholdReachedEvent,
        QuotaThresholdReachedPayload,
    )
    from shared.events.social import (
        SocialConnectedEvent,
        SocialConnectedPayload,
        SocialConnectionExpiredEvent,
        SocialConnectionExpiredPayload,
        SocialDisconnectedEvent,
        SocialDisconnectedPayload,
        SocialPostCancelledEvent,
        SocialPostCancelledPayload,
        SocialPostFailedEvent,
        SocialPostFailedPayload,
        SocialPostPublishedEvent,
        SocialPostPublishedPayload,
        SocialPostRejectedEvent,
        SocialPostRejectedPayload,
        SocialPostScheduledEvent,
        SocialPostScheduledPayload,
    )
    from shared.events.subject import (
        SubjectCreatedEvent,
        SubjectCreatedPayload,
        SubjectDeletedEvent,
        SubjectDeletedPayload,
        SubjectUpdatedEvent,
        SubjectUpdatedPayload,
        create_subject_created_event,
        create_subject_deleted_event,
        create_subject_updated_event,
    )
    from shared.events.team import (
        TeamCreatedEvent,
        TeamCreatedPayload,
        TeamDeletedEvent,
        TeamDeletedPayload,
        TeamMemberInvitedEvent,
        TeamMemberInvitedPayload,
        TeamMemberJoinedEvent,
        TeamMemberJoinedPayload,
        TeamMemberRemovedEvent,
        TeamMemberRemovedPayload,
        TeamMemberRoleChangedEvent,
        TeamMemberRoleChangedPayload,
        TeamUpdatedEvent,
        TeamUpdatedPayload,
    )
    from shared.events.user import (
        UserCreditsChangedEvent,
        UserCreditsChangedPayload,
        UserDeletedEvent,
        UserDeletedPayload,
        UserEmailVerificationRequestedEvent,
        UserEmailVerificationRequestedPayload,
        UserEmailVerifiedEvent,
        UserEmailVerifiedPayload,
        UserPasswordChangedEvent,
        UserPasswordChangedPayload,
        UserPasswordResetRequestedEvent,
        UserPasswordResetRequestedPayload,
        UserRegisteredEvent,
        UserRegisteredPayload,
        UserSubscriptionChangedEvent,
        UserSubscriptionChangedPayload,
        UserUpdatedEvent,
        UserUpdatedPayload,
    )
    from shared.events.webhook import (
        WebhookDeletedEvent,
        WebhookDeletedPayload,
        WebhookDeliveryFailedEvent,
        WebhookDeliveryFailedPayload,
        WebhookDisabledEvent,
        WebhookDisabledPayload,
        WebhookEnabledEvent,
        WebhookEnabledPayload,
        WebhookRegisteredEvent,
        WebhookRegisteredPayload,
        WebhookSecretRotatedEvent,
        WebhookSecretRotatedPayload,
        WebhookUpdatedEvent,
        WebhookUpdatedPayload,
    )
else:  # mypy would take every misspelt name for one of these

    def __getattr__(name: str) -> Any:
        """Import what is first asked for."""
        for prefix, module in _MODULES.items():
            if name in __all__ and name.startswith(prefix):
                value = getattr(import_module(f"{__name__}.{module}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)


__all__ = [
    # The envelope, and what reads it
    "BaseEvent",
    "EventPayload",
    "EventRegistry",
    "EventType",
    "EventFormatError",
    "FormatIssue",
    "MAX_EVENT_BYTES",
    "PLATFORM_EVENTS",
    "UnknownEvent",
    "Upcaster",
    "parse_event",
    "upcaster",
    # Kinds of fields for payloads
    "FrozenDict",
    "JsonObject",
    "JsonValue",
    "Secret",
    "Timestamp",
    # shared.events.api_key
    "ApiKeyCreatedEvent",
    "ApiKeyCreatedPayload",
    "ApiKeyExpiredEvent",
    "ApiKeyExpiredPayload",
    "ApiKeyLeakedEvent",
    "ApiKeyLeakedPayload",
    "ApiKeyRevokedEvent",
    "ApiKeyRevokedPayload",
    "ApiKeyRotatedEvent",
    "ApiKeyRotatedPayload",
    # shared.events.generation
    "GenerationAsset",
    "GenerationCancelledEvent",
    "GenerationCancelledPayload",
    "GenerationCompletedEvent",
    "GenerationCompletedPayload",
    "GenerationFailedEvent",
    "GenerationFailedPayload",
    "GenerationRequestedEvent",
    "GenerationRequestedPayload",
    "GenerationStartedEvent",
    "GenerationStartedPayload",
    # shared.events.project
    "BrandKitCreatedEvent",
    "BrandKitCreatedPayload",
    "BrandKitDeletedEvent",
    "BrandKitDeletedPayload",
    "BrandKitUpdatedEvent",
    "BrandKitUpdatedPayload",
    "ProjectCreatedEvent",
    "ProjectCreatedPayload",
    "ProjectDeletedEvent",
    "ProjectDeletedPayload",
    "ProjectUpdatedEvent",
    "ProjectUpdatedPayload",
    # shared.events.quota
    "QuotaExceededEvent",
    "QuotaExceededPayload",
    "QuotaThresholdReachedEvent",
    "QuotaThresholdReachedPayload",
    # shared.events.social
    "SocialConnectedEvent",
    "SocialConnectedPayload",
    "SocialConnectionExpiredEvent",
    "SocialConnectionExpiredPayload",
    "SocialDisconnectedEvent",
    "SocialDisconnectedPayload",
    "SocialPostCancelledEvent",
    "SocialPostCancelledPayload",
    "SocialPostFailedEvent",
    "SocialPostFailedPayload",
    "SocialPostPublishedEvent",
    "SocialPostPublishedPayload",
    "SocialPostRejectedEvent",
    "SocialPostRejectedPayload",
    "SocialPostScheduledEvent",
    "SocialPostScheduledPayload",
    # shared.events.subject
    "SubjectCreatedEvent",
    "SubjectCreatedPayload",
    "SubjectDeletedEvent",
    "SubjectDeletedPayload",
    "SubjectUpdatedEvent",
    "SubjectUpdatedPayload",
    "create_subject_created_event",
    "create_subject_deleted_event",
    "create_subject_updated_event",
    # shared.events.team
    "TeamCreatedEvent",
    "TeamCreatedPayload",
    "TeamDeletedEvent",
    "TeamDeletedPayload",
    "TeamMemberInvitedEvent",
    "TeamMemberInvitedPayload",
    "TeamMemberJoinedEvent",
    "TeamMemberJoinedPayload",
    "TeamMemberRemovedEvent",
    "TeamMemberRemovedPayload",
    "TeamMemberRoleChangedEvent",
    "TeamMemberRoleChangedPayload",
    "TeamUpdatedEvent",
    "TeamUpdatedPayload",
    # shared.events.user
    "UserCreditsChangedEvent",
    "UserCreditsChangedPayload",
    "UserDeletedEvent",
    "UserDeletedPayload",
    "UserEmailVerificationRequestedEvent",
    "UserEmailVerificationRequestedPayload",
    "UserEmailVerifiedEvent",
    "UserEmailVerifiedPayload",
    "UserPasswordChangedEvent",
    "UserPasswordChangedPayload",
    "UserPasswordResetRequestedEvent",
    "UserPasswordResetRequestedPayload",
    "UserRegisteredEvent",
    "UserRegisteredPayload",
    "UserSubscriptionChangedEvent",
    "UserSubscriptionChangedPayload",
    "UserUpdatedEvent",
    "UserUpdatedPayload",
    # shared.events.webhook
    "WebhookDeletedEvent",
    "WebhookDeletedPayload",
    "WebhookDeliveryFailedEvent",
    "WebhookDeliveryFailedPayload",
    "WebhookDisabledEvent",
    "WebhookDisabledPayload",
    "WebhookEnabledEvent",
    "WebhookEnabledPayload",
    "WebhookRegisteredEvent",
    "WebhookRegisteredPayload",
    "WebhookSecretRotatedEvent",
    "WebhookSecretRotatedPayload",
    "WebhookUpdatedEvent",
    "WebhookUpdatedPayload",
]

# Where the names are that begin like this.
_MODULES = {
    "ApiKey": "api_key",
    "BrandKit": "project",
    "Generation": "generation",
    "PLATFORM_EVENTS": "_platform",
    "Project": "project",
    "Quota": "quota",
    "Social": "social",
    "Subject": "subject",
    "Team": "team",
    "User": "user",
    "Webhook": "webhook",
    "create_subject": "subject",
    "parse_event": "_platform",
}
