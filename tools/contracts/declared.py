"""What one service declares, as the file that `tools.contracts.service` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypedDict, cast

from shared.messaging.topology import Topology
from tools.contracts.bundle import DtoEntry, EventEntry, ValidatedBy
from tools.contracts.errors import ErrorEntry

FORMAT: Final = 1


class ContractError(ValueError):
    """A service declares what can't be, or what it does not do. One line."""


class EventKey(TypedDict):
    """One version of a type of event."""

    type: str
    version: int


class Policy(TypedDict):
    """What becomes of an event whose handler fails; see `FailurePolicy`."""

    immediate_retries: int
    delays: list[float]
    """Seconds."""
    timeout: float
    never_retry: list[str]
    """Classes of exceptions, with their modules."""


class Consumer(TypedDict):
    """A subscription."""

    queue: str
    events: list[EventKey]
    """That the handler was written for."""
    routing_keys: list[str]
    ordered: bool
    concurrency: int
    policy: Policy
    dead_letters: str
    """A queue."""
    retries: list[str]
    """Queues, in the order of their delays."""


class DeclaredExchange(TypedDict):
    """A durable exchange."""

    name: str
    kind: str
    arguments: dict[str, Any]


class DeclaredQueue(TypedDict):
    """A durable queue."""

    name: str
    arguments: dict[str, Any]


class DeclaredBinding(TypedDict):
    """Which messages of an exchange go to a queue."""

    exchange: str
    queue: str
    routing_key: str


class DeclaredTopology(TypedDict):
    """Everything that is declared on the broker when the service starts."""

    exchanges: list[DeclaredExchange]
    queues: list[DeclaredQueue]
    bindings: list[DeclaredBinding]


class Own(TypedDict):
    """DTOs and events that are the service's and not the kernel's."""

    dtos: dict[str, DtoEntry]
    events: dict[str, EventEntry]
    validated_by: list[ValidatedBy]
    documents: dict[str, dict[str, Any]]
    """Their schemas, by path in the bundle."""


class Declared(TypedDict):
    """One service."""

    format: int
    name: str
    title: str
    target: str
    """The Bazel target of its contract."""
    openapi: dict[str, Any]
    errors: list[ErrorEntry]
    """Beyond the kernel's."""
    publishes: list[EventKey]
    consumes: list[Consumer]
    topology: DeclaredTopology
    own: Own


def read(path: Path) -> Declared:
    """The file at *path*.

    Raises:
        ContractError: It is none, or of another format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path} can't be read: {error}.") from None
    found = document.get("format") if isinstance(document, Mapping) else None
    if found != FORMAT:
        raise ContractError(f"{path}: format must be {FORMAT} (got {found!r}).")
    return cast("Declared", document)


def written(topology: Topology) -> DeclaredTopology:
    """A topology as it stands in the file."""
    return {
        "exchanges": [
            {"name": each.name, "kind": each.kind, "arguments": dict(each.arguments)}
            for each in topology.exchanges
        ],
        "queues": [
            {"name": each.name, "arguments": dict(each.arguments)}
            for each in topology.queues
        ],
        "bindings": [
            {
                "exchange": each.exchange,
                "queue": each.queue,
                "routing_key": each.routing_key,
            }
            for each in topology.bindings
        ],
    }
