"""Colours as designers write them.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

_HEX_COLOR = r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})"


def validate_hex_color(color: str) -> str:
    """Return *color* as ``#rrggbb`` in lowercase; ``#RGB`` is written out.

    Colours with an alpha channel are refused: a brand colour is opaque.

    Raises:
        ValueError: Code ``hex_color_format``; rule ``form``.
    """
    require(
        "hex_color_format",
        "Colour",
        [
            Rule(
                "form",
                "the form #rgb or #rrggbb in hexadecimal digits",
                bool(re.fullmatch(_HEX_COLOR, color)),
            )
        ],
    )
    digits = color[1:].lower()
    return "#" + "".join(d * (6 // len(digits)) for d in digits)


HexColor = Annotated[
    str,
    AfterValidator(validate_hex_color),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 4,
            "maxLength": 7,
            "pattern": f"^{_HEX_COLOR}$",
            "examples": ["#1a2b3c"],
        }
    ),
]
"""An opaque colour, kept as ``#rrggbb`` in lowercase."""
