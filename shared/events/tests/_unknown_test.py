"""Events without a class: whole, and out of reach."""

import copy
import json
import pickle

import pytest

from shared.events._registry import EventRegistry
from shared.events._unknown import UnknownEvent

RAW = b"""{ "payload": {"price": 1.10, "big": 1e400, "token": "hunter2"},
  "event_type": "com.example.Something",
  "event_id": "5F0C6A5E-6D0B-4C55-9D0E-0F6F3F1F7C11", "traceparent": "00-x",
  "correlation_id": "abc-123", "timestamp": "2026-01-31T12:00:00.123456789+01:00" }"""


@pytest.fixture
def event() -> UnknownEvent:
    found = EventRegistry().parse(RAW)
    assert isinstance(found, UnknownEvent)
    return found


def test_the_envelope_can_be_read(event: UnknownEvent) -> None:
    """Enough to log it, to route it, and to tell it from others."""
    assert event.event_type == "com.example.Something"
    assert str(event.event_id) == "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
    assert (event.correlation_id, event.schema_version) == ("abc-123", 1)
    assert event.payload["price"] == 1.1
    assert event.aggregate_id is None


def test_it_is_written_as_it_came(event: UnknownEvent) -> None:
    """With the digits, the spaces and the members that Python has no place for."""
    assert event.encode() == RAW
    assert event.encode_payload() == (
        b'{"price": 1.10, "big": 1e400, "token": "hunter2"}'
    )


def test_its_payload_does_not_show(event: UnknownEvent) -> None:
    """Nobody here knows which of its members are secret."""
    assert "hunter2" not in f"{event} {event!r}"


def test_it_can_not_be_changed(event: UnknownEvent) -> None:
    """What it was read from would still say something else."""
    cause = EventRegistry().parse(RAW.replace(b"5F0C", b"0000"))
    with pytest.raises(TypeError, match="kept as it came"):
        event.caused_by(cause)
    with pytest.raises(TypeError, match="can't be changed"):
        event.payload["price"] = 2


def test_it_can_be_a_cause(event: UnknownEvent) -> None:
    """A service may react to what it does not understand."""
    other = UnknownEvent(event_type="x.y", payload=None)
    with pytest.raises(TypeError, match="kept as it came"):
        other.caused_by(event)


def test_copies_are_whole(event: UnknownEvent) -> None:
    """The text goes with the event through queues and process pools."""
    for twin in (
        pickle.loads(pickle.dumps(event)),
        copy.copy(event),
        copy.deepcopy(event),
        event.model_copy(),
        event.model_copy(deep=True),
    ):
        assert twin == event
        assert twin.encode() == RAW


def test_one_that_was_made_here_is_written_from_its_fields() -> None:
    """Test doubles make events that no program knows."""
    event = UnknownEvent(event_type="x.y", payload={"a": [1]}, correlation_id="abc")
    members = json.loads(event.encode())

    assert (members["event_type"], members["payload"]) == ("x.y", {"a": [1]})
    assert event.encode_payload() == b'{"a":[1]}'
