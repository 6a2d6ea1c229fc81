import pytest
from pydantic import ValidationError

from shared.dtos.team import (
    TeamCreateDTO,
    TeamMemberInviteDTO,
    TeamMemberResponseDTO,
    TeamRole,
    TeamUpdateDTO,
)


def test_nobody_is_invited_as_owner() -> None:
    """Ownership is handed over, not mailed."""
    with pytest.raises(ValidationError, match="'admin', 'editor' or 'viewer'"):
        TeamMemberInviteDTO.model_validate({"email": "a@example.com", "role": "owner"})


@pytest.mark.parametrize("role", [role for role in TeamRole if role != "owner"])
def test_every_other_role_can_be_offered(role: TeamRole) -> None:
    """The invitation and the membership speak of the same roles."""
    invitation = TeamMemberInviteDTO.model_validate(
        {"email": "a@example.com", "role": role}
    )

    assert TeamRole(invitation.role) is role


def test_an_invitation_without_role_gives_the_least() -> None:
    """Forgetting it opens nothing."""
    assert TeamMemberInviteDTO(email="a@example.com").role == "viewer"


def test_an_open_invitation_has_no_date_of_joining() -> None:
    """Members who have not answered yet are shown too."""
    member = TeamMemberResponseDTO.model_validate(
        {
            "user_id": "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
            "email": "a@example.com",
            "role": "editor",
        }
    )

    assert (member.role, member.joined_at) == (TeamRole.EDITOR, None)


def test_a_team_keeps_its_name() -> None:
    """The description can go; the name can't."""
    assert TeamUpdateDTO(description=None).changes() == {"description": None}
    with pytest.raises(ValidationError, match="valid string"):
        TeamUpdateDTO.model_validate({"name": None})
    with pytest.raises(ValidationError, match="Text must have 1 to 100 characters"):
        TeamCreateDTO(name="")
