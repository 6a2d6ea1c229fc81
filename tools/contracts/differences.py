"""Where a schema and Python's reader, or two validators of a schema, do not agree.

Two kinds of it, and both are in the vectors, so that no program finds out by itself:

* What no keyword can say, and code checks: `UNSAID`, by the name of the function that
  stands in ``x-validated-by``. The schema is wider than the reader.
* What the reader takes, or a validator reads otherwise than another: `DIFFERENCES`.

A difference that is in none of these tables fails the export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from shared.dtos.common import encode_cursor

Sized = Callable[[int, bool], str | None]
"""Makes valid text of a length; with characters beyond ASCII where the flag is set."""


@dataclass(frozen=True, kw_only=True)
class Unsaid:
    """What a function checks beside the keywords."""

    refused: Mapping[str, Any] = field(default_factory=dict)
    """Values that the schema accepts and the function refuses, by the reason. A value
    that is an object replaces members of the smallest valid one; one that depends on
    ``maxLength`` is a function of it."""
    sized: Sized | None = None
    """Text that it accepts, if not all text does that the schema accepts."""
    says: str = ""
    """Why there is nothing that it refuses beyond the schema: it only converts."""

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """What a service tells of a function of its own, in plain data.

        Args:
            told: May have ``refused`` and ``says``, as here, and ``accepted``: texts of
                some lengths, the shortest and the longest that there are among them.

        Raises:
            ValueError: It has another member.
        """
        if unknown := told.keys() - {"accepted", "refused", "says"}:
            raise ValueError(f"there is no member {min(unknown)!r}")
        texts = told.get("accepted")
        return cls(
            refused=told.get("refused", {}),
            sized=_one_of(texts) if texts else None,
            says=told.get("says", ""),
        )


def _one_of(texts: Iterable[str]) -> Sized:
    by_length = {len(text): text for text in texts}
    return lambda length, wide: None if wide else by_length.get(length)


@dataclass(frozen=True, kw_only=True)
class Format:
    """Samples of a value of ``format``."""

    sample: str
    others: tuple[str, ...] = ()
    """Valid in other ways."""
    broken: tuple[str, ...] = ()
    """Not of the format, for the reader too."""
    sized: Sized | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A value of which two programs have two opinions."""

    name: str
    keyword: str
    """Where it is tried: wherever a schema has this keyword,"""
    value: str | None
    """with this value, or with any."""
    make: Callable[[Any], Any]
    """The value, from a valid one."""
    reader: bool | None
    """What Python's reader says; None where the kind of model decides."""
    schema: bool
    """What the schema says, and jsonschema of Python."""
    ajv: bool | None = None
    """What ajv with ajv-formats says, where that is something else."""
    reason: str


def _password(length: int, wide: bool) -> str:
    kinds = "Aa1-é😀" if wide else "Aa1-"
    return (kinds + "a" * length)[:length]


def _email(length: int, wide: bool) -> str | None:
    """As RFC 5321 bounds it: 64 characters, @, labels of 63, of which .com is one."""
    if wide or length < len("a@a.com"):
        return None
    local = "a" * min(64, length - len("@a.com"))
    rest = length - len(local) - len("@.com")
    labels = []
    while rest > 0:
        size = min(63, rest if rest != 64 else 62)
        labels.append("a" * size)
        rest -= size + 1
    return f"{local}@{'.'.join(labels)}.com"


def _uri(length: int, wide: bool) -> str | None:
    start = (
        "https://a" if length < len("https://example.com/") else "https://example.com/"
    )
    if wide or length < len(start):
        return None
    return start + "a" * (length - len(start))


def _cursor(length: int, wide: bool) -> str | None:
    """A cursor is Base64 without padding: three bytes are four letters."""
    empty = len(encode_cursor({"k": ""}))
    if wide or length < empty:
        return None
    longest = length * 3 // 4
    made = encode_cursor({"k": "a" * (longest - empty * 3 // 4)})
    return made if len(made) == length else None


def _nested(levels: int) -> dict[str, Any]:
    value: Any = []
    for _ in range(levels - 2):
        value = [value]
    return {"deep": value}


UNSAID: Final[Mapping[str, Unsaid]] = {
    "BoundedText": Unsaid(
        refused={
            "More than 30 combining marks in a row.": "a" + "\u0301" * 31,
            "More characters in NFC than it has room for.": lambda most: (
                "\u0958" * most
            ),
        },
    ),
    "check_cursor": Unsaid(
        refused={
            "No cursor that this API has given out: it holds no JSON.": "abcd",
            "A cursor of another version.": "WzAse31d",
        },
        sized=_cursor,
    ),
    "freeze_object": Unsaid(
        refused={"More than 100 levels of arrays and objects.": _nested(101)},
    ),
    "validate_email_address": Unsaid(
        refused={
            "A domain that is not of the public internet.": "ada@mail.invalid",
            "A label of more than 63 characters.": "ada@" + "a" * 64 + ".com",
        },
        sized=_email,
    ),
    "validate_https_url": Unsaid(
        refused={
            "A host of more than 253 characters.": "https://"
            + ("a" * 63 + ".") * 4
            + "a"
        },
        sized=_uri,
    ),
    "validate_password_complexity": Unsaid(
        refused={
            "No uppercase letter.": "aaaaaaaaaa1-",
            "No lowercase letter.": "AAAAAAAAAA1-",
            "No digit.": "Aaaaaaaaaaa-",
            "No symbol.": "Aaaaaaaaaaa1",
            "A control character.": "Aa1-aaaaaaa\t",
        },
        sized=_password,
    ),
}
"""The kernel's, by the name in ``x-validated-by``. A service tells of its own in its
contract."""

FORMATS: Final[Mapping[str, Format]] = {
    "date": Format(
        sample="2026-01-31", others=("2024-02-29",), broken=("2026-02-30", "31.01.2026")
    ),
    "date-time": Format(
        sample="2026-01-31T12:00:00Z",
        others=("2026-01-31T13:00:00.123456+01:00", "2026-01-31t12:00:00z"),
        broken=("2026-02-30T12:00:00Z", "2026-01-31T12:00:00", "31.01.2026 12:00"),
    ),
    "duration": Format(sample="PT90S", others=("P1DT12H",), broken=("90 seconds",)),
    "email": Format(
        sample="ada@example.com", broken=("ada.example.com",), sized=_email
    ),
    "hostname": Format(sample="example.com", broken=("-example-",)),
    "ipv4": Format(
        sample="192.0.2.1", others=("255.255.255.255",), broken=("192.0.2.256",)
    ),
    "ipv6": Format(sample="2001:db8::1", others=("::",), broken=("2001:db8:::1",)),
    "json-pointer": Format(sample="/email", others=("", "/a~1b"), broken=("email",)),
    "time": Format(sample="12:00:00Z", broken=("25:00:00Z",)),
    "uri": Format(sample="https://example.com/a", broken=("no address",), sized=_uri),
    "uuid": Format(
        sample="5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
        others=("5F0C6A5E-6D0B-4C55-9D0E-0F6F3F1F7C11",),
        broken=("5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c1", "no id"),
    ),
}

UNCHECKED_FORMATS: Final = frozenset({"binary", "password", "path"})
"""They say how to show a value, and refuse none."""

UNREACHABLE: Final[Mapping[tuple[str, str], str]] = {
    ("check_cursor", "minLength"): "No cursor has fewer than 8 characters.",
    ("validate_email_address", "minLength"): "No address is that short.",
    ("email", "minLength"): "No address is that short.",
    ("uri", "minLength"): "No URI is that short.",
}
"""Bounds that no value reaches, by the function or format that is beside them."""

DIFFERENCES: Final = (
    Difference(
        name="text for a number",
        keyword="type",
        value="number",
        make=str,
        reader=True,
        schema=False,
        reason="The reader takes text that holds a number. It is never written.",
    ),
    Difference(
        name="text for an integer",
        keyword="type",
        value="integer",
        make=str,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes text that holds an integer, as of a query.",
    ),
    Difference(
        name="true for an integer",
        keyword="type",
        value="integer",
        make=lambda _: True,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes true for 1, as that of an event does where 1 "
        "is the only value.",
    ),
    Difference(
        name="true for a number",
        keyword="type",
        value="number",
        make=lambda _: True,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes true for 1.",
    ),
    Difference(
        name="text for a boolean",
        keyword="type",
        value="boolean",
        make=lambda _: "true",
        reader=True,
        schema=False,
        reason="The reader of a DTO takes true, false, yes, no, on, off, 1 and 0 as "
        "text, as of a query.",
    ),
    Difference(
        name="1 for a boolean",
        keyword="type",
        value="boolean",
        make=lambda _: 1,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes 1 for true and 0 for false.",
    ),
    Difference(
        name="an integer with a fraction of zero",
        keyword="type",
        value="integer",
        make=float,
        reader=False,
        schema=True,
        reason="To JSON Schema 1.0 is an integer. The reader of an event, which is "
        "strict, takes it for a fraction; a program that has no other form for 1 "
        "writes 1.",
    ),
    Difference(
        name="more digits than a double keeps",
        keyword="type",
        value="number",
        make=lambda _: 0.1234567890123456,
        reader=False,
        schema=True,
        reason="A decimal number has at most 15 digits, so that every reader gets the "
        "number that was written. No keyword can count them.",
    ),
    Difference(
        name="a UUID without hyphens",
        keyword="format",
        value="uuid",
        make=lambda uuid: uuid.replace("-", ""),
        reader=True,
        schema=False,
        reason="The reader takes every form that Python's UUID takes. It writes RFC "
        "9562's.",
    ),
    Difference(
        name="a UUID as a URN",
        keyword="format",
        value="uuid",
        make=lambda uuid: f"urn:uuid:{uuid}",
        reader=True,
        schema=False,
        ajv=True,
        reason="RFC 9562 does not count the prefix to the UUID; ajv-formats does.",
    ),
    Difference(
        name="a time after a space",
        keyword="format",
        value="date-time",
        make=lambda text: text.replace("T", " "),
        reader=None,
        schema=False,
        ajv=True,
        reason="RFC 3339 has T in its grammar and allows for a space in a note. DTOs "
        "and ajv-formats take the space, events do not. T is always written.",
    ),
    Difference(
        name="a leap second",
        keyword="format",
        value="date-time",
        make=lambda _: "2016-12-31T23:59:60Z",
        reader=False,
        schema=False,
        ajv=True,
        reason="Python's datetime has no second 60. ajv-formats knows it from RFC "
        "3339, Python's jsonschema does not.",
    ),
    Difference(
        name="the year 0",
        keyword="format",
        value="date-time",
        make=lambda _: "0000-01-01T00:00:00Z",
        reader=False,
        schema=False,
        ajv=True,
        reason="Python's datetime, and so jsonschema, begins with the year 1. RFC 3339 "
        "begins with the year 0.",
    ),
    Difference(
        name="a time before the year 1 in UTC",
        keyword="format",
        value="date-time",
        make=lambda _: "0001-01-01T00:00:00+01:00",
        reader=False,
        schema=True,
        reason="Python's datetime begins with the year 1, and times are kept in UTC.",
    ),
    Difference(
        name="a number for a duration",
        keyword="format",
        value="duration",
        make=lambda _: 12,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes a number of seconds.",
    ),
    Difference(
        name="a number for a time of day",
        keyword="format",
        value="time",
        make=lambda _: 12,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes the seconds since midnight.",
    ),
    Difference(
        name="a time of day without a zone",
        keyword="format",
        value="time",
        make=lambda _: "12:00:00",
        reader=True,
        schema=False,
        reason="Python's time of day needs no zone, that of RFC 3339 does.",
    ),
    Difference(
        name="a number for an IPv6 address",
        keyword="format",
        value="ipv6",
        make=lambda _: 12,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes the number that the address stands for.",
    ),
    Difference(
        name="a number for an IPv4 address",
        keyword="format",
        value="ipv4",
        make=lambda _: 12,
        reader=True,
        schema=False,
        reason="The reader of a DTO takes the number that the address stands for.",
    ),
    Difference(
        name="an address beyond ASCII",
        keyword="format",
        value="email",
        make=lambda _: "ada@bücher.example",
        reader=True,
        schema=True,
        ajv=False,
        reason="The reader takes international domains and names. The format email is "
        "of ASCII alone, which ajv-formats holds it to and jsonschema does not.",
    ),
    Difference(
        name="an address without a dot",
        keyword="format",
        value="email",
        make=lambda _: "ada@example",
        reader=False,
        schema=True,
        ajv=False,
        reason="jsonschema looks for an @ and no more.",
    ),
    Difference(
        name="text that is no JSON Pointer",
        keyword="format",
        value="json-pointer",
        make=lambda _: "email",
        reader=True,
        schema=False,
        reason="The pointer is in answers only, which nobody reads in Python.",
    ),
    Difference(
        name="a line break at the end",
        keyword="pattern",
        value=None,
        make=lambda text: f"{text}\n",
        reader=False,
        schema=True,
        ajv=False,
        reason="$ in Python's expressions, and so in jsonschema, is also before a line "
        "break at the end. In ECMA-262, which schemas mean, and in the reader it is "
        "not.",
    ),
    Difference(
        name="an item twice",
        keyword="uniqueItems",
        value=None,
        make=lambda items: [*items, *items[:1]],
        reader=True,
        schema=False,
        reason="The reader makes a set of the items.",
    ),
)
