from __future__ import annotations

import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    IPvAnyAddress,
    Json,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError, core_schema

from shared.errors._items import (
    _DETAILS,
    GENERIC_DETAIL,
    error_items,
    schema_item,
)

# What comes from the schema; everything else in a ctx can come from the input.
FROM_SCHEMA = {
    "decimal_places",
    "discriminator",
    "encoding",
    "expected",
    "expected_schemes",
    "expected_tags",
    "expected_version",
    "ge",
    "gt",
    "le",
    "lt",
    "max_digits",
    "max_length",
    "min_length",
    "multiple_of",
    "pattern",
    "whole_digits",
}


class Colour(Enum):
    RED = "red"


def refuse(value: str) -> str:
    raise ValueError(f"{value} is not allowed")


def refuse_quoting_a_part(value: str) -> str:
    raise ValueError(f"unexpected '{value[2:12]}' in the name")


def refuse_in_capitals(value: str) -> str:
    raise AssertionError(value.upper())


def refuse_by_code(value: str) -> str:
    raise PydanticCustomError("too_common", "{given} is common", {"given": value})


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Everything(BaseModel):
    """One member for every way in which pydantic's messages quote the input."""

    model_config = ConfigDict(extra="forbid")

    integer: int = 0
    number: float = 0
    money: Annotated[Decimal, Field(max_digits=5)] = Decimal(0)
    flag: bool = False
    day: date = date.min
    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    identifier: UUID = UUID(int=0)
    colour: Colour = Colour.RED
    word: Literal["a", "b"] = "a"
    url: HttpUrl | None = None
    ip: IPvAnyAddress | None = None
    email: EmailStr | None = None
    document: Json[Any] = None
    short: Annotated[str, Field(max_length=2)] = ""
    matching: Annotated[str, Field(pattern="^x$")] = "x"
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    union: int | list[int] = 0
    custom: Annotated[str, AfterValidator(refuse)] = ""
    part: Annotated[str, AfterValidator(refuse_quoting_a_part)] = ""
    shouted: Annotated[str, AfterValidator(refuse_in_capitals)] = ""
    coded: Annotated[str, AfterValidator(refuse_by_code)] = ""


MEMBERS = sorted(set(Everything.model_fields) - {"pet"})


def refusals(adapter: TypeAdapter[Any], value: object) -> list[Any]:
    """What pydantic says about *value*."""
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return list(error.errors())
    raise AssertionError("pydantic accepted it")


@given(
    member=st.sampled_from(MEMBERS),
    secret=st.text(string.ascii_letters + "@!", min_size=14, max_size=20).filter(
        lambda text: text[2:12].isalpha()
    ),
)
@settings(max_examples=150, deadline=None)
def test_rejected_value_is_not_repeated(member: str, secret: str) -> None:
    """Neither the whole value nor ten letters of it are in what we answer."""
    errors = refusals(TypeAdapter(Everything), {member: secret})
    told = json.dumps(error_items(errors)).casefold()

    assert secret[2:12].casefold() not in told


def test_unknown_tag_of_a_union_is_not_repeated() -> None:
    """The tag is input; which tags there are is not."""
    errors = refusals(TypeAdapter(Everything), {"pet": {"kind": "hunter2"}})

    assert error_items(errors) == [
        {
            "pointer": "/pet",
            "code": "union_tag_invalid",
            "detail": "The member 'kind' must be one of: 'cat', 'dog'.",
        }
    ]


def test_every_stock_error_has_words_of_ours() -> None:
    """Only the two whose text an author writes go another way."""
    stock = set(get_args(core_schema.ErrorType))

    assert stock - set(_DETAILS) == {"value_error", "assertion_error"}


def test_our_words_use_only_what_the_schema_says() -> None:
    """No sentence shows a member of the ctx that can hold input."""
    names = {
        name
        for template in _DETAILS.values()
        for _, name, _, _ in string.Formatter().parse(template)
        if name is not None
    }

    assert names == FROM_SCHEMA


@pytest.mark.parametrize(
    ("schema", "value", "code", "detail"),
    [
        (int, "x", "int_parsing", "Must be an integer."),
        (
            Annotated[str, Field(min_length=3)],
            "",
            "string_too_short",
            "Must be 3 or more characters long.",
        ),
        (Annotated[int, Field(ge=1)], 0, "greater_than_equal", "Must be at least 1."),
        (Literal["a", "b"], "c", "literal_error", "Must be 'a' or 'b'."),
        (Colour, "c", "enum", "Must be 'red'."),
        (UUID, "zzz", "uuid_parsing", "Must be a UUID."),
        (Json, "{", "json_invalid", "Must be valid JSON."),
        (EmailStr, "a@b!", "value_error", "Must be an e-mail address."),
        (HttpUrl, "zzz", "url_parsing", "Must be a URL."),
    ],
)
def test_stock_error_tells_the_rule(
    schema: Any, value: object, code: str, detail: str
) -> None:
    """The sentence says what would have been right."""
    errors = refusals(TypeAdapter[Any](schema), value)

    assert error_items(errors) == [{"pointer": "", "code": code, "detail": detail}]


RULES = "Needs a digit, and an upper-case letter."


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ("hunter", RULES),
        ("a", RULES),  # in every sentence, and tells nothing
        ("digit", GENERIC_DETAIL),
        ("DIGIT", GENERIC_DETAIL),
        ({"deep": [{"down": "upper-case"}]}, GENERIC_DETAIL),
        ({"letter": 1}, GENERIC_DETAIL),
        (b"digit", GENERIC_DETAIL),
        ([True, None, 12, 1.5], RULES),
        (list(range(100_000, 103_000)), GENERIC_DETAIL),
    ],
)
def test_message_of_an_author_is_shown_unless_it_repeats(
    given: object, detail: str
) -> None:
    """A validator's own words reach the client, if none of them is the input."""
    error = {"type": "value_error", "msg": f"Value error, {RULES}", "input": given}

    assert schema_item(error, "/p")["detail"] == detail


@pytest.mark.parametrize(
    "error",
    [
        {"type": "value_error", "msg": "Something."},  # no input to compare with
        {"type": "value_error", "msg": "", "input": "x"},
        {"type": "value_error", "msg": "Value error, ", "input": "x"},
        {"type": "greater_than", "msg": "", "ctx": {}},
        {"type": "value_error", "msg": "m", "input": 10**5000},
        {"type": "value_error", "msg": "m", "ctx": 5, "input": ""},
    ],
)
def test_error_that_tells_too_little_is_told_in_general(error: dict[str, Any]) -> None:
    """When it can't be known whether a text is safe, another one is shown."""
    assert schema_item(error, "/p")["detail"] == GENERIC_DETAIL


def test_code_of_an_author_is_kept_when_it_is_one() -> None:
    """A custom error type is the code, a strange one is not."""
    good = {"type": "too_common", "msg": "Too common.", "input": "x"}

    assert schema_item(good, "/p") == {
        "pointer": "/p",
        "code": "too_common",
        "detail": "Too common.",
    }
    assert schema_item({**good, "type": "Too common"}, "")["code"] == "invalid"
    assert schema_item({**good, "type": 5}, "")["code"] == "invalid"


class ItemModel(BaseModel):
    pointer: str
    code: str
    detail: str


@dataclass
class ItemData:
    pointer: str
    detail: str


def endless() -> Iterator[str]:
    while True:
        yield "No."


def broken() -> Iterator[str]:
    yield "No."
    raise RuntimeError("lost")


@pytest.mark.parametrize(
    ("errors", "items"),
    [
        ([], []),
        ("No.", [("", "invalid", "No.")]),
        (["No.", "Never."], [("", "invalid", "No."), ("", "invalid", "Never.")]),
        ({"pointer": "/a", "detail": "No."}, [("/a", "invalid", "No.")]),
        ({"a/b": "No."}, [("/a~1b", "invalid", "No.")]),
        (
            {"a": ["No.", "Never."], 5: "No."},
            [
                ("/a", "invalid", "No."),
                ("/a", "invalid", "Never."),
                ("/5", "invalid", "No."),
            ],
        ),
        (
            [ItemModel(pointer="/a", code="b", detail="No."), ItemData("/b", "No.")],
            [("/a", "b", "No."), ("/b", "invalid", "No.")],
        ),
        (
            [{"type": "missing", "loc": ["a", 0], "msg": "", "input": 1}],
            [("/a/0", "missing", "This is required.")],
        ),
        ([None, 5, object(), ""], [("", "invalid", GENERIC_DETAIL)] * 4),
        (5, [("", "invalid", GENERIC_DETAIL)]),
        ({"pointer": 5, "code": None, "detail": []}, [("", "invalid", GENERIC_DETAIL)]),
        (["\ud800"], [("", "invalid", "\ufffd")]),
        (broken(), [("", "invalid", GENERIC_DETAIL)]),
    ],
)
def test_shapes_of_errors(errors: object, items: list[tuple[str, str, str]]) -> None:
    """Whatever code passes as errors, a client sees pointer, code and detail."""
    names = ("pointer", "code", "detail")

    assert error_items(errors) == [
        dict(zip(names, item, strict=True)) for item in items
    ]


def test_further_members_of_an_item_are_kept() -> None:
    """An item may carry facts of its own after the three."""
    (item,) = error_items([{"limit": 3, "detail": "No.", "pointer": "/a"}])

    assert list(item) == ["pointer", "code", "detail", "limit"]


def test_number_of_items_is_bounded() -> None:
    """A generator without an end does not hang the reply."""
    assert len(error_items(endless())) == 1_000
