"""The events of the platform as AsyncAPI 3.0: who sends what, and through which queues.

A channel for each type of event, whose address is the routing key, and for each queue
that a service declares, named ``queue.`` and the queue. AsyncAPI's binding for AMQP has
no place for the arguments of queues and exchanges, nor for what binds them: those are
in extensions::

    x-exchanges                the exchanges, with type and arguments
    channels.*.x-arguments     of a queue, as it is declared
    channels.*.x-bindings      what comes into a queue: exchange, and routing key
    channels.*.x-role          main, retry, dead, unrouted or catalogue
    operations.*.x-policy      what becomes of an event whose handler fails
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from shared.messaging.topology import CATALOGUE, EVENTS, UNROUTED
from tools.contracts.bundle import ASYNCAPI, BASE, EventEntry, Manifest
from tools.contracts.declared import (
    Consumer,
    ContractError,
    Declared,
    DeclaredExchange,
    DeclaredQueue,
    DeclaredTopology,
    EventKey,
)

_BINDING: Final = "0.3.0"
"""The version of AsyncAPI's AMQP binding."""

# A bundle is named by its folder; what is in it does not say its own version.
_VERSION: Final = "0.0.0"

_DESCRIPTION: Final = """\
Events between services on RabbitMQ (AMQP 0-9-1). A type of event is a routing key of \
the topic exchange `creativeflow.events`, and a subscription is a queue that is bound \
for its types. Delivery is at least once.

A handler that fails gets the event again after each of its delays, from a retry queue \
for each; what fails in the last round, or is no event, is kept in the dead-letter \
queue, whose headers `x-consumer`, `x-reason`, `x-error`, `x-traceback-digest`, \
`x-died-at`, `x-round`, `x-attempts` and `x-history` say why. Nobody's events are kept \
in `creativeflow.unrouted`.

Messages are documented as the kernel writes them unless it is told otherwise: its \
own envelope, `application/json`. Every reader also takes CloudEvents 1.0, in \
structured mode (`application/cloudevents+json`) and in binary mode (attributes in \
headers that begin with `cloudEvents_` or `cloudEvents:`, the payload as the body); \
extension attributes are `correlationid`, `causationid` and `schemaversion`.

Payloads are JSON Schema 2020-12. Readers ignore members that they do not know.\
"""

_HEADERS: Final = {
    "type": "object",
    "description": "For whoever looks at a message without reading its body.",
    "properties": {
        "correlation_id": {
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,128}$",
            "description": "The request, and everything that came of it.",
        },
        "schema_version": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "Of the payload.",
        },
        "causation_id": {
            "type": "string",
            "format": "uuid",
            "description": "The event that this one is a consequence of, if any.",
        },
        "traceparent": {
            "type": "string",
            "description": "W3C Trace Context, where a trace is active.",
        },
    },
    "required": ["correlation_id", "schema_version"],
}

Document = dict[str, Any]


def asyncapi_document(
    services: Sequence[Declared],
    manifest: Manifest,
    documents: Mapping[str, Any],
    base: DeclaredTopology,
) -> Document:
    """The document of the whole platform.

    Args:
        services: What each service declares, by name.
        manifest: Every event there is.
        documents: Their schemas by path, with the examples of messages.
        base: What is on the broker without any service.

    Raises:
        ContractError: A service publishes or consumes what has no schema, or two of
            them declare one queue or exchange in two ways.
    """
    events = manifest["events"]
    exchanges = _exchanges(base, services)
    channels: Document = {
        name: _event_channel(
            name, events[name], documents, exchanges[_exchange_of(name, services)]
        )
        for name in sorted(events)
    }
    channels |= _queue_channels(base, services, events)
    operations: Document = {}
    for service in services:
        operations |= dict(_operations(service, events))
    return {
        "asyncapi": "3.0.0",
        "id": BASE + ASYNCAPI,
        "info": {
            "title": "CreativeFlow events",
            "version": _VERSION,
            "description": _DESCRIPTION,
            "tags": [
                {"name": service["name"], "description": service["title"]}
                for service in services
            ],
        },
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "RabbitMQ 3.10 or later; no plugin is needed.",
                "variables": {
                    "host": {
                        "default": "localhost:5672",
                        "description": "From RABBITMQ_URL.",
                    }
                },
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                message: definition
                for name in sorted(events)
                for message, definition in _messages(name, events[name], documents)
            },
            "schemas": {"headers": _HEADERS},
            "correlationIds": {
                "correlation_id": {
                    "description": "In the body, too; one id runs through everything.",
                    "location": "$message.header#/correlation_id",
                }
            },
        },
        "x-exchanges": {
            name: {
                "type": exchange["kind"],
                "durable": True,
                "arguments": exchange["arguments"],
            }
            for name, exchange in exchanges.items()
        },
    }


def message_name(event_type: str, version: int | str) -> str:
    """What a version of an event is called: ``user.registered.v1``."""
    return f"{event_type}.v{version}"


def queue_channel(queue: str) -> str:
    """What the channel of a queue is called; an event may have the queue's name."""
    return f"queue.{queue}"


def _exchanges(
    base: DeclaredTopology, services: Iterable[Declared]
) -> dict[str, DeclaredExchange]:
    found: dict[str, DeclaredExchange] = {}
    for topology in (base, *(each["topology"] for each in services)):
        for exchange in topology["exchanges"]:
            if found.setdefault(exchange["name"], exchange) != exchange:
                raise ContractError(
                    f"The exchange {exchange['name']} is declared in two ways."
                )
    return dict(sorted(found.items()))


def _exchange_of(event_type: str, services: Iterable[Declared]) -> str:
    """Where an event is published: where those look for it who consume it.

    That is another exchange than the platform's for the messages of one service alone.
    """
    found = {
        binding["exchange"]
        for service in services
        for binding in service["topology"]["bindings"]
        if binding["routing_key"] == event_type
    }
    return found.pop() if len(found) == 1 else EVENTS


def _event_channel(
    name: str,
    event: EventEntry,
    documents: Mapping[str, Any],
    exchange: DeclaredExchange,
) -> Document:
    newest = event["versions"][max(event["versions"], key=int)]
    return {
        "address": name,
        "title": name,
        "description": documents[newest["schema"]]["description"],
        "messages": _references(
            message_name(name, version) for version in event["versions"]
        ),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": exchange["name"],
                    "type": exchange["kind"],
                    "durable": True,
                    "autoDelete": False,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _messages(
    name: str, event: EventEntry, documents: Mapping[str, Any]
) -> Iterator[tuple[str, Document]]:
    for number, version in event["versions"].items():
        schema = documents[version["schema"]]
        message: Document = {
            "name": message_name(name, number),
            "title": version["payload"].removesuffix("Payload"),
            "summary": schema["description"],
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/headers"},
            "payload": {"$ref": version["schema"]},
            "correlationId": {"$ref": "#/components/correlationIds/correlation_id"},
            "bindings": {"amqp": {"messageType": name, "bindingVersion": _BINDING}},
        }
        examples = schema.get("examples", ())
        if examples:
            message["examples"] = [_example(each, number) for each in examples]
        yield message_name(name, number), message


def _example(body: Mapping[str, Any], version: str) -> Document:
    """An event that its schema shows, with its headers."""
    headers = {"correlation_id": body["correlation_id"], "schema_version": version}
    if body.get("causation_id") is not None:
        headers["causation_id"] = body["causation_id"]
    return {"headers": headers, "payload": body}


def _queue_channels(
    base: DeclaredTopology,
    services: Iterable[Declared],
    events: Mapping[str, EventEntry],
) -> Document:
    topologies = [base, *(each["topology"] for each in services)]
    consumers = {
        queue: consumer
        for service in services
        for consumer in service["consumes"]
        for queue in (consumer["queue"], *consumer["retries"], consumer["dead_letters"])
    }
    channels: Document = {}
    declared: dict[str, DeclaredQueue] = {}
    for topology in topologies:
        for queue in topology["queues"]:
            name = queue["name"]
            if declared.setdefault(name, queue) != queue:
                raise ContractError(f"The queue {name} is declared in two ways.")
            channels[queue_channel(name)] = _queue(
                queue, consumers.get(name), _bindings(name, topologies), events
            )
    return dict(sorted(channels.items()))


def _queue(
    queue: DeclaredQueue,
    consumer: Consumer | None,
    bindings: list[Document],
    events: Mapping[str, EventEntry],
) -> Document:
    name = queue["name"]
    role = _role(name, consumer)
    channel: Document = {
        "address": name,
        "title": name,
        "description": _SENTENCES[role],
    }
    # Dead letters may be anything, and nobody's events of any type.
    if consumer is not None and role in ("main", "retry"):
        # A queue gets all versions of a type, whatever the handler was written for.
        channel["messages"] = _references(
            message_name(key, version)
            for key in consumer["routing_keys"]
            for version in _entry(key, events, name)["versions"]
        )
    return {
        **channel,
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                },
                "bindingVersion": _BINDING,
            }
        },
        "x-role": role,
        "x-consumer": consumer["queue"] if consumer else None,
        "x-arguments": queue["arguments"],
        "x-bindings": bindings,
    }


_SENTENCES: Final = {
    "main": "The events of one subscription.",
    "retry": "Events that come back to their subscription after `x-message-ttl` ms.",
    "dead": "Dead letters of one subscription, as they came; headers say why.",
    "unrouted": "Events that no queue is bound for.",
    "catalogue": "A message, in JSON, about each queue before it is made: queue, kind, "
    "service, consumer, event_types, at.",
}


def _role(name: str, consumer: Consumer | None) -> str:
    if consumer is None:
        return {UNROUTED: "unrouted", CATALOGUE: "catalogue"}[name]
    if name == consumer["queue"]:
        return "main"
    return "dead" if name == consumer["dead_letters"] else "retry"


def _bindings(queue: str, topologies: Iterable[DeclaredTopology]) -> list[Document]:
    found = {
        (binding["exchange"], binding["routing_key"])
        for topology in topologies
        for binding in topology["bindings"]
        if binding["queue"] == queue
    }
    return [
        {"exchange": exchange, "routingKey": key} for exchange, key in sorted(found)
    ]


def _operations(
    service: Declared, events: Mapping[str, EventEntry]
) -> Iterator[tuple[str, Document]]:
    name = service["name"]
    by_type: dict[str, list[EventKey]] = {}
    for key in service["publishes"]:
        by_type.setdefault(key["type"], []).append(key)
    for event_type, keys in by_type.items():
        yield (
            f"{name}.sends.{event_type}",
            {
                "action": "send",
                "channel": _reference("channels", event_type),
                "summary": f"{service['title']} publishes {event_type}.",
                "messages": _in_channel(event_type, keys, events, name),
                "tags": [{"name": name}],
                "bindings": {
                    "amqp": {
                        "deliveryMode": 2,
                        "timestamp": True,
                        "bindingVersion": _BINDING,
                    }
                },
            },
        )
    for consumer in service["consumes"]:
        queue = consumer["queue"]
        handler = queue.removeprefix(f"{name}.")
        channel = queue_channel(queue)
        yield (
            f"{name}.receives.{handler}",
            {
                "action": "receive",
                "channel": _reference("channels", channel),
                "summary": f"{service['title']} handles "
                f"{', '.join(consumer['routing_keys'])} in {handler}.",
                "messages": _in_channel(channel, consumer["events"], events, queue),
                "tags": [{"name": name}],
                "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
                "x-policy": {
                    **consumer["policy"],
                    "ordered": consumer["ordered"],
                    "concurrency": consumer["concurrency"],
                },
            },
        )


def _in_channel(
    channel: str,
    keys: Iterable[EventKey],
    events: Mapping[str, EventEntry],
    who: str,
) -> list[Document]:
    for key in keys:
        if str(key["version"]) not in _entry(key["type"], events, who)["versions"]:
            raise ContractError(
                f"{who}: there is no schema of version {key['version']} of "
                f"{key['type']}."
            )
    return [
        _reference(
            "channels", channel, "messages", message_name(key["type"], key["version"])
        )
        for key in keys
    ]


def _entry(event_type: str, events: Mapping[str, EventEntry], who: str) -> EventEntry:
    try:
        return events[event_type]
    except KeyError:
        raise ContractError(f"{who}: there is no schema of {event_type}.") from None


def _references(messages: Iterable[str]) -> Document:
    return {name: _reference("components", "messages", name) for name in messages}


def _reference(*tokens: str) -> Document:
    return {"$ref": f"#/{'/'.join(tokens)}"}
