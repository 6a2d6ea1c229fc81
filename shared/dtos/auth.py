"""What goes with accounts beside login: tokens, passwords, verified addresses."""

from pydantic import Field

from shared.dtos._fields import NewPassword, PasswordEntry, TokenEntry
from shared.dtos.base import BaseDTO, with_examples
from shared.dtos.user import TokenResponseDTO
from shared.validation import EmailAddress


class RefreshTokenRequestDTO(BaseDTO):
    """Asks for new tokens, or, at a logout, for the end of this one."""

    model_config = with_examples({"refresh_token": "the.refresh-token"})

    refresh_token: TokenEntry


class TokenPairResponseDTO(TokenResponseDTO):
    """An access token and what renews it (RFC 6749 section 5.1)."""

    model_config = with_examples(
        {
            "access_token": "<a JWT>",
            "token_type": "bearer",
            "expires_in": 900,
            "refresh_token": "the.refresh-token",
        }
    )

    expires_in: int = Field(ge=0, description="Seconds that the access token is good.")
    refresh_token: str = Field(repr=False)


class EmailVerificationRequestDTO(BaseDTO):
    """Proves an address: the token that was mailed to it on registration."""

    model_config = with_examples({"verification_token": "token-from-the-mail"})

    verification_token: TokenEntry


class EmailVerificationResendRequestDTO(BaseDTO):
    """Asks for another verification mail. Answer alike for unknown addresses."""

    model_config = with_examples({"email": "ada@example.com"})

    email: EmailAddress


class PasswordResetRequestDTO(BaseDTO):
    """Asks for a mail with a reset token. Answer alike for unknown addresses."""

    model_config = with_examples({"email": "ada@example.com"})

    email: EmailAddress


class PasswordResetConfirmDTO(BaseDTO):
    """Sets a new password with the token that was mailed."""

    model_config = with_examples(
        {
            "reset_token": "token-from-the-mail",
            "new_password": "<12 or more characters, Mixed>",
        }
    )

    reset_token: TokenEntry
    new_password: NewPassword


class PasswordChangeDTO(BaseDTO):
    """Sets a new password for somebody who is logged in and knows the old one."""

    model_config = with_examples(
        {
            "current_password": "<your password>",
            "new_password": "<12 or more characters, Mixed>",
        }
    )

    current_password: PasswordEntry
    new_password: NewPassword
