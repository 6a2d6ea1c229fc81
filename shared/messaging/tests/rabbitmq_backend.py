"""What the tests of `RabbitMQBus` share: a broker, cleaned up behind each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiormq
import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from shared.events import EventRegistry
from shared.messaging import BrokerUnavailableException, EventBus
from shared.messaging._topology import CATALOGUE, UNROUTED, dead_queue, topology_of
from shared.messaging.rabbitmq import RabbitMQBus
from shared.testing.bus_contract import (
    BusBackend,
    BusWorld,
    StoredMessage,
)
from shared.testing.servers import rabbitmq_url
from shared.testing.tcp_proxy import TcpProxy


def through(proxy: TcpProxy) -> str:
    """The address of the broker behind *proxy*."""
    parts = urlsplit(rabbitmq_url())
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{proxy.host}:{proxy.port}").geturl()


class Backend(BusBackend):
    """The broker, and what this test made on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.buses: list[RabbitMQBus] = []
        self.services: set[str] = set()

    def bus(
        self, service_name: str, *, registry: EventRegistry, **options: Any
    ) -> RabbitMQBus:
        url = options.pop("url", self.url)
        bus = RabbitMQBus(service_name, url, registry=registry, **options)
        self.buses.append(bus)
        self.services.add(service_name)
        return bus

    async def dead_letters(self, consumer: str) -> list[StoredMessage]:
        found = await self.browse(dead_queue(consumer), lambda _: False)
        return [StoredMessage(m.body, m.header.properties.headers or {}) for m in found]

    async def unrouted(self, event_type: str) -> int:
        found = await self.browse(UNROUTED, lambda _: False)
        return sum(routing_key(message) == event_type for message in found)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel of its own connection."""
        async with aiormq.connect(self.url) as connection:
            yield await connection.channel()

    async def browse(
        self, queue: str, remove: Callable[[DeliveredMessage], bool]
    ) -> list[DeliveredMessage]:
        """All messages of *queue*. They stay there unless *remove* says otherwise."""
        found = []
        async with self.channel() as channel:
            declared = await channel.queue_declare(queue, passive=True)
            for _ in range(declared.message_count or 0):
                message = await channel.basic_get(queue)
                if not isinstance(message.delivery, Basic.GetOk):
                    break
                found.append(message)
                if remove(message):
                    await channel.basic_ack(message.delivery.delivery_tag or 0)
        return found

    async def clean(self) -> None:
        """Remove what was made."""
        async with self.channel() as channel:
            for bus in self.buses:
                for queue in topology_of(bus._subscriptions).queues:
                    if queue.name not in (UNROUTED, CATALOGUE):
                        await channel.queue_delete(queue.name)
        suffixes = {service.rpartition("-")[2] for service in self.services}
        await self.browse(
            UNROUTED,
            lambda message: any(suffix in routing_key(message) for suffix in suffixes),
        )
        await self.browse(
            CATALOGUE,
            lambda message: json.loads(message.body).get("service") in self.services,
        )


def routing_key(message: DeliveredMessage) -> str:
    """The key it was published with."""
    assert isinstance(message.delivery, Basic.GetOk)
    return message.delivery.routing_key or ""


class OnServer:
    """Tests that need the broker."""

    @pytest.fixture
    async def backend(self) -> AsyncIterator[Backend]:
        """The broker, cleaned up behind the test."""
        backend = Backend(rabbitmq_url())
        yield backend
        await backend.clean()

    @pytest.fixture
    async def proxy(self) -> AsyncIterator[TcpProxy]:
        """Between a bus and the broker."""
        parts = urlsplit(rabbitmq_url())
        async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
            yield proxy

    @pytest.fixture
    async def world(self, backend: Backend) -> AsyncIterator[BusWorld]:
        """Event types and services of this test."""
        world = BusWorld(backend)
        yield world
        await world.close()


async def healthy(bus: EventBus) -> None:
    """Wait until *bus* publishes and consumes, as long as is promised."""
    problem: Exception | None = OSError()
    async with asyncio.timeout(10):
        while problem is not None:
            problem = None
            try:
                await bus.check()
            except BrokerUnavailableException as error:
                problem = error
                await asyncio.sleep(0.01)
