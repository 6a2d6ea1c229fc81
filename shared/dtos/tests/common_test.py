import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from shared.dtos.base import BaseDTO
from shared.dtos.common import (
    CursorValue,
    ErrorDetail,
    Page,
    PageQuery,
    StatusResponse,
    decode_cursor,
    encode_cursor,
)

positions = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    max_size=4,
)


class Item(BaseDTO):
    """Something in a list."""

    id: int


class Row:
    """Like an ORM object."""

    def __init__(self, id: int) -> None:
        self.id = id


def encoded(text: str) -> str:
    """Wrap *text* as a cursor is wrapped."""
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@settings(deadline=None)
@given(positions)
def test_a_cursor_leads_back(position: dict[str, CursorValue]) -> None:
    """What was put in comes out, with its types, whatever it is."""
    cursor = encode_cursor(position)

    assert decode_cursor(cursor) == position
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@settings(deadline=None)
@given(positions, st.data())
def test_a_cursor_has_one_spelling(
    position: dict[str, CursorValue], data: st.DataObject
) -> None:
    """Whatever is changed in a cursor is refused, or means another position."""
    cursor = encode_cursor(position)
    at = data.draw(st.integers(0, len(cursor)))
    changed = cursor[:at] + data.draw(st.text(max_size=2)) + cursor[at + 1 :]
    try:
        accepted = encode_cursor(decode_cursor(changed))
    except ValueError:
        return
    assert accepted == changed


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "garbage",
        "é",
        "\ud800",
        encode_cursor({"id": 1}) + "=",
        encode_cursor({"id": 1}) + "\n",
        " " + encode_cursor({"id": 1}),
        encoded('[2,{"id":1}]'),
        encoded('[true,{"id":1}]'),
        encoded('[1, {"id":1}]'),
        encoded('[1,{"id":1,"id":1}]'),
        encoded('[1,{"id":1.5}]'),
        encoded('[1,{"id":NaN}]'),
        encoded('[1,{"id":[1]}]'),
        encoded('[1,[["id",1]]]'),
        encoded("[1,2]"),
        encoded("[1]"),
        encoded("1"),
        encoded('{"v":1,"id":2}'),
        encoded("[" * 700),
        encode_cursor({"id": 1}) * 10_000,
    ],
)
def test_garbage_is_refused(cursor: str) -> None:
    """Only what we made is read: no other version, spelling or type."""
    with pytest.raises(PydanticCustomError, match="Cursor must have the form") as error:
        decode_cursor(cursor)

    assert error.value.type == "cursor_format"


def test_a_cursor_is_versioned_json() -> None:
    """The form is known, so that a later version can tell it from its own."""
    text = urlsafe_b64decode(encode_cursor({"id": 42}) + "==")

    assert json.loads(text) == [1, {"id": 42}]


@pytest.mark.parametrize("value", [1.5, datetime(2026, 1, 1, tzinfo=UTC), [1], b"x"])
def test_values_that_json_would_bend_are_refused(value: Any) -> None:
    """The service says how its columns become text; nothing is guessed."""
    with pytest.raises(TypeError, match=r"created_at is a \w+: convert it first"):
        encode_cursor({"created_at": value})


def test_a_cursor_fits_into_a_url() -> None:
    """A position that is too long fails where it is made, not where it is used."""
    with pytest.raises(ValueError, match="at most 1024 characters"):
        encode_cursor({"title": "x" * 1000})


@pytest.mark.parametrize(
    ("found", "shown", "following"),
    [
        (0, [], None),
        (2, [0, 1], None),
        (3, [0, 1, 2], None),
        (4, [0, 1, 2], encode_cursor({"id": 2})),
    ],
)
def test_a_page_has_a_cursor_if_there_is_more(
    found: int, shown: list[int], following: str | None
) -> None:
    """The row beyond the limit is the sign of a next page, and is not shown."""
    rows = [Row(i) for i in range(found)]

    page = Page[Item].of(rows, limit=3, position=lambda row: {"id": row.id})

    assert [item.id for item in page.items] == shown
    assert page.next_cursor == following


def test_a_page_checks_its_items() -> None:
    """``Page[Item]`` holds items, and its schema names them."""
    with pytest.raises(ValidationError, match="valid integer"):
        Page[Item].model_validate({"items": [{"id": "x"}]})

    items = Page[Item].model_json_schema()["properties"]["items"]
    assert items["items"] == {"$ref": "#/$defs/Item"}


def test_a_page_of_another_service_is_read_whatever_its_cursors_look_like() -> None:
    """A cursor is opaque to who receives it."""
    page = Page[Item].model_validate_json('{"items": [], "next_cursor": "???"}')

    assert page.next_cursor == "???"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, "greater_than_equal"),
        ({"limit": 201}, "less_than_equal"),
        ({"cursor": "garbage"}, "cursor_format"),
    ],
)
def test_a_query_is_bounded(query: dict[str, Any], code: str) -> None:
    """Nobody gets the whole table, and garbage stops at the door."""
    with pytest.raises(ValidationError, match=r"should be|must have") as caught:
        PageQuery.model_validate(query)

    assert caught.value.errors()[0]["type"] == code


def test_a_query_has_defaults() -> None:
    """No parameters ask for the first 50 items."""
    assert PageQuery().model_dump() == {"cursor": None, "limit": 50}
    assert PageQuery(cursor=encode_cursor({"id": 1})).cursor == encode_cursor({"id": 1})


def test_error_details_are_what_a_problem_lists() -> None:
    """``{pointer, code, detail}``; without pointer it is about the whole body."""
    error = ErrorDetail(code="conflict", detail="The name is taken.")

    assert error.model_dump() == {
        "pointer": "",
        "code": "conflict",
        "detail": "The name is taken.",
    }


def test_a_status_may_have_a_message() -> None:
    """The specification's two fields."""
    assert StatusResponse(status="ok").model_dump() == {"status": "ok", "message": None}
