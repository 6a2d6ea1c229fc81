from __future__ import annotations

from typing import Any

import pytest

from shared.events import EventRegistry
from shared.messaging import EventBus, InMemoryBroker, InMemoryBus
from shared.testing.bus_contract import BusBackend, BusContract, StoredMessage


class _Backend(BusBackend):
    def __init__(self) -> None:
        self.broker = InMemoryBroker()

    def bus(
        self, service_name: str, *, registry: EventRegistry, **options: Any
    ) -> EventBus:
        return InMemoryBus(
            service_name, registry=registry, broker=self.broker, **options
        )

    async def dead_letters(self, consumer: str) -> list[StoredMessage]:
        return [
            StoredMessage(letter.message.body, letter.headers)
            for letter in self.broker.dead_letters(consumer)
        ]

    async def unrouted(self, event_type: str) -> int:
        kept = [message.event_type for message in self.broker.unrouted]
        return kept.count(event_type)


class TestInMemoryBus(BusContract):
    @pytest.fixture
    def backend(self) -> BusBackend:
        """A broker for the services of one test."""
        return _Backend()
