import pytest
from pydantic import BaseModel, ValidationError

from shared.dtos._fields import PasswordEntry, TokenEntry


class Login(BaseModel):
    password: PasswordEntry


class Reset(BaseModel):
    token: TokenEntry


@pytest.mark.parametrize("password", ["x", " \n", "p\x00", "é" * 1024])
def test_any_password_can_be_compared(password: str) -> None:
    """Rules of today don't lock out who chose a password under other rules."""
    assert Login(password=password).password == password


@pytest.mark.parametrize(
    ("password", "rules"),
    [("", ["length"]), ("x" * 1025, ["length"]), ("\ud800", ["encodable"])],
)
def test_what_no_hash_can_take_is_refused(password: str, rules: list[str]) -> None:
    """A megabyte, or text without UTF-8 form, stops before the hash."""
    with pytest.raises(ValidationError, match="Password must have") as caught:
        Login(password=password)

    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]["rules"]) == ("password_entry", rules)


@pytest.mark.parametrize("token", ["a", "eyJh.eyJz.c2ln", "a-b_c~d+e/f==", "x" * 4096])
def test_tokens_are_bearer_tokens(token: str) -> None:
    """JWTs, base64 and base64url are all of RFC 6750's form."""
    assert Reset(token=token).token == token


@pytest.mark.parametrize(
    ("token", "rules"),
    [
        ("", ["length"]),
        ("x" * 4097, ["length"]),
        ("a b", ["characters"]),
        ("a\n", ["characters"]),
        ("=a", ["characters"]),
        ("é" * 4097, ["length", "characters"]),
    ],
)
def test_other_tokens_are_refused(token: str, rules: list[str]) -> None:
    """Nobody looks up a token that was never given out."""
    with pytest.raises(ValidationError, match="Token must have") as caught:
        Reset(token=token)

    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]["rules"]) == ("token_format", rules)
