"""The events of the platform as AsyncAPI: what services declare, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from shared.events import PLATFORM_EVENTS, UserRegisteredEvent, UserRegisteredPayload
from shared.logging import parse_traceparent, trace_context_var
from shared.messaging import InMemoryBus, MessageWriter
from shared.messaging.topology import EVENTS, topology_of
from tools.contracts.asyncapi import (
    asyncapi_document,
    message_name,
    queue_channel,
)
from tools.contracts.bundle import Manifest
from tools.contracts.declared import Consumer, ContractError, Declared, written
from tools.contracts.inventory import inventory

USER = "user.registered"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def greet(event: UserRegisteredEvent) -> None:
    """A handler."""


def subscribed(service: str) -> InMemoryBus:
    """A bus with one handler."""
    bus = InMemoryBus(service)
    bus.subscribe(UserRegisteredEvent, greet)
    return bus


def consumer(service: str) -> Consumer:
    """That handler."""
    queue = f"{service}.greet"
    (subscription,) = subscribed(service).subscriptions
    queues = [each.name for each in topology_of([subscription]).queues]
    return {
        "queue": queue,
        "events": [{"type": USER, "version": 1}],
        "routing_keys": [USER],
        "ordered": False,
        "concurrency": 10,
        "policy": {
            "immediate_retries": 1,
            "delays": [],
            "timeout": 30.0,
            "never_retry": [],
        },
        "dead_letters": f"{queue}.dead",
        "retries": [name for name in queues if ".retry." in name],
    }


def service(name: str, **changes: Any) -> Declared:
    """A service that publishes and consumes one event."""
    declared: dict[str, Any] = {
        "format": 1,
        "name": name,
        "title": name.title(),
        "target": f"//{name}:contract",
        "openapi": {},
        "errors": [],
        "publishes": [{"type": USER, "version": 1}],
        "consumes": [consumer(name)],
        "topology": written(topology_of(subscribed(name).subscriptions)),
        "own": {"dtos": {}, "events": {}, "validated_by": [], "documents": {}},
        **changes,
    }
    return declared  # type: ignore[return-value]


@pytest.fixture(scope="module")
def kernel() -> tuple[Manifest, dict[str, Any]]:
    """All events of the platform."""
    return inventory({}, PLATFORM_EVENTS)


def document(kernel: tuple[Manifest, dict[str, Any]], *services: Declared) -> Any:
    """The document of *services*."""
    manifest, documents = kernel
    base = written(topology_of([]))
    return asyncapi_document(services, manifest, documents, base)


def references_in(node: object) -> Iterator[str]:
    """Every reference, wherever it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from references_in(value)


def test_every_event_has_a_channel(kernel: tuple[Manifest, dict[str, Any]]) -> None:
    """Whose address is the routing key on the exchange of events."""
    made = document(kernel)
    by_key = {
        channel["address"]
        for channel in made["channels"].values()
        if channel["bindings"]["amqp"]["is"] == "routingKey"
    }

    types = {cls.model_fields["event_type"].default for cls in PLATFORM_EVENTS}
    assert by_key == types
    assert made["channels"][USER]["bindings"]["amqp"]["exchange"] == {
        "name": EVENTS,
        "type": "topic",
        "durable": True,
        "autoDelete": False,
    }


def test_every_version_is_a_message(kernel: tuple[Manifest, dict[str, Any]]) -> None:
    """Its payload is the schema of the bundle."""
    made = document(kernel)["components"]["messages"]

    assert set(made) == {
        message_name(*(cls.model_fields[name].default for name in KEY))
        for cls in PLATFORM_EVENTS
    }
    assert made["user.registered.v1"]["payload"] == {
        "$ref": "events/user.registered.v1.schema.json"
    }
    assert made["user.registered.v1"]["bindings"]["amqp"]["messageType"] == USER


KEY = ("event_type", "schema_version")


def test_a_message_has_the_headers_that_are_written(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """All of them, and those that are always there are required."""
    schema = document(kernel)["components"]["schemas"]["headers"]
    payload = UserRegisteredPayload(
        user_id=uuid4(), email="a@example.com", verification_token="t"
    )
    plain = MessageWriter().write(UserRegisteredEvent(payload=payload))
    token = trace_context_var.set(parse_traceparent(TRACEPARENT))
    caused = UserRegisteredEvent(payload=payload, causation_id=uuid4())
    full = MessageWriter().write(caused)
    trace_context_var.reset(token)

    assert set(schema["required"]) == set(plain.headers)
    assert set(schema["properties"]) == set(full.headers)


def test_queues_have_the_arguments_that_are_declared(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """Those of every service, and those that are nobody's."""
    made = document(kernel, service("a"), service("b"))["channels"]
    declared = topology_of(
        [*subscribed("a").subscriptions, *subscribed("b").subscriptions]
    )

    assert {queue_channel(queue.name) for queue in declared.queues} == {
        name for name, channel in made.items() if "x-role" in channel
    }
    for queue in declared.queues:
        assert made[queue_channel(queue.name)]["x-arguments"] == queue.arguments


def test_queues_have_the_bindings_that_are_declared(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """Only those of subscriptions, and of the queue for nobody's events, have any."""
    made = document(kernel, service("a"))["channels"]
    bound = {
        channel["address"]: channel["x-bindings"]
        for channel in made.values()
        if channel.get("x-bindings")
    }

    assert bound == {
        "a.greet": [{"exchange": "creativeflow.events", "routingKey": USER}],
        "creativeflow.unrouted": [
            {"exchange": "creativeflow.unrouted", "routingKey": ""}
        ],
    }


def test_a_queue_says_what_it_is_for(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """And whose it is."""
    made = document(kernel, service("a"))["channels"]
    roles = {
        channel["address"]: (channel["x-role"], channel["x-consumer"])
        for channel in made.values()
        if "x-role" in channel
    }

    assert roles == {
        "a.greet": ("main", "a.greet"),
        "a.greet.dead": ("dead", "a.greet"),
        "a.greet.retry.1000ms": ("retry", "a.greet"),
        "a.greet.retry.10000ms": ("retry", "a.greet"),
        "a.greet.retry.60000ms": ("retry", "a.greet"),
        "a.greet.retry.300000ms": ("retry", "a.greet"),
        "a.greet.retry.1800000ms": ("retry", "a.greet"),
        "creativeflow.queues": ("catalogue", None),
        "creativeflow.unrouted": ("unrouted", None),
    }


def test_exchanges_have_the_arguments_that_are_declared(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """Also without any service."""
    assert document(kernel)["x-exchanges"] == {
        exchange.name: {
            "type": exchange.kind,
            "durable": True,
            "arguments": dict(exchange.arguments),
        }
        for exchange in topology_of([]).exchanges
    }


def test_services_send_and_receive(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """An operation for each type that is published, and for each subscription."""
    made = document(kernel, service("a"), service("b", publishes=[]))["operations"]
    found = {
        name: (operation["action"], operation["channel"]["$ref"])
        for name, operation in made.items()
    }

    assert found == {
        "a.sends.user.registered": ("send", "#/channels/user.registered"),
        "a.receives.greet": ("receive", "#/channels/queue.a.greet"),
        "b.receives.greet": ("receive", "#/channels/queue.b.greet"),
    }
    assert made["a.receives.greet"]["x-policy"]["timeout"] == 30.0


def test_a_queue_and_an_event_may_have_one_name(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """A service ``user`` with a handler ``registered``."""
    queue = {"name": USER, "arguments": {}}
    topology = {"exchanges": [], "queues": [queue], "bindings": []}
    own = {**consumer("user"), "queue": USER, "retries": []}
    made = document(kernel, service("user", topology=topology, consumes=[own]))

    assert made["channels"][USER]["bindings"]["amqp"]["is"] == "routingKey"
    assert made["channels"][f"queue.{USER}"]["bindings"]["amqp"]["is"] == "queue"


def test_every_reference_leads_somewhere(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """In the document, or to a schema of the bundle."""
    made = document(kernel, service("a"))
    found = set(references_in(made))

    assert len(found) > 100
    for reference in found:
        path, _, pointer = reference.partition("#")
        node = kernel[1][path] if path else made
        for token in pointer.split("/")[1:]:
            node = node[token]


def test_examples_are_those_of_the_schemas(
    kernel: tuple[Manifest, dict[str, Any]],
) -> None:
    """With the headers that go with them."""
    manifest, documents = kernel
    path = manifest["events"][USER]["versions"]["1"]["schema"]
    caused = {"correlation_id": "a", "causation_id": "b"}
    first = {"correlation_id": "c", "causation_id": None}

    def examples(*bodies: Any) -> Any:
        given = {**documents, path: {**documents[path], "examples": [*bodies]}}
        made = document((manifest, given))["components"]["messages"]
        return made["user.registered.v1"].get("examples")

    assert examples(caused, first) == [
        {
            "headers": {
                "correlation_id": "a",
                "schema_version": "1",
                "causation_id": "b",
            },
            "payload": caused,
        },
        {"headers": {"correlation_id": "c", "schema_version": "1"}, "payload": first},
    ]
    assert examples() is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"publishes": [{"type": "user.vanished", "version": 1}]},
            "a: there is no schema of user.vanished",
        ),
        (
            {"publishes": [{"type": USER, "version": 7}]},
            "a: there is no schema of version 7 of user.registered",
        ),
        (
            {"consumes": [{**consumer("a"), "routing_keys": ["user.vanished"]}]},
            "a.greet: there is no schema of user.vanished",
        ),
        (
            {
                "topology": {
                    "exchanges": [{"name": EVENTS, "kind": "fanout", "arguments": {}}],
                    "queues": [],
                    "bindings": [],
                }
            },
            "The exchange creativeflow.events is declared in two ways",
        ),
        (
            {
                "topology": {
                    "exchanges": [],
                    "queues": [{"name": "creativeflow.unrouted", "arguments": {}}],
                    "bindings": [],
                }
            },
            "The queue creativeflow.unrouted is declared in two ways",
        ),
    ],
)
def test_what_contradicts_something_is_refused(
    kernel: tuple[Manifest, dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    """In one line that names it."""
    with pytest.raises(ContractError, match=message):
        document(kernel, service("a", **changes))
