"""Writes what one service declares, in a process of its own.

    service examples.accounts.contract --target //examples/accounts:contract --out FILE

The module has a function ``service() -> Service``, which builds the service without
reading settings, the environment or any server, and ``PUBLISHES``, a tuple of the
classes of the events that it publishes. Where schemas of the service's own name
functions in ``x-validated-by``, it has ``UNSAID``: by the function's name what
`tools.contracts.differences.Unsaid.read` takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from starlette.requests import Request

from shared.app import Service
from shared.app.messaging import event_buses
from shared.dtos.base import BaseDTO
from shared.errors import BaseAPIException
from shared.events import PLATFORM_EVENTS, BaseEvent, EventRegistry
from shared.messaging import Subscription
from shared.messaging.topology import dead_queue, retry_queue, topology_of
from tools.contracts.bundle import to_text
from tools.contracts.declared import (
    FORMAT,
    Consumer,
    ContractError,
    Declared,
    EventKey,
    Own,
    written,
)
from tools.contracts.differences import UNSAID, Unsaid
from tools.contracts.errors import (
    BLANK,
    KERNEL,
    codes_of,
    kernel_errors,
    own_errors,
)
from tools.contracts.inventory import inventory
from tools.contracts.models import UnsayableError, reachable
from tools.contracts.openapi import openapi_of
from tools.contracts.vectors import VectorsError
from tools.contracts.verified import with_vectors

# Whoever is built needs none of these (https://docs.python.org/3/library/audit_events.html).
_IO: Final = frozenset(
    ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen")
)


def declared_by(module: ModuleType, *, target: str) -> Declared:
    """What the service of a contract module declares.

    Raises:
        ContractError: The module is no contract, or the service would mislead others.
    """
    service = _service_of(module)
    publishes = _published_by(module)
    errors = own_errors(type_base=type_base_of(service))
    codes = frozenset(codes_of([*kernel_errors(), *errors]))
    subscriptions = [each for bus in event_buses(service) for each in bus.subscriptions]
    events = [*publishes, *(cls for each in subscriptions for cls in each.event_types)]
    unsaid = _unsaid_by(module)
    return {
        "format": FORMAT,
        "name": service.name,
        "title": service.app.title,
        "target": target,
        "openapi": openapi_of(service.app, codes),
        "errors": errors,
        "publishes": sorted(map(_key, publishes), key=_place),
        "consumes": [consumer_of(each) for each in subscriptions],
        "topology": written(topology_of(subscriptions)),
        "own": own_of(events, unsaid),
    }


def consumer_of(subscription: Subscription) -> Consumer:
    """One subscription, with the queues behind it."""
    queue, policy = subscription.consumer, subscription.policy
    made = [each.name for each in topology_of([subscription]).queues]
    retries = dict.fromkeys(retry_queue(queue, delay) for delay in policy.delays)
    return {
        "queue": queue,
        "events": sorted(map(_key, subscription.event_types), key=_place),
        "routing_keys": sorted(subscription.routing_keys),
        "ordered": subscription.ordered,
        "concurrency": subscription.concurrency,
        "policy": {
            "immediate_retries": policy.immediate_retries,
            "delays": list(policy.delays),
            "timeout": policy.timeout,
            "never_retry": sorted(map(_path, policy.never_retry)),
        },
        "dead_letters": dead_queue(queue),
        # An ordered handler has none.
        "retries": [name for name in retries if name in made],
    }


def own_of(events: Sequence[type[BaseEvent[Any]]], unsaid: Mapping[str, Unsaid]) -> Own:
    """The DTOs of this process, and the *events*, that are not the kernel's."""
    platform = set(PLATFORM_EVENTS)
    own = EventRegistry(dict.fromkeys(each for each in events if each not in platform))
    # A base without a field is nothing that anybody sends.
    mine = [cls for cls in _below(BaseDTO) if cls.model_fields and not _is_kernel(cls)]
    # With what they are made of: a reference to an enumeration leads to its file.
    dtos = {
        name: cls
        for name, cls in sorted(reachable(mine).items())
        if not _is_kernel(cls) and issubclass(cls, BaseDTO | Enum)
    }
    entries, schemas = inventory(dtos, own)
    documents = with_vectors(schemas, dtos, own, unsaid)
    files = [
        *entries["dtos"].values(),
        *(
            each
            for event in entries["events"].values()
            for each in event["versions"].values()
        ),
    ]
    wanted = {path for each in files for path in (each["schema"], each["vectors"])}
    return {
        "dtos": entries["dtos"],
        "events": entries["events"],
        "validated_by": [
            each for each in entries["validated_by"] if each["schema"] in wanted
        ],
        "documents": {path: documents[path] for path in sorted(wanted)},
    }


def type_base_of(service: Service) -> str:
    """What the service puts before the code in a problem's ``type``; "" for nothing."""
    handler: Any = service.app.exception_handlers[BaseAPIException]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    answer = asyncio.run(handler(Request(scope), BaseAPIException()))
    problem = json.loads(answer.body)
    if problem["type"] == BLANK:
        return ""
    return str(problem["type"]).removesuffix(problem["code"])


def _service_of(module: ModuleType) -> Service:
    build = getattr(module, "service", None)
    service = build() if callable(build) else None
    if not isinstance(service, Service):
        raise ContractError(
            f"{module.__name__} must have a function service() -> Service."
        )
    return service


def _published_by(module: ModuleType) -> tuple[type[BaseEvent[Any]], ...]:
    classes = getattr(module, "PUBLISHES", None)
    if not isinstance(classes, tuple) or not all(map(_is_event, classes)):
        raise ContractError(
            f"{module.__name__}.PUBLISHES must be a tuple of classes of events."
        )
    return classes


def _unsaid_by(module: ModuleType) -> dict[str, Unsaid]:
    """The kernel's functions that check what no schema says, and the module's."""
    told = getattr(module, "UNSAID", {})
    if taken := UNSAID.keys() & told:
        raise ContractError(
            f"{module.__name__}.UNSAID has {min(taken)}, which is the kernel's."
        )
    try:
        return {**UNSAID, **{name: Unsaid.read(each) for name, each in told.items()}}
    except ValueError as error:
        raise ContractError(f"{module.__name__}.UNSAID: {error}.") from None


def _is_event(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, BaseEvent)


def _key(event: type[BaseEvent[Any]]) -> EventKey:
    fields = event.model_fields
    return {
        "type": fields["event_type"].default,
        "version": fields["schema_version"].default,
    }


def _place(key: EventKey) -> tuple[str, int]:
    return key["type"], key["version"]


def _below(cls: type[BaseDTO]) -> Iterator[type[BaseDTO]]:
    for child in cls.__subclasses__():
        # Page[X] is made of two classes; a private one crosses no border of ours.
        if "[" not in child.__name__ and not child.__name__.startswith("_"):
            yield child
        yield from _below(child)


def _is_kernel(cls: type) -> bool:
    return cls.__module__.startswith(f"{KERNEL}.")


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _refuse_io(event: str, _: tuple[Any, ...]) -> None:
    if event in _IO:
        raise ContractError(
            f"service() must build the service and open nothing (it calls {event})."
        )


def main(arguments: Sequence[str]) -> int:
    """Write the file; 1 and a line for what can't be declared."""
    parser = argparse.ArgumentParser(prog="service", description=__doc__)
    parser.add_argument("module", help="examples.accounts.contract")
    parser.add_argument("--target", required=True, help="//examples/accounts:contract")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    # What is declared is the same on every machine.
    os.environ.clear()
    sys.addaudithook(_refuse_io)
    logging.disable(logging.CRITICAL)
    try:
        declared = declared_by(import_module(options.module), target=options.target)
    except (ContractError, UnsayableError, VectorsError) as error:
        print(f"{options.target}: {error}", file=sys.stderr)
        return 1
    options.out.write_text(to_text(declared), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
