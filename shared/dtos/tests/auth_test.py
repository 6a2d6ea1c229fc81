from typing import Any

import pytest
from pydantic import ValidationError

from shared.dtos import auth

SECRET = "Correct-Horse-Battery-1"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (
            auth.PasswordResetConfirmDTO,
            {"reset_token": "tokenfromthemail", "new_password": SECRET},
        ),
        (
            auth.PasswordChangeDTO,
            {"current_password": "old-" + SECRET, "new_password": SECRET},
        ),
        (auth.RefreshTokenRequestDTO, {"refresh_token": "tokenfromthemail"}),
        (auth.EmailVerificationRequestDTO, {"verification_token": "tokenfromthemail"}),
        (
            auth.TokenPairResponseDTO,
            {
                "access_token": "tokenfromthemail",
                "refresh_token": "tokenfromthemail",
                "expires_in": 900,
            },
        ),
    ],
)
def test_secrets_are_not_shown(model: Any, fields: dict[str, Any]) -> None:
    """Neither passwords nor tokens stand in a repr."""
    dto = model(**fields)

    assert SECRET not in f"{dto} {dto!r} {dto.model_dump_json()}"
    assert "tokenfromthemail" not in f"{dto} {dto!r}"


def test_a_new_password_is_judged_and_the_current_one_is_not() -> None:
    """The old one may break today's rules; the new one may not."""
    dto = auth.PasswordChangeDTO(current_password="x", new_password=SECRET)

    assert (dto.current_password, dto.new_password) == ("x", SECRET)
    with pytest.raises(ValidationError, match="Password must have") as caught:
        auth.PasswordChangeDTO(current_password=SECRET, new_password="x")

    assert caught.value.errors()[0]["loc"] == ("new_password",)


@pytest.mark.parametrize(
    "model", [auth.PasswordResetRequestDTO, auth.EmailVerificationResendRequestDTO]
)
def test_a_mail_needs_an_address(model: Any) -> None:
    """Nothing is looked up for what can't be an address."""
    with pytest.raises(ValidationError, match="Email address must have the form"):
        model(email="nonsense")


def test_a_token_does_not_outlive_its_time_backwards() -> None:
    """The lifetime is a number of seconds from now on."""
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        auth.TokenPairResponseDTO(access_token="a", refresh_token="b", expires_in=-1)
