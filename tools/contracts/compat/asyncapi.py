"""What a change of the AsyncAPI document does to the broker, and to who uses it.

Channels are routing keys, or queues; `tools.contracts.asyncapi` tells how they and the
extensions look. RabbitMQ keeps what was declared once: a queue or exchange that is
declared again with another argument is refused, and one that is declared no more stays
(https://www.rabbitmq.com/docs/queues#property-equivalence).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.place import Place
from tools.contracts.compat.rule import Rule, addition, breaking
from tools.contracts.compat.walk import (
    changed,
    list_at,
    members_of,
    object_at,
    rest,
    schemas,
    side_by_side,
    value_at,
)

_REFUSED: Final = (
    "RabbitMQ refuses to declare it again (406 PRECONDITION_FAILED), so services of "
    "both versions can't run on one broker."
)

CHANNEL_REMOVED: Final = breaking(
    "channel-removed",
    "A routing key has gone.",
    "Consumers that are bound to it wait for what never comes.",
    "Publish it until nobody consumes it.",
)
CHANNEL_ADDED: Final = addition("channel-added", "A routing key is new.")
ADDRESS: Final = breaking(
    "channel-address-changed",
    "A routing key, or the name of a queue, is another one.",
    "Consumers are bound to the old key, and get nothing.",
    "Make a new type of event, and publish both for a while.",
)
CHANNEL_EXCHANGE: Final = breaking(
    "channel-exchange-changed",
    "An event is published to another exchange.",
    "Consumers are bound to the old exchange, and get nothing.",
    "Bind the new exchange to the old one, or keep publishing to it.",
)
EXCHANGE_REMOVED: Final = breaking(
    "exchange-removed",
    "An exchange is no longer declared.",
    "Who binds a queue to it finds none on a new broker.",
    "Keep declaring it.",
)
EXCHANGE_ADDED: Final = addition("exchange-added", "An exchange is new.")
EXCHANGE_CHANGED: Final = breaking(
    "exchange-changed",
    "An exchange has another type or argument.",
    _REFUSED,
    "Declare an exchange with another name, and bind it to the old one.",
)
QUEUE_REMOVED: Final = breaking(
    "queue-removed",
    "A queue is no longer declared.",
    "It stays on the broker, bound and with nobody to read it, and fills up.",
    "Keep the subscription until the queue is unbound and empty; then accept this with "
    "the name of who deleted it.",
)
QUEUE_CHANGED: Final = breaking(
    "queue-changed",
    "A queue has another argument or property.",
    _REFUSED,
    "Give the subscription another name, which makes a new queue, and let the old one "
    "run dry; or change it by a policy of the broker.",
)
QUEUE_ADDED: Final = addition("queue-added", "A queue is new.")
RETRY_REMOVED: Final = addition(
    "retry-queue-removed",
    "A delay has gone; its queue stays, and hands back what is in it.",
)
BINDING_REMOVED: Final = breaking(
    "binding-removed",
    "A queue is no longer bound to a routing key.",
    "The broker keeps the binding, so the consumer still gets what it has no handler "
    "for: dead letters.",
    "Keep the handler until the binding is removed by hand; then accept this with the "
    "name of who did it.",
)
BINDING_ADDED: Final = addition("binding-added", "A queue is bound to a further key.")
MESSAGE_REMOVED: Final = breaking(
    "message-removed",
    "A message has gone from a routing key, and its version is still there.",
    "Consumers that know only this one get nothing that they know.",
    "Publish it until nobody consumes it.",
)
MESSAGE_ADDED: Final = addition("message-added", "A message is new on a routing key.")
CONTENT_TYPE: Final = breaking(
    "message-content-type-changed",
    "A message is written in another media type.",
    "Consumers that read the old one get dead letters.",
    "Make a new version of the event.",
)
CORRELATION: Final = breaking(
    "message-correlation-changed",
    "The correlation id is elsewhere in a message.",
    "Logs and traces of other languages lose the thread.",
    "Write it in both places.",
)
MESSAGE_BINDING: Final = breaking(
    "message-binding-changed",
    "The AMQP type or encoding of a message is another one.",
    "Consumers that look at the property take the message for another one.",
    "Make a new version of the event.",
)
OPERATION_REMOVED: Final = addition(
    "message-operation-removed",
    "A service no longer sends or handles something; the event or the queue has the "
    "rule for what that breaks.",
)
OPERATION_ADDED: Final = addition(
    "message-operation-added", "A service sends or handles something new."
)
OPERATION_CHANGED: Final = breaking(
    "message-operation-changed",
    "An operation has another action, channel or AMQP property.",
    "Programs generated from the document send or read elsewhere, or lose messages.",
    "Add an operation with another name.",
)
OPERATION_MESSAGES: Final = addition(
    "message-operation-messages-changed",
    "A service sends or handles other versions of an event.",
)
POLICY: Final = addition(
    "retry-policy-changed",
    "Retries, delays, timeout, order or concurrency of a handler changed.",
)
BROKER_CHANGED: Final = breaking(
    "broker-changed",
    "The protocol of a broker changed, or a broker has gone.",
    "Clients speak the old protocol.",
    "Keep a listener for the old one.",
)
BROKER_ADDED: Final = addition("broker-added", "A broker is new.")

RULES: Final = (
    CHANNEL_REMOVED,
    CHANNEL_ADDED,
    ADDRESS,
    CHANNEL_EXCHANGE,
    EXCHANGE_REMOVED,
    EXCHANGE_ADDED,
    EXCHANGE_CHANGED,
    QUEUE_REMOVED,
    QUEUE_CHANGED,
    QUEUE_ADDED,
    RETRY_REMOVED,
    BINDING_REMOVED,
    BINDING_ADDED,
    MESSAGE_REMOVED,
    MESSAGE_ADDED,
    CONTENT_TYPE,
    CORRELATION,
    MESSAGE_BINDING,
    OPERATION_REMOVED,
    OPERATION_ADDED,
    OPERATION_CHANGED,
    OPERATION_MESSAGES,
    POLICY,
    BROKER_CHANGED,
    BROKER_ADDED,
)

_WORDS: Final = ("title", "summary", "description", "tags", "externalDocs", "examples")


def compare_asyncapi(
    before: Place, after: Place, told: Collection[str] = ()
) -> Iterator[Finding]:
    """Compare two AsyncAPI documents, given as the places of their roots.

    Args:
        before: Of the baseline.
        after: Of the newer one.
        told: Types of events and messages (``user.registered``, its ``.v1``) whose end
            the comparison of the catalogue tells.

    Raises:
        PlaceError: A ``$ref`` leads nowhere, or a part has another form than it must.
    """
    yield from _channels(before, after, told)
    yield from _exchanges(before.at("x-exchanges"), after.at("x-exchanges"))
    yield from _messages(*(p.at("components", "messages") for p in (before, after)))
    yield from _operations(before.at("operations"), after.at("operations"))
    yield from _brokers(before.at("servers"), after.at("servers"))
    known = {"channels", "operations", "components", "servers", "x-exchanges"}
    at = "defaultContentType"
    yield from changed(
        CONTENT_TYPE, before.at(at), after.at(at), "The default media type changed."
    )
    yield from rest(before, after, known={*known, at}, words=("info", "id"))


def _channels(before: Place, after: Place, told: Collection[str]) -> Iterator[Finding]:
    old, new = members_of(before.at("channels")), members_of(after.at("channels"))
    members = side_by_side(old, new)
    for name, place in members.removed.items():
        if _is_queue(place):
            yield from _queue_gone(place, members.removed)
        elif name not in told:
            says = f"Nothing is published as {name} any more."
            yield CHANNEL_REMOVED.found(place, says, name)
    for name, place in members.added.items():
        rule = QUEUE_ADDED if _is_queue(place) else CHANNEL_ADDED
        yield rule.found(place, f"{name} is new.", None, name)
    for one, other in members.kept.values():
        if one.node != other.node:
            yield from _channel(one, other, told)


def _is_queue(channel: Place) -> bool:
    return bool(value_at(channel.at("bindings", "amqp", "is")) == "queue")


def _queue_gone(place: Place, removed: Collection[str]) -> Iterator[Finding]:
    name, role = value_at(place.at("address")), value_at(place.at("x-role"))
    if role == "retry":
        yield RETRY_REMOVED.found(place, f"{name} is not used any more.", name)
    # The end of a subscription is told at its queue, once.
    elif role != "dead" or f"queue.{value_at(place.at('x-consumer'))}" not in removed:
        yield QUEUE_REMOVED.found(place, f"{name} is not declared any more.", name)


def _channel(before: Place, after: Place, told: Collection[str]) -> Iterator[Finding]:
    name = value_at(after.at("address"))
    yield from changed(
        ADDRESS, before.at("address"), after.at("address"), f"Its address is {name}."
    )
    one, other = before.at("bindings", "amqp"), after.at("bindings", "amqp")
    at = one.at("exchange"), other.at("exchange")
    yield from _each(CHANNEL_EXCHANGE, *at, name="exchange")
    at = one.at("queue"), other.at("queue")
    yield from _each(QUEUE_CHANGED, *at, name="queue")
    yield from changed(
        ADDRESS, one.at("is"), other.at("is"), "It is another kind of channel."
    )
    old, new = before.at("x-arguments"), after.at("x-arguments")
    yield from _each(QUEUE_CHANGED, old, new, name="argument")
    yield from _bindings(before.at("x-bindings"), after.at("x-bindings"))
    if not _is_queue(after):  # what comes into a queue, its bindings say
        yield from _channel_messages(before.at("messages"), after.at("messages"), told)
    known = {"address", "messages", "bindings", "x-arguments", "x-bindings"}
    yield from rest(before, after, known=known, words=_WORDS)


def _each(rule: Rule, before: Place, after: Place, *, name: str) -> Iterator[Finding]:
    """A finding for each member that differs."""
    old, new = object_at(before), object_at(after)
    for key in dict.fromkeys([*old, *new]):
        says = f"The {name} {key} changed."
        at = after if key in new else before
        if old.get(key) != new.get(key):
            yield rule.found(at.at(key), says, old.get(key), new.get(key))


def _bindings(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(_bound(before), _bound(after))
    for name, place in members.removed.items():
        says = f"It is not bound to {name} any more."
        yield BINDING_REMOVED.found(place, says, place.node)
    for name, place in members.added.items():
        yield BINDING_ADDED.found(place, f"It is bound to {name}.", None, place.node)


def _bound(bindings: Place) -> dict[str, Place]:
    places = [bindings.at(index) for index in range(len(list_at(bindings)))]
    return {
        f"{value_at(place.at('exchange'))} {value_at(place.at('routingKey'))}": place
        for place in places
    }


def _channel_messages(
    before: Place, after: Place, told: Collection[str]
) -> Iterator[Finding]:
    # The messages themselves are compared where they are defined.
    old, new = object_at(before), object_at(after)
    for name in old:
        if name not in new and name not in told:
            yield MESSAGE_REMOVED.found(before.at(name), f"{name} is gone.", name)
    for name in new:
        if name not in old:
            yield MESSAGE_ADDED.found(after.at(name), f"{name} is new.", None, name)


def _exchanges(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        says = f"{name} is not declared any more."
        yield EXCHANGE_REMOVED.found(place, says, name)
    for name, place in members.added.items():
        yield EXCHANGE_ADDED.found(place, f"{name} is new.", None, name)
    for one, other in members.kept.values():
        at = one.at("arguments"), other.at("arguments")
        yield from _each(EXCHANGE_CHANGED, *at, name="argument")
        known = ("arguments",)
        yield from rest(one, other, known=known, unknown=EXCHANGE_CHANGED)


def _messages(before: Place, after: Place) -> Iterator[Finding]:
    for one, other in side_by_side(members_of(before), members_of(after)).kept.values():
        name = value_at(other.at("name"))
        yield from changed(
            CONTENT_TYPE,
            one.at("contentType"),
            other.at("contentType"),
            f"{name} is written in another media type.",
        )
        yield from schemas(one.at("headers"), other.at("headers"), Surface.EVENT)
        yield from _correlation(one.at("correlationId"), other.at("correlationId"))
        at = one.at("bindings", "amqp"), other.at("bindings", "amqp")
        yield from _each(MESSAGE_BINDING, *at, name="property")
        # The payload is compared as the event's own document.
        known = {"name", "payload", "contentType", "headers", "correlationId"}
        known.add("bindings")
        yield from rest(one, other, known=known, words=_WORDS)


def _correlation(before: Place, after: Place) -> Iterator[Finding]:
    old, new = (
        None if value_at(place) is None else place.follow().at("location")
        for place in (before, after)
    )
    was, now = (None if place is None else value_at(place) for place in (old, new))
    if was != now:
        says = "The correlation id is elsewhere."
        yield CORRELATION.found(new or old or after, says, was, now)


def _operations(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        yield OPERATION_REMOVED.found(place, f"{name} is gone.", name)
    for name, place in members.added.items():
        yield OPERATION_ADDED.found(place, f"{name} is new.", None, name)
    for name, (one, other) in members.kept.items():
        for key in ("action", "channel"):
            says = f"{name} has another {key}."
            yield from changed(OPERATION_CHANGED, one.at(key), other.at(key), says)
        at = one.at("bindings", "amqp"), other.at("bindings", "amqp")
        yield from _each(OPERATION_CHANGED, *at, name="property")
        for rule, key in ((OPERATION_MESSAGES, "messages"), (POLICY, "x-policy")):
            says = f"{key.removeprefix('x-').capitalize()} of {name} changed."
            yield from changed(rule, one.at(key), other.at(key), says)
        known = ("action", "channel", "bindings", "messages", "x-policy")
        yield from rest(one, other, known=known, words=_WORDS)


def _brokers(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        yield BROKER_CHANGED.found(place, f"{name} is gone.", place.node)
    for name, place in members.added.items():
        yield BROKER_ADDED.found(place, f"{name} is new.", None, name)
    for one, other in members.kept.values():
        words = (*_WORDS, "variables")
        yield from rest(one, other, known=(), words=words, unknown=BROKER_CHANGED)
