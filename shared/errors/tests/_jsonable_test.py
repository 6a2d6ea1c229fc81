from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from shared.errors._jsonable import clean_text, jsonable


class Colour(Enum):
    RED = "red"


class Size(StrEnum):
    SMALL = "s"


class Level(IntEnum):
    HIGH = 3


class Subject(BaseModel):
    name: str
    key: SecretStr


@dataclass
class Point:
    x: int
    y: Decimal


class Hostile:
    """An object whose JSON can't be had without an error."""

    def model_dump(self, **options: object) -> object:
        raise RuntimeError(options)


class BrokenMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("iter")

    def __len__(self) -> int:
        return 1


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(10**400), max_value=10**400),
        st.floats(),
        st.decimals(),
        st.text(st.characters()),
        st.binary(max_size=5),
        st.datetimes(),
        st.uuids(),
        st.just(Hostile()),
        st.just(BrokenMapping()),
        st.just(object),
        st.just(Colour.RED),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner),
        st.dictionaries(
            st.one_of(st.text(st.characters()), st.integers(), st.none()),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(value=ANYTHING)
@settings(max_examples=150, deadline=None)
def test_anything_becomes_strict_json(value: object) -> None:
    """Whatever goes in, every JSON encoder and UTF-8 accept what comes out."""
    encoded = json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False)

    assert json.loads(encoded.encode()) == jsonable(value)


PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(2**63), max_value=2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(value=PLAIN)
@settings(max_examples=100, deadline=None)
def test_json_stays_as_it_is(value: object) -> None:
    """What is JSON already is not touched, so a reply carries the facts unchanged."""
    assert jsonable(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), 1.5),
        (Decimal("NaN"), None),
        (float("inf"), None),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (timedelta(minutes=2), 120.0),
        (Colour.RED, "red"),
        (Size.SMALL, "s"),
        (Level.HIGH, 3),
        ({Level.HIGH: 1, UUID(int=0): 2}, {"3": 1, str(UUID(int=0)): 2}),
        (frozenset({1}), [1]),
        (Point(1, Decimal("0.1")), {"x": 1, "y": 0.1}),
        (Subject(name="Ann", key=SecretStr("k")), {"name": "Ann", "key": "**********"}),
        (2**64, "18446744073709551616"),
        (b"secret", "<bytes>"),
        (Point, "<type>"),
        (ValueError("secret"), "<ValueError>"),
        (Hostile(), "<Hostile>"),
        (BrokenMapping(), "<BrokenMapping>"),
    ],
)
def test_value_of_no_json_kind(value: object, expected: object) -> None:
    """Common values get their usual form, others the name of their type only."""
    assert jsonable(value) == expected


def test_integer_that_python_will_not_print() -> None:
    """Python refuses to write out more than 4300 digits, so there is no number."""
    assert jsonable([10**5000]) == ["<int>"]


def test_cycle_is_cut() -> None:
    """A value that contains itself ends where it would begin again."""
    loop: list[object] = [1]
    loop.append({"self": loop})

    assert jsonable(loop) == [1, {"self": "..."}]


def test_same_value_twice_is_no_cycle() -> None:
    """Only a value inside itself is cut, not one that stands at two places."""
    shared = {"a": 1}

    assert jsonable([shared, shared]) == [shared, shared]


def test_depth_is_bounded() -> None:
    """Nesting that would break the encoder's recursion is cut."""
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]

    assert json.dumps(jsonable(deep)) == "[" * 33 + '"..."' + "]" * 33


def test_size_is_bounded() -> None:
    """A value that unfolds to billions of items ends after some thousands."""
    bomb: list[object] = ["x"]
    for _ in range(30):
        bomb = [bomb, bomb]
    wide = {str(number): number for number in range(50_000)}

    assert len(json.dumps(jsonable(bomb))) < 200_000
    assert len(jsonable(wide)) <= 10_000


def test_surrogates_are_joined_or_replaced() -> None:
    """A pair of surrogates is one character, a lone one becomes U+FFFD."""
    assert clean_text("\ud83d\ude00 \ud800") == "\U0001f600 \ufffd"
