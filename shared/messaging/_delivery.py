"""What a handler may know about the message that it handles.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from shared.events import BaseEvent


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try of one handler at one event."""

    event: BaseEvent[Any]
    consumer: str
    """The name of the subscription, with that of the service."""
    attempt: int
    """1 for the first try."""
    redelivered: bool
    """Somebody had it before and did not say what became of it."""
    headers: Mapping[str, Any]
    """Of the message, as the broker has them."""


_current: Final[ContextVar[Delivery | None]] = ContextVar("delivery", default=None)


def current_delivery() -> Delivery | None:
    """The delivery that runs now; None outside of a handler."""
    return _current.get()


delivery_var = _current
