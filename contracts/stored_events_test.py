"""Events that were valid under some release are read today: they may be stored.

In a queue, in an outbox, in a dead letter, in an archive. Each bundle brings valid
documents of every version of every event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from shared.events import (
    PLATFORM_EVENTS,
    BaseEvent,
    EventFormatError,
    EventPayload,
    EventRegistry,
    upcaster,
)
from tools.contracts.bundle import Bundle

CONTRACTS = Path("contracts")

# Those of services are read where their classes are, in the tests of each service.
KERNEL = "//shared/"
REGISTRY = EventRegistry(PLATFORM_EVENTS)


def _folders() -> list[Path]:
    released = (CONTRACTS / "released").glob("*/manifest.json")
    return [CONTRACTS / "current", *sorted(path.parent for path in released)]


def _versions() -> Iterator[tuple[Path, str, int, str]]:
    for folder in _folders():
        manifest = Bundle.load(folder, folder.name).manifest
        events = manifest["events"].items()
        kernels = [each for each in events if each[1]["target"].startswith(KERNEL)]
        for event_type, event in kernels:
            for number, version in event["versions"].items():
                yield folder, event_type, int(number), version["vectors"]


def _valid(folder: Path, vectors: str) -> list[dict[str, Any]]:
    found = json.loads((folder / vectors).read_text("utf-8"))
    return [each["document"] for each in found["valid"]]


@pytest.mark.parametrize(("folder", "event_type", "number", "vectors"), [*_versions()])
def test_what_was_valid_is_read(
    folder: Path, event_type: str, number: int, vectors: str
) -> None:
    """As the newest class where upcasters lead there, else as that of its version."""
    lifted = number in REGISTRY.lifted_from(event_type)
    expected = REGISTRY.find(event_type, None if lifted else number)
    documents = _valid(folder, vectors)
    events = [REGISTRY.parse(json.dumps(each)) for each in documents]

    assert len(documents) >= 3
    assert {type(event) for event in events} == {expected}
    assert [str(event.event_id) for event in events] == [
        each["event_id"].lower() for each in documents
    ]


def test_every_version_is_read() -> None:
    """Each chain of upcasters is complete, from version 1 to the newest class."""
    REGISTRY.check_upcasters()


# -- the next version of an event, against the vectors of this one --------------------


class _Registered2(EventPayload):
    address: str
    names: tuple[str, ...]


class _UserRegistered2(BaseEvent[_Registered2]):
    event_type: Literal["user.registered"] = "user.registered"
    schema_version: Literal[2] = 2


@upcaster("user.registered", from_version=1)
def _name_them(payload: dict[str, Any]) -> dict[str, Any]:
    name = payload.get("full_name")
    return {"address": payload["email"], "names": name.split() if name else []}


@upcaster("user.registered", from_version=1)
def _forget_that_it_is_optional(payload: dict[str, Any]) -> dict[str, Any]:
    return {"address": payload["email"], "names": payload["full_name"].split()}


def _released() -> list[dict[str, Any]]:
    return _valid(CONTRACTS / "current", "vectors/events/user.registered.v1.json")


def test_an_upcaster_lifts_the_vectors_of_the_version_before() -> None:
    """This is how one is tested: with what its version was released with."""
    registry = EventRegistry([_UserRegistered2], upcasters=[_name_them])
    events = [registry.parse(json.dumps(each)) for each in _released()]

    assert {type(event) for event in events} == {_UserRegistered2}
    assert [event.payload.address for event in events] == [
        each["payload"]["email"] for each in _released()
    ]


def test_the_vectors_find_what_an_upcaster_forgot() -> None:
    """They have every member at its least, and every optional one left out."""
    registry = EventRegistry(
        [_UserRegistered2], upcasters=[_forget_that_it_is_optional]
    )
    codes = [_code(registry, each) for each in _released()]

    assert set(codes) == {"", "upcast_failed"}


def _code(registry: EventRegistry, document: dict[str, Any]) -> str:
    """What is wrong with a document; nothing if it is read."""
    try:
        registry.parse(json.dumps(document))
    except EventFormatError as error:
        return error.issues[0].code
    return ""
