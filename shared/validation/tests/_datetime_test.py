from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.validation._datetime import UtcDateTime, to_utc

TIME = TypeAdapter[datetime](UtcDateTime)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00+00:00",
        "2026-01-31T12:00:00.000000000Z",
        "2026-01-31T17:30:00+05:30",
        "2026-01-31T11:00:00-01:00",
    ],
)
def test_rfc_3339_is_read_as_utc(text: str) -> None:
    """Any offset is accepted, and gone afterwards."""
    moment = TIME.validate_python(text)

    assert moment == NOON
    assert moment.tzinfo is UTC
    assert TIME.validate_json(f'"{text}"') == NOON


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1_700_000_000, "datetime_format"),
        (1.5, "datetime_format"),
        ("1700000000", "datetime_format"),
        ("2026-01-31", "datetime_format"),
        ("2026-01-31T12:00:00", "datetime_format"),
        ("2026-01-31T12:00Z", "datetime_format"),
        ("2026-01-31T12:00:00+0100", "datetime_format"),
        ("2026-01-31T12:00:00Z\n", "datetime_format"),
        (None, "datetime_format"),
        ("2026-02-30T12:00:00Z", "datetime_from_date_parsing"),
        (datetime(2026, 1, 31, 12), "datetime_zone"),  # noqa: DTZ001
        ("0001-01-01T00:00:00+01:00", "datetime_zone"),
        ("9999-12-31T23:59:59-01:00", "datetime_zone"),
    ],
)
def test_everything_else_is_refused(value: object, code: str) -> None:
    """No guessing: not of a unit, not of a zone, and no overflow."""
    with pytest.raises(
        ValidationError, match=r"Time must have|valid datetime"
    ) as error:
        TIME.validate_python(value)

    assert error.value.errors()[0]["type"] == code


def test_it_is_written_with_z() -> None:
    """RFC 3339, UTC, microseconds only where there are any."""
    berlin = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))

    assert TIME.dump_json(TIME.validate_python(berlin)) == b'"2026-07-01T10:00:00Z"'


@settings(deadline=None)
@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.integers(-1439, 1439).map(
            lambda m: timezone(timedelta(minutes=m))
        ),
    )
)
def test_a_round_trip_keeps_the_point_in_time(moment: datetime) -> None:
    """What one service writes the next one reads, to the microsecond."""
    in_utc = to_utc(moment)

    assert in_utc == moment
    assert TIME.validate_json(TIME.dump_json(in_utc)) == moment
