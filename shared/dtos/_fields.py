"""Kinds of fields that several DTOs have.

Private: these are for the DTOs of this package.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from shared.validation import BoundedText, Password, Rule, require

Name = Annotated[str, BoundedText(max_length=100)]
Prose = Annotated[str, BoundedText(max_length=2000, multiline=True)]

PASSWORD_ENTRY_MAX_LENGTH = 1024  # bounds what a slow hash is fed
TOKEN_MAX_LENGTH = 4096

_TOKEN = r"[A-Za-z0-9._~+/-]+=*"  # noqa: S105  # RFC 6750 section 2.1, b64token


def _check_entry(password: str) -> str:
    require(
        "password_entry",
        "Password",
        [
            Rule(
                "length",
                f"1 to {PASSWORD_ENTRY_MAX_LENGTH} characters",
                1 <= len(password) <= PASSWORD_ENTRY_MAX_LENGTH,
            ),
            Rule(
                "encodable",
                "only characters that UTF-8 can hold",
                not re.search(r"[\ud800-\udfff]", password),
            ),
        ],
    )
    return password


def _check_token(token: str) -> str:
    require(
        "token_format",
        "Token",
        [
            Rule(
                "length",
                f"1 to {TOKEN_MAX_LENGTH} characters",
                1 <= len(token) <= TOKEN_MAX_LENGTH,
            ),
            Rule(
                "characters",
                "only ASCII letters, digits and ._~+/- before any =",
                not token or bool(re.fullmatch(_TOKEN, token)),
            ),
        ],
    )
    return token


NewPassword = Annotated[Password, Field(repr=False, exclude=True)]
"""A password that somebody chooses. ``dto.password`` is the one way to it: neither
``repr`` nor any dump of the DTO holds it."""

PasswordEntry = Annotated[
    str,
    AfterValidator(_check_entry),
    WithJsonSchema(
        {
            "type": "string",
            "format": "password",
            "minLength": 1,
            "maxLength": PASSWORD_ENTRY_MAX_LENGTH,
            "writeOnly": True,
        }
    ),
    Field(repr=False, exclude=True),
]
"""A password to compare with a stored hash, whatever rules it was chosen under."""

TokenEntry = Annotated[
    str,
    AfterValidator(_check_token),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": TOKEN_MAX_LENGTH,
            "pattern": f"^{_TOKEN}$",
            "writeOnly": True,
        }
    ),
    Field(repr=False),
]
"""A token that this or another service has given out: opaque, or a JWT."""
