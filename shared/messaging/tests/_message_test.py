from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import (
    PLATFORM_EVENTS,
    BaseEvent,
    EventFormatError,
    UnknownEvent,
    UserDeletedEvent,
    UserDeletedPayload,
)
from shared.logging import parse_traceparent, trace_context_var
from shared.messaging import Delivery, EventTooLargeError, MessageWriter, Wire
from shared.messaging._delivery import delivery_var
from shared.messaging._message import IncomingMessage, OutgoingMessage, read_event

USER = UUID("7ad29fee-3ed3-4ee2-8d5c-6c4fe6d4e6a5")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = UserDeletedEvent(
    payload=UserDeletedPayload(user_id=USER, requested_by="user"),
    correlation_id="request-1",
)

values = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
tables = st.recursive(
    values | st.binary() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
names = st.text() | st.sampled_from(
    [
        *("cloudEvents_specversion", "cloudEvents:specversion", "ce-specversion"),
        *("cloudEvents_id", "cloudEvents_type", "cloudEvents_time", "CE-ID", "ce"),
        *("content-type", "Content-Type", "traceparent"),
    ]
)


def _incoming(message: OutgoingMessage) -> IncomingMessage:
    return IncomingMessage(
        body=message.body, content_type=message.content_type, headers=message.headers
    )


@pytest.mark.parametrize("wire", Wire)
def test_what_is_written_is_read(wire: Wire) -> None:
    """In every mode; what is known without reading it is the same."""
    message = MessageWriter(wire=wire, source="/accounts").write(EVENT)

    assert read_event(_incoming(message), PLATFORM_EVENTS) == EVENT
    assert message.event_id == EVENT.event_id
    assert message.event_type == "user.deleted"
    assert message.timestamp == EVENT.timestamp
    assert message.aggregate_id == str(USER)
    assert message.headers["correlation_id"] == "request-1"
    assert message.headers["schema_version"] == "1"


@pytest.mark.parametrize(
    ("wire", "content_type"),
    [
        (Wire.ENVELOPE, "application/json"),
        (Wire.CLOUDEVENTS_STRUCTURED, "application/cloudevents+json"),
        (Wire.CLOUDEVENTS_BINARY, "application/json"),
    ],
)
def test_the_mode_is_in_the_content_type(wire: Wire, content_type: str) -> None:
    """A property of its own, which no header repeats."""
    message = MessageWriter(wire=wire, source="/accounts").write(EVENT)

    assert message.content_type == content_type
    assert "content-type" not in message.headers


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "", "x"])
def test_an_envelope_is_read_whatever_it_calls_itself(content_type: str) -> None:
    """Others' libraries write others' content types."""
    message = IncomingMessage(body=EVENT.encode(), content_type=content_type)

    assert read_event(message, PLATFORM_EVENTS) == EVENT


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=st.binary() | st.just(EVENT.encode()) | st.just(b"{}"),
    content_type=st.text() | st.just("application/cloudevents+json"),
    headers=st.dictionaries(names, tables, max_size=6),
)
def test_a_message_is_an_event_or_none(
    body: bytes, content_type: str, headers: dict[str, Any]
) -> None:
    """Whatever others put into it, there is no other error."""
    message = IncomingMessage(body=body, content_type=content_type, headers=headers)
    try:
        event = read_event(message, PLATFORM_EVENTS)
    except EventFormatError:
        return

    assert isinstance(event, BaseEvent)


def test_the_trace_goes_along() -> None:
    """As the standard header."""
    token = trace_context_var.set(parse_traceparent(TRACEPARENT))
    message = MessageWriter().write(EVENT)
    trace_context_var.reset(token)

    assert message.headers["traceparent"] == TRACEPARENT
    assert "traceparent" not in MessageWriter().write(EVENT).headers


def test_an_event_of_a_handler_has_a_cause() -> None:
    """The event that is handled, unless it says another, or is that event."""
    cause = UserDeletedEvent(payload=EVENT.payload)
    other = EVENT.model_copy(update={"causation_id": USER})
    unknown = UnknownEvent(event_type="a.b", payload={"x": 1})
    token = delivery_var.set(Delivery(cause, "a.b", 1, False, {}))
    written = [
        MessageWriter().write(event).headers.get("causation_id")
        for event in (EVENT, other, cause, unknown)
    ]
    delivery_var.reset(token)

    assert written == [str(cause.event_id), str(USER), None, None]


@pytest.mark.parametrize("wire", Wire)
def test_what_is_too_large_is_refused(wire: Wire) -> None:
    """By the size of its body; the limit is what readers read."""
    size = len(MessageWriter(wire=wire, source="/").write(EVENT).body)
    message = MessageWriter(wire=wire, source="/", max_bytes=size).write(EVENT)
    with pytest.raises(EventTooLargeError, match=f"{size} bytes; .* have {size - 1}"):
        MessageWriter(wire=wire, source="/", max_bytes=size - 1).write(EVENT)

    assert read_event(_incoming(message), PLATFORM_EVENTS, max_bytes=size) == EVENT
    with pytest.raises(EventFormatError, match="too_large"):
        read_event(_incoming(message), PLATFORM_EVENTS, max_bytes=size - 1)


@pytest.mark.parametrize("wrong", [None, "user.deleted", {}, UserDeletedEvent])
def test_only_events_are_written(wrong: Any) -> None:
    """Anything else is a mistake of the caller."""
    with pytest.raises(TypeError, match="An event must be a BaseEvent"):
        MessageWriter().write(wrong)


def test_options_that_can_not_be_are_refused() -> None:
    """CloudEvents name their source."""
    wrong: Any = "soap"
    with pytest.raises(ValueError, match="source must be given for cloudevents-binary"):
        MessageWriter(wire=Wire.CLOUDEVENTS_BINARY)
    with pytest.raises(ValueError, match="source must be"):
        MessageWriter(wire=Wire.CLOUDEVENTS_STRUCTURED, source="no reference")
    with pytest.raises(ValueError, match="'soap' is not a valid Wire"):
        MessageWriter(wire=wrong)
    with pytest.raises(ValueError, match=r"max_bytes must be positive \(got 0\)"):
        MessageWriter(max_bytes=0)


def test_a_message_has_a_time_unless_told() -> None:
    """Now, in UTC."""
    message = OutgoingMessage(event_id=USER, event_type="a.b", body=b"")

    assert message.timestamp.tzinfo is UTC
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert replace(message, timestamp=moment).timestamp == moment
