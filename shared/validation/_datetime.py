"""Points in time on the wire: RFC 3339 in, aware UTC in Python, RFC 3339 with Z out.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from shared.validation._rules import Rule, require

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _refuse_other_notations(value: object) -> object:
    """Stop pydantic from guessing: it takes numbers for seconds or milliseconds."""
    if not isinstance(value, datetime):
        require(
            "datetime_format",
            "Time",
            [
                Rule(
                    "form",
                    "the form of RFC 3339 with a time zone, such as "
                    "2026-01-31T12:00:00Z",
                    isinstance(value, str) and bool(_RFC_3339.fullmatch(value)),
                )
            ],
        )
    return value


def to_utc(value: datetime) -> datetime:
    """Return the same point in time in UTC.

    A naive value is refused, not taken for UTC or local time: nobody knows which of
    them it was meant to be.

    Raises:
        ValueError: Code ``datetime_zone``; rules ``aware``, ``range``.
    """
    aware = value.utcoffset() is not None
    try:
        moved = value.astimezone(UTC)
    except OverflowError:  # in the first or the last hours that datetime can say
        moved = None
    require(
        "datetime_zone",
        "Time",
        [
            Rule("aware", "a time zone", aware),
            Rule("range", "a year from 1 to 9999 in UTC", moved is not None),
        ],
    )
    return moved or value


UtcDateTime = Annotated[
    datetime,
    BeforeValidator(_refuse_other_notations),
    AfterValidator(to_utc),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-01-31T12:00:00Z"],
        }
    ),
]
"""An aware ``datetime`` in UTC, whatever offset it came with."""
