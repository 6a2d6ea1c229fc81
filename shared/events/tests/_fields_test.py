"""Kinds of fields: timestamps, secrets, texts."""

import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter, ValidationError

from shared.events._envelope import EventPayload
from shared.events._fields import Email, Secret, Timestamp, Url
from shared.events.tests.strategies import moments

TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)


def read(text: str) -> datetime:
    return TIMESTAMP.validate_json(json.dumps(text), strict=True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # RFC 3339, section 5.8
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520000, UTC)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57, 0, UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870000, UTC)),
        ("2026-01-31T12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00-00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        # Python has microseconds; what is finer is cut off.
        (
            "2026-01-31T12:00:00.1234567891Z",
            datetime(2026, 1, 31, 12, 0, 0, 123456, UTC),
        ),
    ],
)
def test_rfc_3339_is_read(text: str, moment: datetime) -> None:
    """Any notation of the standard is read, from JSON and in Python, as UTC."""
    for found in (read(text), TIMESTAMP.validate_python(text)):
        assert (found, found.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "document",
    [
        '"2026-01-31T12:00:00"',
        '"2026-01-31 12:00:00Z"',
        '"2026-01-31T12:00Z"',
        '"2026-01-31"',
        '"20260131T120000Z"',
        '"2026-01-31T12:00:00+0200"',
        '"2026-01-31T12:00:00+02"',
        '"2026-01-31T12:00:00,5Z"',
        '"2026-13-31T12:00:00Z"',
        '"2026-01-31T24:00:00Z"',
        '"1990-12-31T23:59:60Z"',  # a leap second: Python has none
        '"0000-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00+01:00"',
        '"9999-12-31T23:59:59-01:00"',
        '"2026-01-31T12:00:00+25:00"',
        '"2026-01-31T12:00:00Z\\n"',
        '"1769860800"',
        "1769860800",
        "true",
        "null",
        '"٢٠٢٦-01-31T12:00:00Z"',
    ],
)
def test_other_notations_are_refused(document: str) -> None:
    """Pydantic would guess at most of them, in ways other languages do not."""
    with pytest.raises(ValidationError, match="timestamp_format"):
        TIMESTAMP.validate_json(document, strict=True)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
    ],
)
def test_what_utc_can_not_say_is_refused(moment: datetime) -> None:
    """In the first and last hours of datetime another zone has no UTC."""
    with pytest.raises(ValidationError, match="timestamp_range"):
        TIMESTAMP.validate_python(moment)


@settings(max_examples=50, deadline=None)
@given(moment=moments)
def test_timestamps_survive_json(moment: datetime) -> None:
    """Every point in time is written with Z and read back the same."""
    written = TIMESTAMP.dump_json(TIMESTAMP.validate_python(moment))

    assert written.endswith(b'Z"')
    assert TIMESTAMP.validate_json(written, strict=True) == moment


class InvitedPayload(EventPayload):
    """A payload with a secret."""

    token: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        lambda payload: f"{payload!r} {payload.token}",
        lambda payload: str(payload.model_dump()),
        lambda payload: "{token}".format(**payload.model_dump()),
    ],
)
def test_secrets_do_not_show(show: Any) -> None:
    """A secret shows in no text that is made of a payload."""
    assert "hunter2" not in show(InvitedPayload(token="hunter2"))


def test_secrets_do_not_show_in_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Not even when the whole payload is an argument."""
    payload = InvitedPayload(token="hunter2")
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("invited %s %r", payload, payload.model_dump())

    assert "invited" in caplog.text
    assert "hunter2" not in caplog.text


def test_secrets_are_on_the_wire() -> None:
    """Whoever sends the mail needs the token."""
    payload = InvitedPayload(token="hunter2")

    assert payload.model_dump_json() == '{"token":"hunter2"}'
    assert payload.token.get_secret_value() == "hunter2"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Email, "ada@example.com", ["ada", "@", "a b@c", "a@b@c", "a@" + "b" * 260]),
        (
            Url,
            "https://x.org/p?q=1#f",
            ["x.org", "ftp://x.org", "https://a b", "https://"],
        ),
    ],
)
def test_texts_are_checked_for_their_shape_only(
    kind: Any, good: str, bad: list[str]
) -> None:
    """An event must stay readable when the rules for such texts get stricter."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    assert adapter.validate_python(good) == good
    for text in bad:
        with pytest.raises(ValidationError, match=r"string_(pattern|too_long)"):
            adapter.validate_python(text)
