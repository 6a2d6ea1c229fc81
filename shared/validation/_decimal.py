"""Exact numbers on the wire: ``Decimal`` in Python, a number in JSON.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema

# What an IEEE 754 double keeps of any decimal number (DBL_DIG). So the number that we
# write is the number that every JSON reader gets, and the other way round.
MAX_DIGITS = 15


class _JsonNumber:
    """Says ``number`` where pydantic would say "number or string", keeping bounds."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        number = next(s for s in found.get("anyOf", [found]) if s["type"] == "number")
        return {
            "exclusiveMinimum": -(10**MAX_DIGITS),
            "exclusiveMaximum": 10**MAX_DIGITS,
            "examples": [12.5],
            **number,
        }


DecimalNumber = Annotated[
    Decimal,
    Field(max_digits=MAX_DIGITS, allow_inf_nan=False),
    PlainSerializer(float, return_type=float, when_used="json"),
    _JsonNumber(),
]
"""Money and credits: at most 15 digits, never NaN, no rounding on the way.

Add bounds at the field: ``Annotated[DecimalNumber, Field(ge=0, decimal_places=2)]``.
A string holding a number is read as well, and never written.
"""
