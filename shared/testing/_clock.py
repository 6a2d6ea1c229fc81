"""A clock that moves when a test says so.

Private: import ``FakeClock`` from ``shared.testing``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

_START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeClock:
    """Time that stands still until it is advanced.

    Pass ``clock.now`` where code asks for the time of day, ``clock.monotonic`` where it
    measures, ``clock.time`` for seconds since 1970, and ``clock.sleep`` or
    ``clock.async_sleep`` where it waits. The clock itself, called, is ``clock.now``.

    Args:
        start: The first moment, aware. The default is a noon in UTC.
        monotonic: What ``monotonic()`` says at that moment.

    Raises:
        ValueError: *start* has no zone.
    """

    def __init__(self, start: datetime = _START, *, monotonic: float = 1000.0) -> None:
        if start.utcoffset() is None:
            raise ValueError("start must be an aware datetime.")
        self._start = start.astimezone(UTC)
        self._monotonic = monotonic
        self._passed = timedelta()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return self._start + self._passed

    __call__ = now

    def time(self) -> float:
        """Return the seconds since 1970, as ``time.time`` does."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """Return the seconds since some moment, as ``time.monotonic`` does."""
        return self._monotonic + self._passed.total_seconds()

    def advance(self, by: float | timedelta) -> datetime:
        """Let *by* pass, seconds or a ``timedelta``, and return the new time.

        Raises:
            ValueError: Time does not run backwards; ``turn_back`` sets the time of day.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError(f"A clock can't advance by a negative time (got {by}).")
        self._passed += step
        return self.now()

    def turn_back(self, by: float | timedelta) -> datetime:
        """Set the time of day back by *by*, as an administrator or NTP would.

        ``monotonic`` does not notice.
        """
        self._start -= by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Pass the time at once. What was slept is in ``slept``, in order."""
        self.slept.append(seconds)
        self.advance(max(0.0, seconds))

    async def async_sleep(self, seconds: float) -> None:
        """Pass the time at once, and let other tasks run."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def __repr__(self) -> str:
        return f"<FakeClock {self.now().isoformat()}>"
