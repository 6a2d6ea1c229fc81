from __future__ import annotations

from typing import Any

import pytest

from tools.contracts.compat.asyncapi import RULES, compare_asyncapi
from tools.contracts.compat.tests.documents import Change, Document, root, told

QUEUE = "queue.accounts.welcome"
DEAD = f"{QUEUE}.dead"
RETRY = f"{QUEUE}.retry.1000ms"
EVENT = "user.registered"


def queue(name: str, role: str, **more: Any) -> Document:
    """The channel of a queue."""
    return {
        "address": name.removeprefix("queue."),
        "title": name,
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": name.removeprefix("queue."), "durable": True},
            }
        },
        "x-role": role,
        "x-consumer": "accounts.welcome",
        "x-arguments": {"x-queue-type": "quorum", "x-delivery-limit": 20},
        "x-bindings": [],
        **more,
    }


def message(name: str) -> Document:
    """A message among the components."""
    return {
        "name": name,
        "title": name,
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"$ref": f"events/{name}.schema.json"},
        "correlationId": {"$ref": "#/components/correlationIds/id"},
        "bindings": {"amqp": {"messageType": EVENT}},
    }


def asyncapi() -> Document:
    """An event of two versions, and a queue with all that belongs to it."""
    names = [f"{EVENT}.v1", f"{EVENT}.v2"]
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    bound = [{"exchange": "events", "routingKey": EVENT}]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Events", "version": "0.0.0"},
        "defaultContentType": "application/json",
        "servers": {"rabbitmq": {"host": "{host}", "protocol": "amqp"}},
        "channels": {
            EVENT: {
                "address": EVENT,
                "title": EVENT,
                "messages": messages,
                "bindings": {
                    "amqp": {
                        "is": "routingKey",
                        "exchange": {"name": "events", "type": "topic"},
                    }
                },
            },
            QUEUE: queue(QUEUE, "main", messages=messages, **{"x-bindings": bound}),
            DEAD: queue(DEAD, "dead"),
            RETRY: queue(RETRY, "retry", **{"x-arguments": {"x-message-ttl": 1000}}),
        },
        "operations": {
            "accounts.sends": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{EVENT}"},
                "messages": [{"$ref": f"#/channels/{EVENT}/messages/{EVENT}.v1"}],
                "bindings": {"amqp": {"deliveryMode": 2}},
            },
            "accounts.receives": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{QUEUE}"},
                "summary": "Welcomes.",
                "messages": [{"$ref": f"#/channels/{QUEUE}/messages/{EVENT}.v1"}],
                "bindings": {"amqp": {"ack": True}},
                "x-policy": {"delays": [1.0]},
            },
        },
        "components": {
            "messages": {name: message(name) for name in names},
            "schemas": {
                "headers": {
                    "type": "object",
                    "properties": {"correlation_id": {"type": "string"}},
                    "required": ["correlation_id"],
                }
            },
            "correlationIds": {"id": {"location": "$message.header#/correlation_id"}},
        },
        "x-exchanges": {
            "events": {
                "type": "topic",
                "durable": True,
                "arguments": {"a": "unrouted"},
            },
            "unrouted": {"type": "fanout", "durable": True, "arguments": {}},
        },
    }


def end_subscription(document: Document) -> None:
    """The queue with all that belongs to it."""
    for name in (QUEUE, DEAD, RETRY):
        del document["channels"][name]
    del document["operations"]["accounts.receives"]


def other_delay(document: Document) -> None:
    """A retry after two seconds and not after one."""
    name = RETRY.replace("1000", "2000")
    document["channels"][name] = document["channels"].pop(RETRY)
    document["operations"]["accounts.receives"]["x-policy"]["delays"] = [2.0]


def compare(change: Change, *ended: str) -> list[tuple[str, str, str]]:
    """What is found after a change."""
    before, after = asyncapi(), asyncapi()
    change(after)
    return told(list(compare_asyncapi(root(before), root(after), ended)))


B, A, W = "breaking", "addition", "wording"
MESSAGE = f"/components/messages/{EVENT}.v1"
CASES: dict[str, tuple[Change, list[tuple[str, str, str]]]] = {
    "a routing key goes": (
        lambda d: d["channels"].pop(EVENT),
        [("channel-removed", B, f"/channels/{EVENT}")],
    ),
    "a routing key comes": (
        lambda d: d["channels"].update(left={"address": "left"}),
        [("channel-added", A, "/channels/left")],
    ),
    "a routing key changes": (
        lambda d: d["channels"][EVENT].update(address="user.signed_up"),
        [("channel-address-changed", B, f"/channels/{EVENT}/address")],
    ),
    "an event goes to another exchange": (
        lambda d: d["channels"][EVENT]["bindings"]["amqp"]["exchange"].update(name="e"),
        [
            (
                "channel-exchange-changed",
                B,
                f"/channels/{EVENT}/bindings/amqp/exchange/name",
            )
        ],
    ),
    "a routing key becomes a queue": (
        lambda d: d["channels"][EVENT]["bindings"]["amqp"].update({"is": "queue"}),
        [("channel-address-changed", B, f"/channels/{EVENT}/bindings/amqp/is")],
    ),
    "an exchange goes": (
        lambda d: d["x-exchanges"].pop("unrouted"),
        [("exchange-removed", B, "/x-exchanges/unrouted")],
    ),
    "an exchange comes": (
        lambda d: d["x-exchanges"].update(more={"type": "fanout"}),
        [("exchange-added", A, "/x-exchanges/more")],
    ),
    "an exchange has another type": (
        lambda d: d["x-exchanges"]["events"].update(type="headers"),
        [("exchange-changed", B, "/x-exchanges/events/type")],
    ),
    "an exchange has another argument": (
        lambda d: d["x-exchanges"]["events"]["arguments"].update(a="lost"),
        [("exchange-changed", B, "/x-exchanges/events/arguments/a")],
    ),
    "a subscription ends": (
        end_subscription,
        [
            ("message-operation-removed", A, "/operations/accounts.receives"),
            ("queue-removed", B, f"/channels/{QUEUE}"),
            ("retry-queue-removed", A, f"/channels/{RETRY}"),
        ],
    ),
    "dead letters are kept no more": (
        lambda d: d["channels"].pop(DEAD),
        [("queue-removed", B, f"/channels/{DEAD}")],
    ),
    "another delay": (
        other_delay,
        [
            ("queue-added", A, f"/channels/{QUEUE}.retry.2000ms"),
            ("retry-policy-changed", A, "/operations/accounts.receives/x-policy"),
            ("retry-queue-removed", A, f"/channels/{RETRY}"),
        ],
    ),
    "a queue has another argument": (
        lambda d: d["channels"][QUEUE]["x-arguments"].update({"x-delivery-limit": 5}),
        [("queue-changed", B, f"/channels/{QUEUE}/x-arguments/x-delivery-limit")],
    ),
    "a queue has a further argument": (
        lambda d: d["channels"][QUEUE]["x-arguments"].update({"x-max-length": 5}),
        [("queue-changed", B, f"/channels/{QUEUE}/x-arguments/x-max-length")],
    ),
    "a queue has an argument less": (
        lambda d: d["channels"][QUEUE]["x-arguments"].pop("x-delivery-limit"),
        [("queue-changed", B, f"/channels/{QUEUE}/x-arguments/x-delivery-limit")],
    ),
    "a queue is durable no more": (
        lambda d: d["channels"][QUEUE]["bindings"]["amqp"]["queue"].update(
            durable=False
        ),
        [("queue-changed", B, f"/channels/{QUEUE}/bindings/amqp/queue/durable")],
    ),
    "a queue is bound no more": (
        lambda d: d["channels"][QUEUE].update({"x-bindings": []}),
        [("binding-removed", B, f"/channels/{QUEUE}/x-bindings/0")],
    ),
    "a queue is bound to more": (
        lambda d: d["channels"][DEAD]["x-bindings"].append(
            {"exchange": "events", "routingKey": "lost"}
        ),
        [("binding-added", A, f"/channels/{DEAD}/x-bindings/0")],
    ),
    "a message goes": (
        lambda d: d["channels"][EVENT].update(
            messages={f"{EVENT}.v2": {"$ref": f"#/components/messages/{EVENT}.v2"}}
        ),
        [("message-removed", B, f"/channels/{EVENT}/messages/{EVENT}.v1")],
    ),
    "a message comes": (
        lambda d: d["channels"][EVENT].update(
            messages={
                **asyncapi()["channels"][EVENT]["messages"],
                "v3": {"$ref": f"#/components/messages/{EVENT}.v2"},
            }
        ),
        [("message-added", A, f"/channels/{EVENT}/messages/v3")],
    ),
    "a message is written in another media type": (
        lambda d: d["components"]["messages"][f"{EVENT}.v1"].update(
            contentType="application/avro"
        ),
        [("message-content-type-changed", B, f"{MESSAGE}/contentType")],
    ),
    "all messages are": (
        lambda d: d.update(defaultContentType="application/avro"),
        [("message-content-type-changed", B, "/defaultContentType")],
    ),
    "a message has another type": (
        lambda d: d["components"]["messages"][f"{EVENT}.v1"]["bindings"]["amqp"].update(
            messageType="registered"
        ),
        [("message-binding-changed", B, f"{MESSAGE}/bindings/amqp/messageType")],
    ),
    "the correlation id is elsewhere": (
        lambda d: d["components"]["messages"][f"{EVENT}.v1"].update(
            correlationId={"location": "$message.payload#/correlation_id"}
        ),
        [("message-correlation-changed", B, f"{MESSAGE}/correlationId/location")],
    ),
    "the correlation id is told no more": (
        lambda d: d["components"]["messages"][f"{EVENT}.v1"].pop("correlationId"),
        [
            (
                "message-correlation-changed",
                B,
                "/components/correlationIds/id/location",
            )
        ],
    ),
    "a service sends something new": (
        lambda d: d["operations"].update(more={"action": "send"}),
        [("message-operation-added", A, "/operations/more")],
    ),
    "an operation goes the other way": (
        lambda d: d["operations"]["accounts.sends"].update(action="receive"),
        [("message-operation-changed", B, "/operations/accounts.sends/action")],
    ),
    "an operation has another channel": (
        lambda d: d["operations"]["accounts.sends"].update(
            channel={"$ref": f"#/channels/{QUEUE}"}
        ),
        [("message-operation-changed", B, "/operations/accounts.sends/channel")],
    ),
    "messages are lost with the broker": (
        lambda d: d["operations"]["accounts.sends"]["bindings"]["amqp"].update(
            deliveryMode=1
        ),
        [
            (
                "message-operation-changed",
                B,
                "/operations/accounts.sends/bindings/amqp/deliveryMode",
            )
        ],
    ),
    "a service sends another version": (
        lambda d: d["operations"]["accounts.sends"].update(
            messages=[{"$ref": f"#/channels/{EVENT}/messages/{EVENT}.v2"}]
        ),
        [
            (
                "message-operation-messages-changed",
                A,
                "/operations/accounts.sends/messages",
            )
        ],
    ),
    "a summary": (
        lambda d: d["operations"]["accounts.receives"].update(summary="Greets."),
        [("wording-changed", W, "/operations/accounts.receives/summary")],
    ),
    "another protocol": (
        lambda d: d["servers"]["rabbitmq"].update(protocol="amqps"),
        [("broker-changed", B, "/servers/rabbitmq/protocol")],
    ),
    "a broker goes": (
        lambda d: d["servers"].pop("rabbitmq"),
        [("broker-changed", B, "/servers/rabbitmq")],
    ),
    "a broker comes": (
        lambda d: d["servers"].update(kafka={"protocol": "kafka"}),
        [("broker-added", A, "/servers/kafka")],
    ),
    "a part without a rule": (
        lambda d: d["channels"][EVENT].update(parameters={}),
        [("unknown-changed", B, f"/channels/{EVENT}/parameters")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change(case: str) -> None:
    """Each change is found once, by its rule, where it was made."""
    change, expected = CASES[case]

    assert compare(change) == sorted(expected)


def test_every_rule_is_tried() -> None:
    """Each rule of this module is found by a case above."""
    tried = {rule for _, expected in CASES.values() for rule, _, _ in expected}

    assert {rule.name for rule in RULES} <= tried


def test_no_change_is_no_finding() -> None:
    """A document is compatible with itself."""
    assert compare(lambda d: None) == []


def test_headers_are_an_event() -> None:
    """A header that is required no more breaks its readers; once a message."""
    found = compare(lambda d: d["components"]["schemas"]["headers"].pop("required"))

    assert {each[:2] for each in found} == {("required-removed", B)}


def test_what_the_catalogue_tells_is_not_told_again() -> None:
    """The end of an event is one finding, and one entry of accepted.toml."""

    def end(document: Document) -> None:
        del document["channels"][EVENT]

    assert compare(end, EVENT) == []
    assert compare(CASES["a message goes"][0], f"{EVENT}.v1") == []
