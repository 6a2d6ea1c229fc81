"""What there is of DTOs and events: a manifest and the schemas that it lists."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from shared.dtos.base import BaseDTO
from shared.events import EventRegistry
from tools.contracts import dtos, events
from tools.contracts.bundle import FORMAT, Manifest, vectors_of

Documents = dict[str, Any]


def inventory(
    classes: Mapping[str, type[BaseDTO | Enum]],
    registry: EventRegistry,
) -> tuple[Manifest, Documents]:
    """The manifest and the schemas of DTOs and events, without any service.

    Raises:
        UnsayableError: A class has a part without a JSON Schema.
    """
    dto_documents, dto_unsaid = dtos.dto_documents(classes)
    event_documents, event_unsaid = events.event_documents(registry)
    manifest: Manifest = {
        "format": FORMAT,
        "dtos": {
            name: {
                "schema": dtos.path_of(name),
                "vectors": vectors_of(dtos.path_of(name)),
                "direction": dto_documents[dtos.path_of(name)]["x-direction"],
                "target": target_of(cls),
            }
            for name, cls in classes.items()
        },
        "events": {},
        "services": {},
        "validated_by": [
            {"schema": path, "pointer": pointer, "by": list(functions)}
            for (path, pointer), functions in sorted(
                (dto_unsaid | event_unsaid).items()
            )
        ],
    }
    for event in registry:
        _enter(event, manifest)
    for name, entry in manifest["events"].items():
        entry["lifted_from"] = list(registry.lifted_from(name))
    return manifest, {**dto_documents, **event_documents}


def _enter(event: events.Event, manifest: Manifest) -> None:
    event_type, version = events.key_of(event)
    path = events.path_of(event_type, version)
    payload = events.payload_of(event)
    entry = manifest["events"].setdefault(
        event_type,
        {
            "versions": {},
            "lifted_from": [],
            "aggregate_key": None,
            "target": target_of(event),
            "producers": [],
            "consumers": [],
        },
    )
    entry["versions"][str(version)] = {
        "schema": path,
        "vectors": vectors_of(path),
        "payload": payload.__name__,
    }
    # The newest version is the last one: a registry yields them in order.
    entry["aggregate_key"] = getattr(payload, "aggregate_key", None)
    entry["target"] = target_of(event)


def target_of(cls: type) -> str:
    """The Bazel target that has a class: ``//shared/dtos:user``."""
    *package, module = cls.__module__.split(".")
    return f"//{'/'.join(package)}:{module}"
