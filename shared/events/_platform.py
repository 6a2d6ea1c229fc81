"""The registry of the platform's events.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

from typing import Any

from shared.events._envelope import MAX_EVENT_BYTES, BaseEvent
from shared.events._registry import EventRegistry
from shared.events.api_key import EVENTS as API_KEY_EVENTS
from shared.events.generation import EVENTS as GENERATION_EVENTS
from shared.events.project import EVENTS as PROJECT_EVENTS
from shared.events.quota import EVENTS as QUOTA_EVENTS
from shared.events.social import EVENTS as SOCIAL_EVENTS
from shared.events.subject import EVENTS as SUBJECT_EVENTS
from shared.events.team import EVENTS as TEAM_EVENTS
from shared.events.user import EVENTS as USER_EVENTS
from shared.events.webhook import EVENTS as WEBHOOK_EVENTS

PLATFORM_EVENTS = EventRegistry(
    [
        *API_KEY_EVENTS,
        *GENERATION_EVENTS,
        *PROJECT_EVENTS,
        *QUOTA_EVENTS,
        *SOCIAL_EVENTS,
        *SUBJECT_EVENTS,
        *TEAM_EVENTS,
        *USER_EVENTS,
        *WEBHOOK_EVENTS,
    ]
)
"""The events of `EventType`. A service that has own ones makes a registry of both::

    events = EventRegistry(
        [*PLATFORM_EVENTS, InvoicePaid], upcasters=PLATFORM_EVENTS.upcasters
    )
"""


def parse_event(
    data: bytes | bytearray | str, *, max_bytes: int = MAX_EVENT_BYTES
) -> BaseEvent[Any]:
    """Read one of the platform's events; see `EventRegistry.parse`."""
    return PLATFORM_EVENTS.parse(data, max_bytes=max_bytes)
