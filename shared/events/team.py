"""What happens to teams and who belongs to them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Email, Name, Secret, Timestamp

_Role = Literal["owner", "admin", "editor", "viewer"]


class _TeamPayload(EventPayload):
    aggregate_key = "team_id"

    team_id: UUID


class TeamCreatedPayload(_TeamPayload):
    """The new team."""

    name: Name
    owner_id: UUID


class TeamCreatedEvent(BaseEvent[TeamCreatedPayload]):
    """A team was created."""

    event_type: Literal["team.created"] = "team.created"
    schema_version: Literal[1] = 1


class TeamUpdatedPayload(_TeamPayload):
    """The team after the change."""

    name: Name
    owner_id: UUID
    changed_fields: Annotated[tuple[Name, ...], Field(min_length=1)]


class TeamUpdatedEvent(BaseEvent[TeamUpdatedPayload]):
    """A team was changed."""

    event_type: Literal["team.updated"] = "team.updated"
    schema_version: Literal[1] = 1


class TeamDeletedPayload(_TeamPayload):
    """The team that is gone."""


class TeamDeletedEvent(BaseEvent[TeamDeletedPayload]):
    """A team was deleted."""

    event_type: Literal["team.deleted"] = "team.deleted"
    schema_version: Literal[1] = 1


class TeamMemberInvitedPayload(_TeamPayload):
    """Where to send the invitation."""

    email: Email
    role: Literal["admin", "editor", "viewer"]
    invited_by: UUID
    invitation_token: Secret
    expires_at: Timestamp


class TeamMemberInvitedEvent(BaseEvent[TeamMemberInvitedPayload]):
    """Somebody was invited to a team."""

    event_type: Literal["team.member_invited"] = "team.member_invited"
    schema_version: Literal[1] = 1


class TeamMemberJoinedPayload(_TeamPayload):
    """The new member."""

    user_id: UUID
    role: _Role


class TeamMemberJoinedEvent(BaseEvent[TeamMemberJoinedPayload]):
    """An invitation was accepted."""

    event_type: Literal["team.member_joined"] = "team.member_joined"
    schema_version: Literal[1] = 1


class TeamMemberRoleChangedPayload(_TeamPayload):
    """The roles before and after."""

    user_id: UUID
    previous_role: _Role
    role: _Role
    changed_by: UUID


class TeamMemberRoleChangedEvent(BaseEvent[TeamMemberRoleChangedPayload]):
    """A member may do more, or less, than before."""

    event_type: Literal["team.member_role_changed"] = "team.member_role_changed"
    schema_version: Literal[1] = 1


class TeamMemberRemovedPayload(_TeamPayload):
    """Who is no member any more."""

    user_id: UUID
    removed_by: UUID = Field(description="The member, if they left by themselves.")


class TeamMemberRemovedEvent(BaseEvent[TeamMemberRemovedPayload]):
    """A member left, or was made to."""

    event_type: Literal["team.member_removed"] = "team.member_removed"
    schema_version: Literal[1] = 1


EVENTS = (
    TeamCreatedEvent,
    TeamUpdatedEvent,
    TeamDeletedEvent,
    TeamMemberInvitedEvent,
    TeamMemberJoinedEvent,
    TeamMemberRoleChangedEvent,
    TeamMemberRemovedEvent,
)
