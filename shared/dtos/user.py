"""Registration, login and profiles of users."""

from typing import Annotated

from pydantic import Field

from shared.dtos._fields import NewPassword, PasswordEntry
from shared.dtos.base import BaseDTO, BaseResponseDTO, BaseUpdateDTO, with_examples
from shared.validation import BoundedText, DecimalNumber, EmailAddress, Username

FullName = Annotated[
    str,
    BoundedText(max_length=100, min_length=0),
    Field(examples=["Ada Lovelace"]),
]


class UserCreateDTO(BaseDTO):
    """A registration."""

    model_config = with_examples(
        {
            "email": "ada@example.com",
            # Passes the rules, and reads as what to put in its place.
            "password": "<12 or more characters, Mixed>",
        }
    )

    email: EmailAddress
    password: NewPassword


class UserLoginDTO(BaseDTO):
    """Credentials. The password is compared, not judged by today's rules."""

    model_config = with_examples(
        {"email": "ada@example.com", "password": "<your password>"}
    )

    email: EmailAddress
    password: PasswordEntry


class UserUpdateDTO(BaseUpdateDTO):
    """Changes to a profile. Both names can be cleared with null."""

    model_config = with_examples({"full_name": "Ada King"}, {"username": None})

    full_name: FullName | None = None
    username: Username | None = None


class UserResponseDTO(BaseResponseDTO):
    """A user as the API shows them."""

    model_config = with_examples(
        {
            "id": "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
            "created_at": "2026-01-31T12:00:00Z",
            "updated_at": "2026-02-01T08:30:00Z",
            "email": "ada@example.com",
            "full_name": "Ada Lovelace",
            "username": "ada_lovelace",
            "subscription_tier": "pro",
            "credit_balance": 120.5,
        }
    )

    email: EmailAddress
    full_name: str | None
    username: str | None
    subscription_tier: str
    credit_balance: DecimalNumber


class TokenResponseDTO(BaseDTO):
    """A bearer token (RFC 6750), as the login answers with."""

    model_config = with_examples({"access_token": "<a JWT>", "token_type": "bearer"})

    access_token: str = Field(repr=False)
    token_type: str = "bearer"  # noqa: S105
