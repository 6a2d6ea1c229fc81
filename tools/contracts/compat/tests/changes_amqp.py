"""Changes of what is on the broker, and of the messages that go through it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tools.contracts.bundle import ASYNCAPI
from tools.contracts.compat.tests.changes import NOT_FOR_IT, Change, Edit, nothing
from tools.contracts.compat.tests.changes_documents import Path, drop, put

BREAKING: Final = "breaking"
SAFE: Final = "non-breaking"
NOT_KNOWN: Final = "unclassified"

_CHANNELS: Final[Path] = ("channels",)
_EVENT: Final[Path] = (*_CHANNELS, "thing.made")
_QUEUE: Final[Path] = (*_CHANNELS, "queue.shop.count")
_MESSAGE: Final[Path] = ("components", "messages", "thing.made.v1")

# Who breaks, where it is not a consumer of the event.
_SERVICES: Final = "services of both versions on one broker"
_NOBODY: Final = "nobody reads the queue, which fills up"

_LOST: Final[Any] = {
    "address": "thing.lost",
    "messages": {},
    "bindings": {"amqp": {"is": "routingKey"}},
}


def _queue(name: str, role: str) -> dict[str, Any]:
    return {
        "address": name,
        "bindings": {"amqp": {"is": "queue", "queue": {"name": name}}},
        "x-role": role,
        "x-consumer": name,
        "x-arguments": {},
        "x-bindings": [],
    }


def _change(
    words: str,
    findings: dict[str, str],
    asyncapi: str,
    after: Edit,
    *,
    before: Edit = nothing,
    who: str = "",
) -> Change:
    return Change(
        "AMQP", words, findings, before, after, NOT_FOR_IT, NOT_FOR_IT, asyncapi, who
    )


def _at(*path: str | int) -> Path:
    return path


def _keys() -> Iterator[Change]:
    lost = (*_CHANNELS, "thing.lost")
    yield _change(
        "a routing key is new",
        {"channel-added": "..A"},
        SAFE,
        put(ASYNCAPI, lost, _LOST),
    )
    yield _change(
        "a routing key has gone",
        {"channel-removed": "..B"},
        BREAKING,
        nothing,
        before=put(ASYNCAPI, lost, _LOST),
    )
    yield _change(
        "a routing key is another one",
        {"channel-address-changed": "..B"},
        BREAKING,
        put(ASYNCAPI, (*_EVENT, "address"), "thing.built"),
    )
    exchange = (*_EVENT, "bindings", "amqp", "exchange")
    yield _change(
        "an event is published to another exchange",
        {"channel-exchange-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, (*exchange, "name"), "creativeflow.more"),
    )
    own = _at("x-exchanges", "creativeflow.events")
    yield _change(
        "an exchange is of another type",
        {"exchange-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, (*own, "type"), "direct"),
        who=_SERVICES,
    )
    more = _at("x-exchanges", "creativeflow.more")
    topic = {"type": "topic", "durable": True, "arguments": {}}
    yield _change(
        "an exchange is new",
        {"exchange-added": "..A"},
        NOT_KNOWN,
        put(ASYNCAPI, more, topic),
    )
    yield _change(
        "an exchange is no longer declared",
        {"exchange-removed": "..B"},
        NOT_KNOWN,
        nothing,
        before=put(ASYNCAPI, more, topic),
    )


def _queues() -> Iterator[Change]:
    name = "queue.shop.tell"
    yield _change(
        "a subscription is new",
        {"queue-added": "..A"},
        SAFE,
        put(ASYNCAPI, (*_CHANNELS, name), _queue("shop.tell", "main")),
    )
    yield _change(
        "a subscription has gone",
        {"queue-removed": "..B"},
        BREAKING,
        nothing,
        before=put(ASYNCAPI, (*_CHANNELS, name), _queue("shop.tell", "main")),
        who=_NOBODY,
    )
    yield _change(
        "the queue of a subscription has another name",
        {"queue-added": "..A", "queue-removed": "..B"},
        f"{BREAKING}, and {SAFE}",
        put(ASYNCAPI, (*_CHANNELS, name), _queue("shop.tell", "main")),
        before=put(
            ASYNCAPI, (*_CHANNELS, "queue.shop.call"), _queue("shop.call", "main")
        ),
        who=_NOBODY,
    )
    yield _change(
        "an argument of a queue is another one (`x-delivery-limit`)",
        {"queue-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, (*_QUEUE, "x-arguments", "x-delivery-limit"), 5),
        who=_SERVICES,
    )
    yield _change(
        "a queue is not durable",
        {"queue-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, (*_QUEUE, "bindings", "amqp", "queue", "durable"), False),
        who=_SERVICES,
    )
    yield _change(
        "a delay between retries has gone",
        {"retry-queue-removed": "..A"},
        BREAKING,
        drop(ASYNCAPI, (*_CHANNELS, "queue.shop.count.retry.1000ms")),
    )
    bindings = (*_QUEUE, "x-bindings")
    more = {"exchange": "creativeflow.events", "routingKey": "thing.lost"}
    yield _change(
        "a queue is bound to a further routing key",
        {"binding-added": "..A"},
        NOT_KNOWN,
        put(ASYNCAPI, (*bindings, "-"), more),
    )
    yield _change(
        "a queue is no longer bound to a routing key",
        {"binding-removed": "..B"},
        NOT_KNOWN,
        nothing,
        before=put(ASYNCAPI, (*bindings, "-"), more),
    )


def _messages() -> Iterator[Change]:
    messages = (*_EVENT, "messages")
    second = {"$ref": "#/components/messages/thing.made.v1"}
    yield _change(
        "a message is new on a routing key",
        {"message-added": "..A"},
        SAFE,
        put(ASYNCAPI, (*messages, "thing.made.v2"), second),
    )
    yield _change(
        "a message has gone from a routing key",
        {"message-removed": "..B"},
        BREAKING,
        nothing,
        before=put(ASYNCAPI, (*messages, "thing.made.v2"), second),
    )
    yield _change(
        "a message is written as CloudEvents",
        {"message-content-type-changed": "..B"},
        BREAKING,
        put(ASYNCAPI, (*_MESSAGE, "contentType"), "application/cloudevents+json"),
    )
    yield _change(
        "a message has a further header",
        {"property-added": "..A"},
        NOT_KNOWN,
        put(
            ASYNCAPI,
            ("components", "schemas", "headers", "properties", "tenant"),
            {"type": "string"},
        ),
    )
    yield _change(
        "a header of a message is not always there",
        {"required-removed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, ("components", "schemas", "headers", "required"), []),
    )
    correlation = (*_MESSAGE, "correlationId")
    yield _change(
        "the correlation id is elsewhere in a message",
        {"message-correlation-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, correlation, {"location": "$message.payload#/id"}),
        before=put(ASYNCAPI, correlation, {"location": "$message.header#/id"}),
    )
    yield _change(
        "the AMQP type of a message is another one",
        {"message-binding-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, (*_MESSAGE, "bindings"), {"amqp": {"messageType": "thing"}}),
    )
    yield _change(
        "the summary of a message",
        {"wording-changed": "..W"},
        SAFE,
        put(ASYNCAPI, (*_MESSAGE, "summary"), "Made it."),
    )


def _operations() -> Iterator[Change]:
    policy = _at("operations", "shop.receives.count", "x-policy")
    yield _change(
        "a handler retries otherwise",
        {"retry-policy-changed": "..A"},
        NOT_KNOWN,
        put(ASYNCAPI, (*policy, "delays"), [5.0]),
    )
    sends = _at("operations", "shop.sends.thing.made")
    yield _change(
        "a service no longer publishes an event",
        {"message-operation-removed": "..A"},
        BREAKING,
        drop(ASYNCAPI, sends),
    )
    yield _change(
        "a service publishes a further event",
        {"message-operation-added": "..A"},
        SAFE,
        nothing,
        before=drop(ASYNCAPI, sends),
    )
    yield _change(
        "a service publishes no message of an event's channel",
        {"message-operation-messages-changed": "..A"},
        BREAKING,
        put(ASYNCAPI, (*sends, "messages"), []),
    )
    yield _change(
        "a broker is new",
        {"broker-added": "..A"},
        SAFE,
        put(ASYNCAPI, ("servers", "second"), {"host": "b", "protocol": "amqp"}),
    )
    yield _change(
        "events are no longer persistent on the broker (`deliveryMode`)",
        {"message-operation-changed": "..B"},
        NOT_KNOWN,
        put(ASYNCAPI, (*sends, "bindings", "amqp", "deliveryMode"), 1),
    )
    yield _change(
        "the broker speaks another protocol",
        {"broker-changed": "..B"},
        BREAKING,
        put(ASYNCAPI, ("servers", "rabbitmq", "protocol"), "kafka"),
    )
    yield _change(
        "the document says another version of itself (`info.version`)",
        {"wording-changed": "..W"},
        BREAKING,
        put(ASYNCAPI, ("info", "version"), "2.0.0"),
    )


AMQP_CHANGES: Final = (*_keys(), *_queues(), *_messages(), *_operations())
