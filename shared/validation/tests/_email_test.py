from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import EmailStr, TypeAdapter
from pydantic_core import PydanticCustomError

from shared.validation._email import EmailAddress, validate_email_address

EMAIL_STR = TypeAdapter[str](EmailStr)


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "Ada.Lovelace+news@Mail.Example.COM",
        "ü@exämple.de",
        "o'hara@example.co.uk",
        "a" * 64 + "@example.com",
    ],
)
def test_addresses_come_back_as_email_str_gives_them(address: str) -> None:
    """The specification says ``EmailStr``, so the result is the same."""
    assert validate_email_address(address) == EMAIL_STR.validate_python(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@server.local",
        "ada@[127.0.0.1]",
        "ada@example.com\n",
        " ada@example.com",
        "Ada <ada@example.com>",
        "ada@example..com",
        '"quoted local"@example.com',
        "\ud800@example.com",
        "ada@\ud800.com",
        "ada\u202e@example.com",
    ],
)
def test_everything_else_is_refused(address: str) -> None:
    """No display names, no surrounding space, no hosts of a private network."""
    with pytest.raises(PydanticCustomError, match="must have the form name@") as caught:
        validate_email_address(address)

    assert caught.value.type == "email_format"


def test_an_address_longer_than_smtp_allows_is_refused_unread() -> None:
    """254 characters are the most that RFC 5321 lets through."""
    with pytest.raises(ValueError, match=r"at most 254 characters\.$"):
        validate_email_address("a" * 1_000_000 + "@example.com")


@settings(deadline=None, max_examples=200)
@given(st.text(), st.text())
def test_nothing_but_a_value_error_comes_out(local: str, domain: str) -> None:
    """Whatever email-validator trips over is a refusal, not a crash."""
    adapter = TypeAdapter[str](EmailAddress)
    try:
        accepted = adapter.validate_python(f"{local}@{domain}")
    except ValueError:
        return
    assert adapter.validate_python(accepted) == accepted
