"""New passwords: long enough, and of four kinds of characters.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

MIN_LENGTH = 12
MAX_LENGTH = 128  # bounds what a slow hash is fed

# NUL ends the input of some hashes, and nobody types a line break on purpose. A
# lone surrogate has no UTF-8 form, so no hash could read it.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def validate_password_complexity(password: str) -> str:
    """Return *password* as it came, if it may be chosen as a new one.

    Letters and digits are Unicode's, and every character that is neither counts as
    a symbol: a space, ``#``, an emoji. The value is neither stripped nor normalised,
    so that what is hashed is what was sent.

    Raises:
        ValueError: Code ``password_complexity``; rules ``min_length``,
            ``max_length``, ``uppercase``, ``lowercase``, ``digit``, ``symbol``,
            ``control``.
    """
    require(
        "password_complexity",
        "Password",
        [
            Rule(
                "min_length",
                f"at least {MIN_LENGTH} characters",
                len(password) >= MIN_LENGTH,
            ),
            Rule(
                "max_length",
                f"at most {MAX_LENGTH} characters",
                len(password) <= MAX_LENGTH,
            ),
            Rule("uppercase", "an uppercase letter", any(map(str.isupper, password))),
            Rule("lowercase", "a lowercase letter", any(map(str.islower, password))),
            Rule("digit", "a digit", any(map(str.isdecimal, password))),
            Rule("symbol", "a symbol", not all(map(str.isalnum, password))),
            Rule("control", "no control characters", not _UNUSABLE.search(password)),
        ],
    )
    return password


# The kinds of characters stay out of the schema's pattern: neither lookaheads nor
# Unicode classes work in every regex dialect that reads a schema.
Password = Annotated[
    str,
    AfterValidator(validate_password_complexity),
    WithJsonSchema(
        {
            "type": "string",
            "format": "password",
            "minLength": MIN_LENGTH,
            "maxLength": MAX_LENGTH,
            "writeOnly": True,
            "description": "Has an uppercase letter, a lowercase letter, a digit and "
            "a symbol, and no control characters.",
        }
    ),
]
"""A password that somebody chooses, not one that is only compared."""
