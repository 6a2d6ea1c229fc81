"""What happens in a cache, for metrics.

Private: import ``CacheEvent`` from ``shared.cache``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum

_log = logging.getLogger("shared.cache")


class CacheEvent(StrEnum):
    """What ``on_event`` is called with."""

    HIT = "hit"
    MISS = "miss"
    FILLED = "filled"
    FILL_FAILED = "fill_failed"
    # A value in the store that the codec refuses; a miss follows.
    UNDECODABLE = "undecodable"
    # Removed for want of room, before its time (in process).
    EVICTED = "evicted"
    # The store did not answer (Redis).
    UNAVAILABLE = "unavailable"
    # Filled without storing: another process took too long to fill, or the value was
    # written, deleted or filled by somebody else meanwhile (Redis).
    NOT_STORED = "not_stored"


OnEvent = Callable[[CacheEvent], None]


def observer(on_event: OnEvent | None) -> OnEvent:
    """*on_event*, so that what it raises is logged and disturbs nobody."""
    if on_event is None:
        return lambda _: None
    wrapped = on_event

    def observe(event: CacheEvent) -> None:
        try:
            wrapped(event)
        except Exception:
            _log.exception("on_event failed")

    return observe
