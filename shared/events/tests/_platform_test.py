"""The platform's events: listed once, readable by all, and the specifications'."""

import json
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._platform import PLATFORM_EVENTS, parse_event
from shared.events._types import EventType
from shared.events._unknown import UnknownEvent
from shared.events.tests.strategies import events_of

DOMAINS = (
    "api_key",
    "generation",
    "project",
    "quota",
    "social",
    "subject",
    "team",
    "user",
    "webhook",
)
CLASSES = list(PLATFORM_EVENTS)
MODULES = [import_module(f"shared.events.{domain}") for domain in DOMAINS]


def name_of(cls: type[BaseEvent[Any]]) -> str:
    name: str = cls.model_fields["event_type"].default
    return name


def test_each_type_has_one_class() -> None:
    """The list of names and the classes are the same."""
    assert sorted(EventType) == sorted(map(name_of, CLASSES))


@pytest.mark.parametrize("member", EventType)
def test_members_are_named_like_their_values(member: EventType) -> None:
    """Who knows the routing key knows the constant."""
    assert member.name == member.value.replace(".", "_").upper()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_module_lists_all_its_events(module: ModuleType) -> None:
    """A class that is not listed would never be picked."""
    defined = [
        cls
        for name, cls in vars(module).items()
        if name.endswith("Event") and name != "BaseEvent"
    ]

    assert list(module.EVENTS) == defined
    assert set(defined) <= set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=name_of)
def test_classes_are_named_like_their_types(cls: type[BaseEvent[Any]]) -> None:
    """UserRegisteredEvent is user.registered, and holds a UserRegisteredPayload."""
    stem = "".join(word.title() for word in name_of(cls).replace(".", "_").split("_"))
    payload = cls.model_fields["payload"].annotation

    assert cls.__name__ == f"{stem}Event"
    assert payload is not None
    assert payload.__name__ == f"{stem}Payload"


@pytest.mark.parametrize("cls", CLASSES, ids=name_of)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_event_survives_the_wire(
    cls: type[BaseEvent[Any]], data: st.DataObject
) -> None:
    """Written and read, an event is the same; so is its order's key."""
    event = data.draw(events_of(cls))
    found = parse_event(event.encode())

    assert (type(found), found) == (cls, event)
    assert found.aggregate_id == event.aggregate_id
    assert found.aggregate_id


@pytest.mark.parametrize("cls", CLASSES, ids=name_of)
def test_every_event_and_payload_says_what_it_means(cls: type[BaseEvent[Any]]) -> None:
    """The descriptions go into the exported schemas."""
    payload = cls.model_fields["payload"].annotation

    assert isinstance(payload, type)
    assert issubclass(payload, EventPayload)
    for model in (cls, payload):
        assert (model.__doc__ or "").endswith(".")


@pytest.mark.parametrize("cls", CLASSES, ids=name_of)
def test_every_event_has_a_schema(cls: type[BaseEvent[Any]]) -> None:
    """What is written has all members, of one type and version."""
    schema = cls.model_json_schema(mode="serialization")

    assert schema["properties"]["event_type"]["const"] == name_of(cls)
    assert schema["properties"]["schema_version"]["const"] == 1
    assert sorted(schema["required"]) == sorted(BaseEvent.model_fields)


def test_the_specified_events_are_read() -> None:
    """The two of the backend specification, with the members that it lists."""
    envelope = {
        "event_id": "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
        "correlation_id": "9a1c2b7d-58d4-4b3a-b9de-2c8f0c8d4e77",
        "timestamp": "2026-01-31T12:00:00Z",
    }
    user_id = "d2f9a0c4-94c1-4a46-8c6a-6d6c1f2b3e55"
    registered = parse_event(
        json.dumps(
            {
                **envelope,
                "event_type": "user.registered",
                "payload": {
                    "user_id": user_id,
                    "email": "ada@example.com",
                    "verification_token": "token",
                },
            }
        )
    )
    completed = parse_event(
        json.dumps(
            {
                **envelope,
                "event_type": "generation.completed",
                "payload": {
                    "generation_id": "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21",
                    "user_id": user_id,
                    "status": "Completed",
                    "final_asset_id": "c5b7c1d2-7f5a-4bb3-9a55-6f1c1b0e9d42",
                },
            }
        )
    )

    assert type(registered).__name__ == "UserRegisteredEvent"
    assert registered.payload.verification_token.get_secret_value() == "token"
    assert type(completed).__name__ == "GenerationCompletedEvent"
    assert completed.payload.status == "Completed"


def test_other_types_are_kept() -> None:
    """A service may be newer than this list."""
    data = parse_event(UnknownEvent(event_type="tea.brewed", payload=1).encode())

    assert type(data) is UnknownEvent


def test_size_is_bounded() -> None:
    """The bound of the registry can be set here, too."""
    with pytest.raises(ValueError, match="too_large"):
        parse_event(b"{}", max_bytes=1)
