"""What AsyncAPI says of queues is what a broker has, once a bus was started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, cast
from uuid import uuid4

import aiormq
import pytest
from aiormq.abc import AbstractConnection
from aiormq.exceptions import ChannelPreconditionFailed
from pamqp.commands import Basic

from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.messaging.rabbitmq import RabbitMQBus
from shared.messaging.topology import CATALOGUE, EVENTS, UNROUTED, topology_of
from shared.testing.servers import rabbitmq_url
from tools.contracts.asyncapi import asyncapi_document
from tools.contracts.declared import Declared, written
from tools.contracts.inventory import inventory
from tools.contracts.service import consumer_of

Queues = dict[str, dict[str, Any]]

# Types that no service on this broker is bound for.
SUFFIX = uuid4().hex[:12]
SHARED = (CATALOGUE, UNROUTED)


class Happening(EventPayload):
    """What the events of these tests say."""


def event_class(name: str) -> type[BaseEvent[Happening]]:
    """A type of event."""
    event_type = f"test_{SUFFIX}.{name}"
    members = {
        "__module__": __name__,
        "__doc__": "It happened.",
        "__annotations__": {"event_type": Literal[event_type]},
        "event_type": event_type,
    }
    cls = type(name.title(), (BaseEvent[Happening],), members)
    return cast("type[BaseEvent[Happening]]", cls)


BEGUN, ENDED = event_class("begun"), event_class("ended")
REGISTRY = EventRegistry([BEGUN, ENDED])
KEY = f"test_{SUFFIX}.ended"


async def handler(event: BaseEvent[Any]) -> None:
    """Never called: the bus is stopped when something is published."""


def declared_by(bus: RabbitMQBus, name: str) -> Declared:
    """What a service with this bus would declare."""
    return {
        "format": 1,
        "name": name,
        "title": name,
        "target": "//a:b",
        "openapi": {},
        "errors": [],
        "publishes": [],
        "consumes": [consumer_of(each) for each in bus.subscriptions],
        "topology": written(topology_of(bus.subscriptions)),
        "own": {"dtos": {}, "events": {}, "validated_by": [], "documents": {}},
    }


@pytest.fixture
async def connection() -> AsyncIterator[AbstractConnection]:
    """To the broker, past our own code."""
    connection = await aiormq.connect(rabbitmq_url())
    yield connection
    await connection.close()


@pytest.fixture
async def queues(connection: AbstractConnection) -> AsyncIterator[Queues]:
    """The channels of queues, of a service that started and stopped."""
    name = f"test-{uuid4().hex[:12]}"
    bus = RabbitMQBus(name, rabbitmq_url(), registry=REGISTRY)
    bus.subscribe([BEGUN, ENDED], handler, name="each")
    bus.subscribe(ENDED, handler, name="in_order", ordered=True)
    base = written(topology_of([]))
    made = asyncapi_document([declared_by(bus, name)], *inventory({}, REGISTRY), base)
    async with bus:
        pass
    found = {
        channel["address"]: channel
        for channel in made["channels"].values()
        if channel["bindings"]["amqp"]["is"] == "queue"
    }
    yield found
    channel = await connection.channel()
    for queue in found.keys() - {*SHARED}:
        await channel.queue_delete(queue)
    entries = await channel.queue_declare(CATALOGUE, passive=True)
    for _ in range(entries.message_count or 0):
        entry = await channel.basic_get(CATALOGUE)
        if isinstance(entry.delivery, Basic.GetOk) and name.encode() in entry.body:
            await channel.basic_ack(entry.delivery.delivery_tag or 0)


async def declare(
    connection: AbstractConnection, queue: str, arguments: dict[str, Any]
) -> None:
    """Declare a queue that is there; the broker refuses other arguments than its."""
    channel = await connection.channel()
    await channel.queue_declare(queue, durable=True, arguments=arguments)
    await channel.close()


async def test_every_queue_is_there_with_its_arguments(
    connection: AbstractConnection, queues: Queues
) -> None:
    """RabbitMQ compares all of those that make a difference."""
    assert {each["x-role"] for each in queues.values()} == {
        *("main", "retry", "dead", "unrouted", "catalogue")
    }
    for name, documented in queues.items():
        channel = await connection.channel()
        await channel.queue_declare(name, passive=True)
        await channel.close()
        await declare(connection, name, documented["x-arguments"])


async def test_other_arguments_are_refused(
    connection: AbstractConnection, queues: Queues
) -> None:
    """The test above can fail."""
    for name in queues.keys() - {*SHARED}:
        arguments = queues[name]["x-arguments"] | {"x-max-length": 7}
        with pytest.raises(ChannelPreconditionFailed, match="x-max-length"):
            await declare(connection, name, arguments)


async def test_every_exchange_is_there(connection: AbstractConnection) -> None:
    """With its type and arguments."""
    made = asyncapi_document([], *inventory({}, REGISTRY), written(topology_of([])))
    channel = await connection.channel()
    for name, exchange in made["x-exchanges"].items():
        await channel.exchange_declare(
            name,
            exchange_type=exchange["type"],
            durable=exchange["durable"],
            arguments=exchange["arguments"],
        )

    assert EVENTS in made["x-exchanges"]


async def test_a_message_takes_the_way_that_is_documented(
    connection: AbstractConnection, queues: Queues
) -> None:
    """To every queue with that binding, and to no other."""
    channel = await connection.channel()
    await channel.basic_publish(b"{}", exchange=EVENTS, routing_key=KEY, mandatory=True)
    reached = set()
    for name in queues.keys() - {*SHARED}:
        found = await channel.queue_declare(name, passive=True)
        reached |= {name} if found.message_count else set()
    bound = {
        name
        for name, documented in queues.items()
        if {"exchange": EVENTS, "routingKey": KEY} in documented["x-bindings"]
    }

    assert len(bound) == 2
    assert reached == bound
