"""Events as schema documents: one file a type and version, and one of the envelope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel

from shared.events import BaseEvent, UnknownEvent
from tools.contracts.bundle import BASE, ENVELOPE
from tools.contracts.models import DIALECT, export

Event = type[BaseEvent[Any]]
Document = dict[str, Any]

# What a reader must find in an event; the rest has a meaning when it is absent.
_REQUIRED: Final = ("event_id", "event_type", "correlation_id", "timestamp", "payload")


def path_of(event_type: str, version: int) -> str:
    """Where the schema of a version of an event is in a bundle."""
    return f"events/{event_type}.v{version}.schema.json"


def key_of(event: Event) -> tuple[str, int]:
    """The type and the version of a class of events."""
    fields = event.model_fields
    return fields["event_type"].default, fields["schema_version"].default


def payload_of(event: Event) -> type[BaseModel]:
    """The class of an event's payload."""
    payload = event.model_fields["payload"].annotation
    assert isinstance(payload, type) and issubclass(payload, BaseModel)  # noqa: S101, PT018
    return payload


def event_documents(
    events: Iterable[Event],
) -> tuple[dict[str, Document], dict[tuple[str, str], tuple[str, ...]]]:
    """The documents by their path, and what they leave to code; see `Export`.

    Raises:
        UnsayableError: A payload has a part without a JSON Schema.
    """
    documents: dict[str, Document] = {ENVELOPE: envelope()}
    unsaid: dict[tuple[str, str], tuple[str, ...]] = {}
    for event in events:
        event_type, version = key_of(event)
        path = path_of(event_type, version)
        payload = payload_of(event)
        made = export([payload], ref_template="#/$defs/{model}")
        documents[path] = _document(event, made.definitions)
        for (name, pointer), functions in made.validated_by.items():
            unsaid[path, f"/$defs/{name}{pointer}"] = functions
    return documents, unsaid


def envelope() -> Document:
    """The members that all events share, with any payload."""
    made = export([UnknownEvent], ref_template="#/$defs/{model}")
    members = made.definitions[UnknownEvent.__name__]["properties"]
    members["payload"] = {}  # of any form; each event's own document says which
    document = _object("event", "What every event has, whatever its type.", members)
    document["$id"] = BASE + ENVELOPE
    shared = {name: value for name, value in members.items() if name != "payload"}
    document["properties"] = {
        name: {"$ref": f"#/$defs/{name}"} if name in shared else value
        for name, value in members.items()
    }
    return {**document, "$defs": shared}


def _document(event: Event, definitions: Any) -> Document:
    event_type, version = key_of(event)
    payload = payload_of(event)
    own: Document = {
        "event_type": {"type": "string", "const": event_type},
        "payload": {"$ref": f"#/$defs/{payload.__name__}"},
        "schema_version": {"type": "integer", "const": version},
    }
    ordered = {
        name: own.get(name, {"$ref": f"envelope.schema.json#/$defs/{name}"})
        for name in event.model_fields
    }
    document = _object(event_type, _first_paragraph(event), ordered)
    document["$id"] = BASE + path_of(event_type, version)
    if version > 1:  # an event that says no version is of the first
        document["required"].append("schema_version")
    key = getattr(payload, "aggregate_key", None)
    if key is not None:
        document["x-aggregate-key"] = key
    return {**document, "$defs": dict(definitions)}


def _object(title: str, description: str, members: Document) -> Document:
    return {
        "$schema": DIALECT,
        "$id": "",
        "title": title,
        "description": description,
        "type": "object",
        "properties": members,
        "required": list(_REQUIRED),
        "x-written": list(members),
    }


def _first_paragraph(cls: type) -> str:
    return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
