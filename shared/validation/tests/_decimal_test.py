from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from shared.validation._decimal import DecimalNumber

NUMBER = TypeAdapter[Decimal](DecimalNumber)


@settings(deadline=None, max_examples=300)
@given(
    digits=st.integers(-(10**15) + 1, 10**15 - 1),
    scale=st.integers(0, 15),
)
def test_no_digit_changes_on_the_way(digits: int, scale: int) -> None:
    """A reader gets the number that was written, exactly, and so do we."""
    number = Decimal(digits).scaleb(-scale)
    written = NUMBER.dump_json(number)

    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == number
    assert NUMBER.validate_json(written) == number
    assert NUMBER.validate_python(json.loads(written)) == number


def test_python_keeps_the_decimal() -> None:
    """Only JSON holds a float; code that adds up credits never sees one."""
    assert NUMBER.dump_python(Decimal("0.10")) == Decimal("0.10")
    assert type(NUMBER.validate_python(0.1)) is Decimal
    assert NUMBER.validate_python(0.1) == Decimal("0.1")
    assert NUMBER.dump_python(Decimal("0.1"), mode="json") == 0.1


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "finite_number"),
        (float("inf"), "finite_number"),
        ("NaN", "finite_number"),
        (Decimal("sNaN"), "finite_number"),
        (0.1 + 0.2, "decimal_max_digits"),
        (10**15, "decimal_max_digits"),
        pytest.param(10**5000, "decimal_max_digits", id="5001 digits"),
        ("1e999999999", "decimal_max_digits"),
        ("1e-99999", "decimal_max_digits"),
        (True, "decimal_type"),
        (None, "decimal_type"),
        ("twelve", "decimal_parsing"),
    ],
)
def test_what_is_no_exact_number_is_refused(value: object, code: str) -> None:
    """Not a number, more digits than a double keeps, or no number at all."""
    with pytest.raises(ValidationError, match="nput should") as caught:
        NUMBER.validate_python(value)

    assert caught.value.errors()[0]["type"] == code


@pytest.mark.parametrize("text", ["NaN", "1e400", "-Infinity", '"Infinity"'])
def test_json_without_a_finite_number_is_refused(text: str) -> None:
    """JSON has no infinity, whatever some writers do."""
    with pytest.raises(ValidationError, match="finite number"):
        NUMBER.validate_json(text)


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_says_number(mode: Any) -> None:
    """Not "number or string", as pydantic would have it, nor "string"."""
    assert NUMBER.json_schema(mode=mode) == {
        "type": "number",
        "exclusiveMinimum": -1_000_000_000_000_000,
        "exclusiveMaximum": 1_000_000_000_000_000,
        "examples": [12.5],
    }


def test_bounds_of_a_field_are_kept() -> None:
    """A cost that can't be negative says so in the schema and refuses."""
    cost = TypeAdapter[Decimal](Annotated[DecimalNumber, Field(ge=0, decimal_places=2)])

    assert cost.json_schema()["minimum"] == 0
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        cost.validate_python(-1)
    with pytest.raises(ValidationError, match="no more than 2 decimal places"):
        cost.validate_python("0.001")
