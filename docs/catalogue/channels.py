"""Queues and exchanges of an AsyncAPI document, by the subscription that they serve."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from docs.catalogue.parts import anchor

Document = Mapping[str, Any]

_ORDER: Final = ("main", "retry", "dead", "unrouted", "catalogue")
_TTL: Final = "x-message-ttl"


@dataclass(frozen=True)
class Queue:
    """One queue."""

    name: str
    role: str
    """``main``, ``retry``, ``dead``, ``unrouted`` or ``catalogue``."""
    delay: str
    """How long messages stay in a retry queue: ``10 s``. Empty in others."""
    description: str
    arguments: tuple[tuple[str, str], ...]
    bindings: tuple[tuple[str, str], ...]
    """Each exchange with the routing key."""


@dataclass(frozen=True)
class Subscription:
    """The queue of a handler and those beside it; or one that serves no handler."""

    id: str
    name: str
    summary: str
    queues: tuple[Queue, ...]
    """The main one first, then retry queues by their delay, and the dead letters."""
    policy: tuple[tuple[str, str], ...]
    """What becomes of an event whose handler fails, in words."""

    @property
    def retries(self) -> list[Queue]:
        """Where events wait before they come again."""
        return [queue for queue in self.queues if queue.role == "retry"]

    @property
    def dead(self) -> list[Queue]:
        """Where events end that no handler could take."""
        return [queue for queue in self.queues if queue.role == "dead"]


@dataclass(frozen=True)
class Exchange:
    """One exchange."""

    name: str
    type: str
    arguments: tuple[tuple[str, str], ...]


def exchanges_of(asyncapi: Document) -> tuple[Exchange, ...]:
    """Every exchange, by name."""
    return tuple(
        Exchange(name, exchange["type"], _arguments(exchange["arguments"]))
        for name, exchange in sorted(asyncapi.get("x-exchanges", {}).items())
    )


def exchange_of(asyncapi: Document, event: str) -> str:
    """The exchange that an event is published to; empty if no channel is its own."""
    channel = asyncapi.get("channels", {}).get(event, {})
    exchange = channel.get("bindings", {}).get("amqp", {}).get("exchange", {})
    return str(exchange.get("name", ""))


def subscriptions_of(asyncapi: Document) -> tuple[Subscription, ...]:
    """Every subscription by name, then the queues that serve none."""
    groups: dict[str, list[tuple[int, Queue]]] = {}
    alone: set[str] = set()
    for channel in asyncapi.get("channels", {}).values():
        amqp = channel.get("bindings", {}).get("amqp", {})
        if amqp.get("is") != "queue":
            continue
        name = amqp["queue"]["name"]
        consumer = channel.get("x-consumer") or name
        if not channel.get("x-consumer"):
            alone.add(name)
        ttl = channel.get("x-arguments", {}).get(_TTL, 0)
        groups.setdefault(consumer, []).append((ttl, _queue(name, channel)))
    receivers = dict(_receivers(asyncapi))
    found = [
        _subscription(name, queues, receivers.get(name, {}))
        for name, queues in groups.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.name in alone, each.name)))


def duration(milliseconds: float) -> str:
    """``500 ms``, ``10 s``, ``5 min``, ``2 h``: the largest unit that is exact."""
    for unit, size in (("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size:.0f} {unit}"
    return f"{milliseconds:g} ms"


def _queue(name: str, channel: Document) -> Queue:
    arguments = channel.get("x-arguments", {})
    return Queue(
        name=name,
        role=channel.get("x-role", ""),
        delay=duration(arguments[_TTL]) if _TTL in arguments else "",
        description=channel.get("description", ""),
        arguments=_arguments(arguments),
        bindings=tuple(
            (binding["exchange"], binding["routingKey"])
            for binding in channel.get("x-bindings", ())
        ),
    )


def _subscription(
    name: str, queues: list[tuple[int, Queue]], operation: Document
) -> Subscription:
    def place(each: tuple[int, Queue]) -> tuple[int, int, str]:
        ttl, queue = each
        known = _ORDER.index(queue.role) if queue.role in _ORDER else len(_ORDER)
        return known, ttl, queue.name

    ordered = [queue for _, queue in sorted(queues, key=place)]
    return Subscription(
        id=anchor("queue", name),
        name=name,
        summary=operation.get("summary", ordered[0].description),
        queues=tuple(ordered),
        policy=tuple(_policy(operation.get("x-policy", {}))),
    )


def _policy(policy: Document) -> Iterator[tuple[str, str]]:
    if not policy:
        return
    delays = ", ".join(duration(delay * 1000) for delay in policy["delays"])
    retries = policy["immediate_retries"]
    yield "Tried again at once", "once" if retries == 1 else f"{retries} times"
    yield "And again after", delays or "none"
    yield "Time for a try", duration(policy["timeout"] * 1000)
    yield (
        "Not again after",
        ", ".join(policy["never_retry"]) or "any error is tried again",
    )
    yield "In order", "yes, one at a time" if policy["ordered"] else "no"
    yield "At the same time", f"up to {policy['concurrency']}"


def _receivers(asyncapi: Document) -> Iterator[tuple[str, Document]]:
    """What receives from each queue."""
    channels = asyncapi.get("channels", {})
    for operation in asyncapi.get("operations", {}).values():
        if operation.get("action") == "receive":
            name = operation["channel"]["$ref"].rpartition("/")[2]
            channel = channels.get(name.replace("~1", "/").replace("~0", "~"), {})
            yield channel.get("address", name), operation


def _arguments(arguments: Document) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, json.dumps(value, ensure_ascii=False))
        for name, value in arguments.items()
    )
