"""Tests of the one shape that security events have."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.logging import (
    SecurityEvent,
    configure_logging,
    correlation_id_var,
    log_security_event,
)

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture
def stream() -> io.StringIO:
    """Return where the lines go."""
    stream = io.StringIO()
    configure_logging("accounts", stream=stream)
    return stream


def line_of(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    loaded: dict[str, Any] = json.loads(line)
    return loaded


def test_the_shape(stream: io.StringIO) -> None:
    """A line says what, how it ended, who, on what and why, in these members."""
    correlation_id_var.set("c-1")
    log_security_event(
        SecurityEvent.KEY_ROTATED,
        outcome="success",
        actor="user-1",
        target="0123456789ABCDEF",
        reason="leaked",
        grace_seconds=0,
    )

    line = line_of(stream)
    del line["timestamp"], line["lineno"]
    assert line == {
        "level": "INFO",
        "message": "key_rotated",
        "service": "accounts",
        "correlation_id": "c-1",
        "module": "_security_test",
        "funcName": "test_the_shape",
        "logger": "shared.security",
        "event": "key_rotated",
        "outcome": "success",
        "actor": "user-1",
        "target": "0123456789ABCDEF",
        "reason": "leaked",
        "data": {"grace_seconds": 0},
    }


def test_what_is_not_known_is_null(stream: io.StringIO) -> None:
    """A query finds the members on every line; only ``data`` may be absent."""
    log_security_event("login", outcome="failure")

    line = line_of(stream)
    assert [line[name] for name in ("actor", "target", "reason")] == [None, None, None]
    assert "data" not in line


@pytest.mark.parametrize(
    ("outcome", "level"),
    [("success", "INFO"), ("failure", "WARNING"), ("denied", "WARNING")],
)
def test_levels(stream: io.StringIO, outcome: Any, level: str) -> None:
    """What went well is INFO, the rest WARNING."""
    log_security_event(SecurityEvent.LOG_IN, outcome=outcome)

    assert line_of(stream)["level"] == level


@pytest.mark.parametrize("log_level", ["DEBUG", "WARNING", "CRITICAL"])
def test_every_log_level_has_them(log_level: str) -> None:
    """An audit trail has no gaps because somebody wanted less of the rest."""
    stream = io.StringIO()
    configure_logging("accounts", log_level, stream=stream)
    log_security_event(SecurityEvent.LOG_IN, outcome="success")

    assert line_of(stream)["event"] == "login"


def test_who_turns_them_off_has_none(stream: io.StringIO) -> None:
    """The logger is one like any other."""
    logging.getLogger("shared.security").setLevel(logging.CRITICAL)
    log_security_event(SecurityEvent.LOG_IN, outcome="denied")

    assert stream.getvalue() == ""


def test_secrets_are_hidden(stream: io.StringIO) -> None:
    """Who passes a secret all the same does not find it in the log."""
    log_security_event(
        SecurityEvent.KEY_REFUSED,
        outcome="denied",
        actor="cfk_live_0123456789ABCDEF_hunter2",
        reason="password=hunter2",
        api_key="hunter2",
        key_id="0123456789ABCDEF",
    )

    assert "hunter2" not in stream.getvalue()
    assert line_of(stream)["data"] == {
        "api_key": "[REDACTED]",
        "key_id": "0123456789ABCDEF",
    }


def test_facts_may_have_any_name(stream: io.StringIO) -> None:
    """Not even the names of ``logging``'s own attributes are in the way."""
    log_security_event("login", outcome="success", name="x", args="y", message="z")

    assert line_of(stream)["data"] == {"name": "x", "args": "y", "message": "z"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True))
def test_a_service_s_own_event(name: str) -> None:
    """Any snake_case name is an event; it is the message too."""
    stream = io.StringIO()
    configure_logging("accounts", stream=stream)
    log_security_event(name, outcome="denied")

    line = line_of(stream)
    assert (line["message"], line["event"]) == (name, name)


@pytest.mark.parametrize("name", ["", "Login", "log in", "1st", "a%s", "x" * 65, "a\n"])
def test_an_event_that_no_query_finds(name: str) -> None:
    """A name is one word in snake_case."""
    with pytest.raises(
        ValueError,
        match=rf"^A security event must be snake_case \(got {re.escape(repr(name))}\)",
    ):
        log_security_event(name, outcome="denied")


def test_an_outcome_that_is_none() -> None:
    """There are three, or alerts would miss some."""
    with pytest.raises(
        ValueError,
        match=r"outcome must be one of success, failure, denied \(got 'ok'\)",
    ):
        log_security_event("login", outcome="ok")  # type: ignore[arg-type]


def test_the_kernel_s_events_are_snake_case() -> None:
    """Their values are the contract that alerts are written against."""
    assert {event.name: event.value for event in SecurityEvent} == {
        "LOG_IN": "login",
        "TOKEN_REFUSED": "token_refused",
        "ROLE_MISSING": "role_missing",
        "SCOPE_MISSING": "scope_missing",
        "KEY_CREATED": "key_created",
        "KEY_ROTATED": "key_rotated",
        "KEY_REVOKED": "key_revoked",
        "KEY_REFUSED": "key_refused",
        "SECRET_CHANGED": "secret_changed",
        "RATE_LIMITED": "rate_limited",
    }
