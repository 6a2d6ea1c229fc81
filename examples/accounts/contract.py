"""What accounts promises to others: the service as it is, and the events it publishes.

`./bazelw build //examples/accounts:contract` writes it down.
"""

from __future__ import annotations

from typing import Any, Final

from examples.accounts._settings import Settings
from examples.accounts.app import bootstrap
from shared.app import Service
from shared.events import BaseEvent, UserRegisteredEvent
from shared.messaging import InMemoryBus

PUBLISHES: Final[tuple[type[BaseEvent[Any]], ...]] = (UserRegisteredEvent,)


def service() -> Service:
    """Build the service with its defaults: nothing is read, nothing is opened."""
    return bootstrap(Settings(service_name="accounts"), bus=InMemoryBus("accounts"))
