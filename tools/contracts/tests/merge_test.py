"""Services and the kernel, put together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.events import EventRegistry, UserDeletedEvent, UserRegisteredEvent
from shared.messaging.topology import topology_of
from tools.contracts.bundle import Manifest
from tools.contracts.declared import ContractError, Declared, written
from tools.contracts.inventory import inventory
from tools.contracts.merge import merge_services

REGISTRY = EventRegistry([UserRegisteredEvent, UserDeletedEvent])
Kernel = tuple[Manifest, dict[str, Any]]


@pytest.fixture
def kernel() -> Kernel:
    """Two events."""
    return inventory({}, REGISTRY)


def consumer(queue: str, key: str) -> dict[str, Any]:
    """A subscription."""
    return {
        "queue": queue,
        "events": [{"type": key, "version": 1}],
        "routing_keys": [key],
        "ordered": True,
        "concurrency": 1,
        "policy": {},
        "dead_letters": f"{queue}.dead",
        "retries": [],
    }


def service(name: str, **changes: Any) -> Declared:
    """A service that declares little."""
    declared: dict[str, Any] = {
        "format": 1,
        "name": name,
        "title": name.title(),
        "target": f"//{name}:contract",
        "openapi": {"info": {"title": name}},
        "errors": [],
        "publishes": [],
        "consumes": [],
        "topology": written(topology_of([])),
        "own": {"dtos": {}, "events": {}, "validated_by": [], "documents": {}},
        **changes,
    }
    return declared  # type: ignore[return-value]


def own_event(path: str = "events/note.pinned.v1.schema.json") -> dict[str, Any]:
    """What a service brings that has an event of its own."""
    version = {"schema": path, "vectors": "vectors/x.json", "payload": "Pinned"}
    return {
        "dtos": {},
        "events": {
            "note.pinned": {
                "versions": {"1": version},
                "lifted_from": [],
                "aggregate_key": None,
                "target": "//notes:events",
                "producers": [],
                "consumers": [],
            }
        },
        "validated_by": [{"schema": path, "pointer": "/a", "by": ["f"]}],
        "documents": {path: {"description": "Somebody pinned a note."}},
    }


def test_events_know_who_sends_and_who_receives_them(kernel: Kernel) -> None:
    """By the names of services, and of queues."""
    key = "user.registered"
    sends = {"publishes": [{"type": key, "version": 1}]}
    merged = merge_services(
        [
            service("b", consumes=[consumer("b.greet", key)]),
            service("a", **sends, consumes=[consumer("a.greet", key)]),
        ],
        *kernel,
    )
    event = merged.manifest["events"][key]

    assert event["producers"] == ["a"]
    assert event["consumers"] == ["a.greet", "b.greet"]
    assert merged.manifest["events"]["user.deleted"]["producers"] == []


def test_services_are_in_the_manifest(kernel: Kernel) -> None:
    """Sorted, with what they use."""
    key = {"type": "user.deleted", "version": 1}
    merged = merge_services(
        [
            service("b", consumes=[consumer("b.forget", "user.deleted")]),
            service("a", publishes=[key]),
        ],
        *kernel,
    )

    assert list(merged.manifest["services"]) == ["a", "b"]
    assert merged.manifest["services"]["a"] == {
        "openapi": "openapi/a.json",
        "target": "//a:contract",
        "publishes": ["user.deleted"],
        "consumes": {},
    }
    assert merged.manifest["services"]["b"]["consumes"] == {
        "b.forget": ["user.deleted"]
    }


def test_documents_are_made_of_all_services(kernel: Kernel) -> None:
    """One of OpenAPI for each, and one of the rest for all."""
    merged = merge_services([service("b"), service("a")], *kernel)

    assert sorted(merged.documents) == [
        "asyncapi.json",
        "errors.json",
        "openapi/a.json",
        "openapi/b.json",
    ]
    assert merged.documents["openapi/b.json"] == {"info": {"title": "b"}}
    assert set(merged.documents["errors.json"]["services"]) == {"a", "b"}


def test_without_services_there_is_the_kernel(kernel: Kernel) -> None:
    """Its events have channels, and its errors are listed."""
    merged = merge_services([], *kernel)

    assert merged.manifest["services"] == {}
    assert {"user.deleted", "user.registered"} < set(
        merged.documents["asyncapi.json"]["channels"]
    )


def test_what_is_a_service_s_own_joins_the_kernel_s(kernel: Kernel) -> None:
    """Its event has a schema, a message, and whoever sends it."""
    sends = [{"type": "note.pinned", "version": 1}]
    merged = merge_services(
        [service("notes", own=own_event(), publishes=sends)], *kernel
    )

    assert list(merged.manifest["events"]) == [
        "note.pinned",
        "user.deleted",
        "user.registered",
    ]
    assert merged.manifest["events"]["note.pinned"]["producers"] == ["notes"]
    assert "events/note.pinned.v1.schema.json" in merged.documents
    assert (
        "note.pinned.v1" in merged.documents["asyncapi.json"]["components"]["messages"]
    )
    assert merged.manifest["validated_by"][0]["by"] == ["f"]


def test_nothing_given_is_changed(kernel: Kernel) -> None:
    """The same kernel may be merged twice."""
    before = json.dumps(kernel)
    merge_services([service("notes", own=own_event())], *kernel)

    assert json.dumps(kernel) == before


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ([service("a"), service("a")], "Two services are called a"),
        (
            [service("a", own=own_event()), service("b", own=own_event())],
            "b defines note.pinned, and somebody else does too: .* belongs to shared/",
        ),
        (
            [service("a", errors=[{"code": "conflict", "package": "a"}])],
            "a declares the code 'conflict', which is that of shared.errors",
        ),
    ],
)
def test_services_that_contradict_each_other_are_refused(
    kernel: Kernel, services: list[Declared], message: str
) -> None:
    """In one line."""
    with pytest.raises(ContractError, match=message):
        merge_services(services, *kernel)
