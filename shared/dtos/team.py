"""Teams, which share projects and brand kits, and their members."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.dtos._fields import Name, Prose
from shared.dtos.base import (
    BaseDTO,
    BaseResponseDTO,
    BaseUpdateDTO,
    NotNull,
    with_examples,
)
from shared.validation import EmailAddress, UtcDateTime

_TEAM_ID = "d2f9a0c4-94c1-4a46-8c6a-6d6c1f2b3e55"
_USER_ID = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
_MEMBER = {
    "user_id": _USER_ID,
    "email": "ada@example.com",
    "full_name": "Ada Lovelace",
    "role": "owner",
    "joined_at": "2026-01-31T12:00:00Z",
}


class TeamRole(StrEnum):
    """What a member may do, the most powerful first."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


class TeamCreateDTO(BaseDTO):
    """A new team. Who creates it owns it."""

    model_config = with_examples({"name": "Design", "description": None})

    name: Name
    description: Prose | None = None


class TeamUpdateDTO(BaseUpdateDTO):
    """Changes to a team."""

    model_config = with_examples({"name": "Design studio"})

    name: NotNull[Name] = None
    description: Prose | None = None


class TeamMemberInviteDTO(BaseDTO):
    """Invites somebody by mail. Nobody is invited as owner: a team is handed over."""

    model_config = with_examples({"email": "charles@example.com", "role": "editor"})

    email: EmailAddress
    role: Literal["admin", "editor", "viewer"] = "viewer"


class TeamMemberResponseDTO(BaseDTO):
    """A member as the API shows them. A membership has no id but the user's."""

    model_config = with_examples(_MEMBER)

    user_id: UUID
    email: EmailAddress
    full_name: str | None = None
    role: TeamRole
    joined_at: UtcDateTime | None = Field(
        None, description="Null as long as the invitation is open."
    )


class TeamResponseDTO(BaseResponseDTO):
    """A team as the API shows it."""

    model_config = with_examples(
        {
            "id": _TEAM_ID,
            "created_at": "2026-01-31T12:00:00Z",
            "updated_at": "2026-02-01T08:30:00Z",
            "name": "Design",
            "description": None,
            "owner_id": _USER_ID,
            "members": [_MEMBER],
        }
    )

    name: str
    description: str | None
    owner_id: UUID
    members: list[TeamMemberResponseDTO] = Field(default_factory=list)
