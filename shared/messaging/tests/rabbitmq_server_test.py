"""`RabbitMQBus` on a real broker."""

from __future__ import annotations

from shared.messaging.tests.rabbitmq_backend import OnServer
from shared.testing.bus_contract import BusContract


class TestContract(OnServer, BusContract):
    """The rules that every bus obeys."""
