"""What server and worker have in common, for the packages that add to either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.api_platform.toggles import FeatureToggles
from shared.app import Service
from shared.database import Database
from shared.http_client import PublicTransport
from shared.messaging import EventBus
from shared.messaging.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Parts:
    """What server and worker have in common."""

    service: Service
    database: Database
    bus: EventBus
    outbox: Outbox
    toggles: FeatureToggles
    transport: PublicTransport
    """Reaches the targets of webhooks, and nothing that is not public."""
    now: Callable[[], datetime]
