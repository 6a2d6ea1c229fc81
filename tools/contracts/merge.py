"""The files of single services as the documents of a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.messaging.topology import topology_of
from tools.contracts.asyncapi import asyncapi_document
from tools.contracts.bundle import ASYNCAPI, ERRORS, Manifest
from tools.contracts.declared import ContractError, Declared, written
from tools.contracts.errors import error_document


@dataclass(frozen=True)
class Merged:
    """What services add to a bundle of the kernel."""

    manifest: Manifest
    """The kernel's, with services, producers, consumers, and what is theirs."""
    documents: Mapping[str, Any]
    """By path: OpenAPI, AsyncAPI, errors, and the schemas that are services' own."""


def openapi_path(service: str) -> str:
    """Where the OpenAPI document of a service is in a bundle."""
    return f"openapi/{service}.json"


def merge_services(
    declared: Iterable[Declared], manifest: Manifest, documents: Mapping[str, Any]
) -> Merged:
    """Put services and the kernel together; nothing given is changed.

    Args:
        declared: What the services declare; see `tools.contracts.declared.read`.
        manifest: The kernel's, without services.
        documents: Its documents.

    Raises:
        ContractError: Services contradict each other or the kernel.
    """
    services = sorted(declared, key=lambda each: each["name"])
    names = [service["name"] for service in services]
    for name in names:
        if names.count(name) > 1:
            raise ContractError(f"Two services are called {name}.")
    merged = _with_own(manifest, services)
    added: dict[str, Any] = {
        path: document
        for service in services
        for path, document in service["own"]["documents"].items()
    }
    for service in services:
        added[openapi_path(service["name"])] = service["openapi"]
        _enter(service, merged)
    base = written(topology_of([]))
    added[ASYNCAPI] = asyncapi_document(services, merged, {**documents, **added}, base)
    try:
        added[ERRORS] = error_document(
            {each["name"]: each["errors"] for each in services}
        )
    except ValueError as error:
        raise ContractError(str(error)) from error
    return Merged(merged, added)


def _with_own(manifest: Manifest, services: Iterable[Declared]) -> Manifest:
    """The manifest with the DTOs and events of services, and room for who uses them."""
    dtos, events = dict(manifest["dtos"]), dict(manifest["events"])
    unsaid = list(manifest["validated_by"])
    for service in services:
        own = service["own"]
        taken = [*(dtos.keys() & own["dtos"]), *(events.keys() & own["events"])]
        if taken:
            raise ContractError(
                f"{service['name']} defines {min(taken)}, and somebody else does too: "
                "what several services use belongs to shared/."
            )
        dtos |= own["dtos"]
        events |= own["events"]
        unsaid += own["validated_by"]
    return {
        **manifest,
        "dtos": dict(sorted(dtos.items())),
        "events": {
            name: {**entry, "producers": [], "consumers": []}
            for name, entry in sorted(events.items())
        },
        "services": {},
        "validated_by": sorted(
            unsaid, key=lambda each: (each["schema"], each["pointer"])
        ),
    }


def _enter(service: Declared, manifest: Manifest) -> None:
    name = service["name"]
    publishes = sorted({key["type"] for key in service["publishes"]})
    manifest["services"][name] = {
        "openapi": openapi_path(name),
        "target": service["target"],
        "publishes": publishes,
        "consumes": {
            consumer["queue"]: consumer["routing_keys"]
            for consumer in service["consumes"]
        },
    }
    for event_type in publishes:
        if event_type in manifest["events"]:
            manifest["events"][event_type]["producers"].append(name)
    for consumer in service["consumes"]:
        for key in consumer["routing_keys"]:
            if key in manifest["events"]:
                manifest["events"][key]["consumers"].append(consumer["queue"])
