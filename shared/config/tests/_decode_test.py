from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shared.config._decode import NotDecodableError, decode, is_list, is_object


class Point(BaseModel):
    """A model in one variable."""

    x: int


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "a,b", "a,b"),
        (int, "5", "5"),
        (int | None, "5", "5"),
        (int | str, "5", "5"),
        (Any, "a,b", "a,b"),
        (list[str], "a, b,,c,", ["a", "b", "c"]),
        (tuple[int, ...] | None, "1,2", ["1", "2"]),
        (Sequence[str], "a", ["a"]),
        (Annotated[set[str], Field(min_length=1)], "a,b", ["a", "b"]),
        (frozenset, "a", ["a"]),
        (list[str], '["a,b", "c"]', ["a,b", "c"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Mapping[str, int], '{"a": 1}', {"a": 1}),
        (Point | None, '{"x": 1}', {"x": 1}),
        (IPv4Network, "10.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_decoded(annotation: Any, text: str, value: object) -> None:
    """Only what has parts is taken apart; the rest is pydantic's."""
    assert decode(annotation, text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "rule"),
    [
        (list[str], "[hunter2", "Must be a list"),
        (dict[str, str], "a=hunter2", "Must be a JSON object"),
        (Point, "hunter2", "Must be a JSON object"),
        (dict[str, str], "[" * 100_000, "Must be a JSON object"),
    ],
)
def test_not_decodable(annotation: Any, text: str, rule: str) -> None:
    """The rule and what to write; the parser's error, which has the text, is gone."""
    with pytest.raises(NotDecodableError, match=rule) as caught:
        decode(annotation, text)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


@given(items=st.lists(st.text("abc.:/", min_size=1)))
def test_commas_join_what_has_none(items: list[str]) -> None:
    """A list of plain words needs no JSON."""
    assert decode(list[str], ",".join(items)) == items


def test_kinds() -> None:
    """A model iterates over its fields, and is an object all the same."""
    assert (is_list(Point), is_object(Point)) == (False, True)
    assert (is_list(list[int]), is_object(list[int])) == (True, False)
