from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pamqp.commands import Basic

from shared.events import (
    UserEmailVerificationRequestedEvent,
    UserEmailVerificationRequestedPayload,
)
from shared.messaging import MessageWriter, Reason, Wire
from shared.messaging._cli_message import REPLAYED_AT, Message, printable
from shared.messaging._history import OWN_HEADERS, History, death
from shared.messaging._rabbit_frames import table

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "verification-token-4711"
UNKNOWN = (
    b'{"event_id": "8e03978e-40d5-43dd-bc93-6894a57f9324", "event_type": "a.b", '
    b'"correlation_id": "c", "timestamp": "2026-01-01T12:00:00Z", '
    b'"payload": {"token": "hunter2"}}'
)


def event(token: str = SECRET) -> UserEmailVerificationRequestedEvent:
    """An event with a secret."""
    return UserEmailVerificationRequestedEvent.model_validate_json(
        json.dumps(
            {
                "event_id": str(uuid4()),
                "event_type": "user.email_verification_requested",
                "correlation_id": "abc-123",
                "timestamp": "2026-01-01T12:00:00Z",
                "payload": _payload(token),
            }
        )
    )


def _payload(token: str) -> dict[str, Any]:
    values = {
        "user_id": str(uuid4()),
        "email": "ann@example.com",
        "verification_token": token,
        "expires_at": "2026-01-02T12:00:00Z",
    }
    fields = UserEmailVerificationRequestedPayload.model_fields
    return {name: value for name, value in values.items() if name in fields}


def message(
    body: bytes = b"{}",
    headers: dict[str, Any] | None = None,
    *,
    exchange: str = "",
    routing_key: str = "accounts.book.dead",
    **properties: Any,
) -> Message:
    """As a broker gives it."""
    own = Basic.Properties(headers=headers, **properties)
    return Message(1, exchange, routing_key, own, headers or {}, body)


@pytest.mark.parametrize("wire", Wire)
def test_the_body_of_a_known_event_is_shown_without_its_secrets(wire: Wire) -> None:
    """Whichever way it was written."""
    written = MessageWriter(wire=wire, source="/accounts").write(event())
    found = message(
        written.body, dict(written.headers), content_type=written.content_type
    )

    shown = found.shown_body()

    assert shown is not None
    assert SECRET not in shown
    assert json.loads(shown)["payload"]["verification_token"] == "**********"
    assert SECRET in found.raw_body()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(token=st.text(st.characters(categories=["L", "N"]), min_size=8, max_size=64))
def test_no_secret_is_shown(token: str) -> None:
    """Of which letters it may be; those of its message are no secrets."""
    marked = f"\N{SNOWMAN}{token}"
    found = message(event(marked).encode(), content_type="application/json")

    shown = found.shown_body()

    assert shown is not None
    assert marked not in shown


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"event_type": "user.registered", "payload": {"token": "hunter2"}}',
        UNKNOWN,
    ],
)
def test_the_body_of_what_nobody_knows_is_hidden(body: bytes) -> None:
    """It may hold secrets, and no class says where."""
    assert message(body).shown_body() is None


def test_a_dead_letter_says_what_became_of_it() -> None:
    """From the headers that buses write."""
    error = ValueError("with a secret")
    history = History().after(error, tries=2, now=NOW)
    headers = history.headers() | death(
        Reason.EXHAUSTED, error, consumer="accounts.book", now=NOW
    )
    headers["correlation_id"] = "abc-123"
    found = message(b"{}", headers, message_id="m-1", message_type="a.b", timestamp=NOW)

    told = found.told()

    digest = told.pop("digest")
    assert told == {
        "id": "m-1",
        "type": "a.b",
        "consumer": "accounts.book",
        "attempts": 2,
        "reason": "exhausted",
        "error": "ValueError",
        "died_at": "2026-01-01T12:00:00+00:00",
        "published_at": "2026-01-01T12:00:00+00:00",
        "replayed_at": None,
        "correlation_id": "abc-123",
        "bytes": 2,
    }
    assert len(digest) == 16


def test_a_dead_letter_of_the_broker_says_it_too() -> None:
    """Such as one that killed its consumer each time."""
    headers = {
        "x-first-death-reason": "delivery_limit",
        "x-death": [
            {
                "reason": "expired",
                "exchange": "",
                "routing-keys": ["accounts.book.retry.1000ms"],
                "time": datetime(2026, 1, 1, 13, tzinfo=UTC),
            },
            {
                "reason": "delivery_limit",
                "exchange": "creativeflow.events",
                "routing-keys": ["a.b"],
                "time": NOW,
            },
        ],
    }
    found = message(b"{}", headers)

    assert (found.reason, found.event_type, found.died_at) == (
        "delivery_limit",
        "a.b",
        NOW,
    )


def test_a_copy_has_the_key_of_its_first_publication() -> None:
    """Which a replay to the exchange needs, and one to the consumer keeps."""
    found = message(b"{}", {"x-routing-key": "a.b"}, message_type="c.d")

    assert found.event_type == "a.b"
    assert b"x-routing-key" in found.again("", "accounts.book", NOW).header
    assert b"x-routing-key" not in found.again("events", "a.b", NOW).header
    assert message(message_type="c.d").event_type == "c.d"


def test_an_unrouted_event_has_the_key_it_came_with() -> None:
    """Which is its type, whatever its sender says of it."""
    assert (
        message(exchange="creativeflow.events", routing_key="a.b").event_type == "a.b"
    )
    assert message(routing_key="accounts.book.dead").event_type is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                *sorted(OWN_HEADERS),
                "x-death",
                "x-first-death-reason",
                "correlation_id",
                REPLAYED_AT,
            ]
        ),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.text()
            | st.binary()
            | st.datetimes(timezones=st.just(UTC)),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_headers_of_others_stop_nothing(headers: dict[str, Any]) -> None:
    """Whatever is in them: it is somebody's message, and an operator must see it."""
    found = message(b"{}", headers)

    told = json.dumps(found.told())

    assert isinstance(told, str)
    assert all(v is None or isinstance(v, str) for v in found.facts().values())


def test_a_replay_begins_anew() -> None:
    """The same event, with its own headers, and without what became of it."""
    own = {
        "correlation_id": "c",
        "traceparent": "t",
        "n": 2**40,
        "f": 0.1,
        "b": b"\xff",
    }
    headers = own | dict.fromkeys(OWN_HEADERS, "old")
    headers |= {"x-death": [{"count": 1}], "x-first-death-queue": "q"}
    headers |= {"x-delivery-count": 3, "CC": ["q"]}
    found = message(
        b"body",
        headers,
        content_type="application/json",
        message_id="m-1",
        message_type="a.b",
        correlation_id="c",
        timestamp=NOW,
        app_id="accounts",
        priority=3,
        expiration="1000",
        user_id="somebody",
    )

    packet = found.again("", "accounts.book", NOW)

    assert (packet.exchange, packet.routing_key) == ("", "accounts.book")
    assert (packet.message_id, packet.body) == ("m-1", b"body")
    assert table(own | {REPLAYED_AT: NOW.isoformat()}) in packet.header
    assert b"old" not in packet.header
    assert b"1000" not in packet.header
    assert b"somebody" not in packet.header
    assert b"accounts" in packet.header


def test_nothing_moves_the_terminal() -> None:
    """Who publishes a message must not write on an operator's screen what he likes."""
    assert printable("a\x1b[2J\u202eb\nc\x9b") == r"a\x1b[2J\u202eb\nc\x9b"
    assert printable("grüße ☃") == "grüße ☃"
