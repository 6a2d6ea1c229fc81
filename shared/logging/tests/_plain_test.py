"""Tests of turning objects into plain JSON."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
import uuid
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.logging import Redactor
from shared.logging._plain import Plain

BUDGET = 32_000


def plain(value: object, budget: int = BUDGET) -> Any:
    return Plain(Redactor(), budget).value(value)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Number(int):
    def __repr__(self) -> str:
        raise RuntimeError("no number")


@dataclasses.dataclass
class Account:
    name: str
    password: str
    hidden: str = dataclasses.field(default="h", repr=False)


class Login(pydantic.BaseModel):
    name: str
    password: str
    seen: datetime.date
    hidden: str = pydantic.Field(default="h", repr=False)
    pin: pydantic.SecretStr = pydantic.SecretStr("1234")


class Point(NamedTuple):
    x: int
    token: str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (1.5, 1.5),
        ("text", "text"),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, "18446744073709551616"),
        (-(10**20), "-100000000000000000000"),
        pytest.param(10**5000, "<integer of 16610 bits>", id="too many digits"),
        pytest.param(Text("text"), "text", id="str subclass"),
        pytest.param(Number(3), 3, id="int subclass"),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (b"bytes \xff", "bytes \\xff"),
        (bytearray(b"b"), "b"),
        (memoryview(b"m"), "m"),
        (
            datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
            "2026-01-02T03:04:05.000006+00:00",
        ),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(3, 4), "03:04:00"),
        (datetime.timedelta(minutes=1.5), 90.0),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a"), "/a"),
        (ValueError("bad"), "ValueError: bad"),
        ([1, (2, {3})], [1, [2, [3]]]),
        (frozenset({1}), [1]),
        ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        ({1: 1, None: 2, 2.5: 3}, {"1": 1, "null": 2, "2.5": 3}),
        ({False: 1, b"k": 2, (1, 2): 3}, {"false": 1, "k": 2, "[1, 2]": 3}),
        (Account("bob", "pw"), {"name": "bob", "password": "[REDACTED]"}),
        (Point(1, "t"), {"x": 1, "token": "[REDACTED]"}),
        (
            Login(name="bob", password="pw", seen=datetime.date(2026, 1, 2)),
            {
                "name": "bob",
                "password": "[REDACTED]",
                "seen": "2026-01-02",
                "pin": "**********",
            },
        ),
        (Account, str(Account)),
        ("a\ud800b \ud83d\ude00", "a\ufffdb \U0001f600"),
    ],
)
def test_every_kind_of_value_has_one_form(value: object, expected: object) -> None:
    """The form is JSON's own where there is one, else the usual text."""
    result = plain(value)

    assert result == expected
    assert type(result) is type(expected)


def test_secrets_are_found_at_any_depth() -> None:
    """Names are looked at in nested objects, texts in lists as well."""
    result = plain({"a": [{"password": {"b": 1}}, "token=abc"], "k=1": 2})

    assert result == {"a": [{"password": "[REDACTED]"}, "token=[REDACTED]"], "k=1": 2}


def test_a_header_list_is_made_of_names_and_values() -> None:
    """A tuple of two in a list is a member: that is how ASGI has its headers."""
    headers = [(b"host", b"h"), (b"cookie", b"a=b"), ["cookie", "a"]]

    assert plain(headers) == [
        ["host", "h"],
        ["cookie", "[REDACTED]"],
        ["cookie", "a"],
    ]


def test_without_a_redactor_everything_is_shown() -> None:
    """None switches redaction off, in names and texts."""
    value = {"password": "x", "text": "token=abc"}

    assert Plain(None, BUDGET).value(value) == value


class Raising:
    def __str__(self) -> str:
        raise RuntimeError("str")

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class RaisingMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError("getitem")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("iter")

    def __len__(self) -> int:
        raise RuntimeError("len")


class AllRaising:
    def __getattribute__(self, name: str) -> Any:  # also what isinstance() asks for
        raise RuntimeError(name)


@dataclasses.dataclass
class HalfMade:
    value: int = 1

    def __getattribute__(self, name: str) -> Any:
        if name == "value":
            raise RuntimeError("no value yet")
        return super().__getattribute__(name)


@pytest.mark.parametrize("cls", [Raising, RaisingMapping, AllRaising, HalfMade])
def test_an_object_that_raises_has_a_stand_in(cls: type) -> None:
    """Whatever an object's own code does, the rest of the line is there."""
    expected = f"<unprintable {cls.__name__}>"

    assert plain({"a": cls(), "b": 1}) == {"a": expected, "b": 1}


def test_an_object_within_itself_is_marked() -> None:
    """A circle ends where it closes; the same object twice is no circle."""
    inner = [1]
    circle: dict[str, Any] = {"a": inner, "b": inner}
    circle["self"] = [circle]

    assert plain(circle) == {"a": [1], "b": [1], "self": ["[CIRCULAR]"]}


def test_depth_is_bounded() -> None:
    """What lies deeper than sixteen levels is cut and said to be."""
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    maker = Plain(Redactor(), BUDGET)

    result = maker.value(deep)

    assert json.dumps(result) == "[" * 16 + '"[TRUNCATED]"' + "]" * 16
    assert maker.truncated


@pytest.mark.parametrize(
    "value",
    [
        list(range(100_000)),
        {n: n for n in range(100_000)},
        [[[0] * 1000] * 1000] * 1000,
        ["x" * 1_000_000] * 1000,
        {"k" * 1_000_000: 1},
        "x" * 10_000_000,
        b"x" * 10_000_000,
    ],
)
def test_size_is_bounded(value: object) -> None:
    """Text and number of values stay within the budget, give or take the marks."""
    maker = Plain(Redactor(), 1000)

    result = json.dumps(maker.value(value))

    assert len(result) < 2000
    assert maker.truncated


def test_the_end_of_a_traceback_is_kept() -> None:
    """A traceback's last line says what went wrong."""
    text = Plain(Redactor(), 100).text("x" * 1000 + "ValueError", keep_end=True)

    assert text.startswith("[TRUNCATED]xx")
    assert text.endswith("ValueError")


def test_a_secret_at_the_cut_is_still_known() -> None:
    """A text is searched further than it is kept, so no half secret is left."""
    text = "x" * 40 + " eyJhbGciOiJIUzI1NiJ9." + "y" * 1000

    assert "eyJ" not in Plain(Redactor(), 100).text(text)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=20)
    | st.datetimes()
    | st.uuids()
    | st.decimals()
    | st.builds(Raising),
    lambda children: (
        st.lists(children, max_size=4)
        | st.tuples(children, children)
        | st.dictionaries(
            st.none() | st.integers() | st.text(st.characters(), max_size=5),
            children,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None, max_examples=60)
@given(JUNK)
def test_the_result_is_json_and_stays_as_it_is(value: object) -> None:
    """What comes out is plain JSON, and plain JSON goes through unchanged."""
    result = plain(value)

    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert plain(result) == result


def test_a_named_tuple_from_the_factory() -> None:
    """The older kind of named tuple has names as well."""
    pair = namedtuple("pair", "a b")

    assert plain(pair(1, 2)) == {"a": 1, "b": 2}
