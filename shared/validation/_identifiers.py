"""Names that stand in URLs and mentions: usernames, slugs, social handles.

ASCII only, so that no two of them look alike by accident of script. The validators
search for what breaks a rule, which takes no memory however long the input is; the
patterns in the schemas say the same in one expression.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

USERNAME_MIN_LENGTH = 3
USERNAME_MAX_LENGTH = 50
SLUG_MAX_LENGTH = 63  # a DNS label (RFC 1035 section 2.3.4): a slug can be a subdomain
HANDLE_MAX_LENGTH = 100  # the longest that a supported network has: LinkedIn


def validate_username_format(username: str) -> str:
    """Return *username* unchanged: 3 to 50 ASCII letters, digits and underscores.

    Raises:
        ValueError: Code ``username_format``; rules ``length``, ``characters``.
    """
    require(
        "username_format",
        "Username",
        [
            Rule(
                "length",
                f"{USERNAME_MIN_LENGTH} to {USERNAME_MAX_LENGTH} characters",
                USERNAME_MIN_LENGTH <= len(username) <= USERNAME_MAX_LENGTH,
            ),
            Rule(
                "characters",
                "only alphanumeric ASCII characters and underscores",
                not re.search(r"[^A-Za-z0-9_]", username),
            ),
        ],
    )
    return username


def validate_slug(slug: str) -> str:
    """Return *slug* unchanged: ``summer-sale-2026``.

    Raises:
        ValueError: Code ``slug_format``; rules ``length``, ``characters``,
            ``hyphens``.
    """
    require(
        "slug_format",
        "Slug",
        [
            Rule(
                "length",
                f"1 to {SLUG_MAX_LENGTH} characters",
                1 <= len(slug) <= SLUG_MAX_LENGTH,
            ),
            Rule(
                "characters",
                "only lowercase ASCII letters, digits and hyphens",
                not re.search(r"[^a-z0-9-]", slug),
            ),
            Rule(
                "hyphens",
                "no hyphen at an end or beside another",
                not re.search(r"\A-|--|-\Z", slug),
            ),
        ],
    )
    return slug


def validate_social_handle(handle: str) -> str:
    """Return *handle* without its leading ``@``.

    The rules are those that the networks have in common; what one of them adds, such
    as X's 15 characters, is for the code that knows the network.

    Raises:
        ValueError: Code ``social_handle_format``; rules ``length``, ``characters``,
            ``joints``.
    """
    name = handle.removeprefix("@")
    require(
        "social_handle_format",
        "Social handle",
        [
            Rule(
                "length",
                f"1 to {HANDLE_MAX_LENGTH} characters",
                name != "" and len(handle) <= HANDLE_MAX_LENGTH,
            ),
            Rule(
                "characters",
                "only ASCII letters, digits, underscores, dots and hyphens",
                not re.search(r"[^A-Za-z0-9_.-]", name),
            ),
            Rule(
                "joints",
                "no dot or hyphen at an end or beside another",
                not re.search(r"\A[.-]|[.-]{2}|[.-]\Z", name),
            ),
        ],
    )
    return name


Username = Annotated[
    str,
    AfterValidator(validate_username_format),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": USERNAME_MIN_LENGTH,
            "maxLength": USERNAME_MAX_LENGTH,
            "pattern": "^[A-Za-z0-9_]+$",
            "examples": ["ada_lovelace"],
        }
    ),
]

Slug = Annotated[
    str,
    AfterValidator(validate_slug),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": SLUG_MAX_LENGTH,
            "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$",
            "examples": ["summer-sale-2026"],
        }
    ),
]

SocialHandle = Annotated[
    str,
    AfterValidator(validate_social_handle),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": HANDLE_MAX_LENGTH,
            "pattern": "^@?[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*$",
            "examples": ["ada.lovelace"],
        }
    ),
]
"""The account's name without ``@``, which is accepted and dropped."""
