from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotFoundException, RateLimitExceededException
from shared.resilience._errors import CircuitOpenError
from shared.resilience._retry_after import parse_retry_after, retry_after_of

NOW = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:49:47 GMT",
        "Sunday, 06-Nov-94 08:49:47 GMT",
        "Sun Nov  6 08:49:47 1994",
    ],
)
def test_the_three_dates_of_the_standard(date: str) -> None:
    """RFC 9110, section 5.6.7, ten seconds later than its example."""
    assert parse_retry_after(date, now=NOW) == 10


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0\t", 0),
        ("007", 7),
        ("9" * 5000, float("inf")),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:60 GMT", 22),
        ("Friday, 31-Dec-99 23:59:59 GMT", 162573022),
        ("Sunday, 06-Nov-95 08:49:37 GMT", 31536000),
        ("Sunday, 06-Nov-45 08:49:37 GMT", 0),
    ],
)
def test_seconds_and_dates(value: str, seconds: float) -> None:
    """A date that has passed is now; two digits are at most fifty years ahead."""
    assert parse_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "٣",
        "1, 2",
        "soon",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37",
        "Mon, 06 Okt 1994 08:49:37 GMT",
    ],
)
def test_anything_else_says_nothing(value: str) -> None:
    """It is no error: the backoff holds."""
    assert parse_retry_after(value, now=NOW) is None


@settings(deadline=None)
@given(st.text())
def test_never_fails(value: str) -> None:
    """It comes from outside."""
    assert parse_retry_after(value, now=NOW) in (None, parse_plain(value))


def parse_plain(value: str) -> float | None:
    """What digits say."""
    digits = value.strip(" \t")
    return float(digits) if digits.isascii() and digits.isdigit() else None


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_goes_round(seconds: int) -> None:
    """As seconds and as the date that Python writes."""
    moment = NOW + timedelta(seconds=seconds)

    assert parse_retry_after(str(seconds), now=NOW) == seconds
    assert parse_retry_after(format_datetime(moment, usegmt=True), now=NOW) == seconds


class Reply:
    """A reply as HTTP clients have it."""

    def __init__(self, headers: Any) -> None:
        self.headers = headers


def error(**attributes: Any) -> Exception:
    """An error of somebody's own."""
    made = OSError()
    made.__dict__.update(attributes)
    return made


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (OSError(), None),
        (NotFoundException(), None),
        (RateLimitExceededException(retry_after=4.2), 5),
        (CircuitOpenError(retry_after=4.2), 4.2),
        (error(retry_after=2), 2),
        (error(retry_after="120"), 120),
        (error(retry_after="Sun, 06 Nov 1994 08:49:47 GMT"), 10),
        (error(response=Reply({"retry-after": "3"})), 3),
        (error(response=Reply([("Retry-After", "3")])), None),
        (error(headers={"RETRY-AFTER": "soon"}), None),
        (error(retry_after=-1), None),
        (error(retry_after=float("nan")), None),
        (error(retry_after=True), None),
        (error(retry_after=timedelta(seconds=1)), None),
    ],
)
def test_where_errors_say_it(given: Exception, seconds: float | None) -> None:
    """Our own, those of HTTP clients with a reply, and those with an attribute."""
    assert retry_after_of(given, now=NOW) == seconds
