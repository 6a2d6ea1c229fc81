"""When a failed delivery is tried again, and when nobody tries any more.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_SECONDS, _MINUTES, _HOURS = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
)

SCHEDULE: Final = (
    5 * _SECONDS,
    5 * _MINUTES,
    30 * _MINUTES,
    2 * _HOURS,
    5 * _HOURS,
    10 * _HOURS,
    14 * _HOURS,
    20 * _HOURS,
    24 * _HOURS,
)
"""The pauses behind each failed attempt that Standard Webhooks suggests: with the first
attempt, which is at once, ten in about 75 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The pauses between attempts.

    Args:
        schedule: The pause behind the first failed attempt, the second and so on.
            Behind the last there is one more attempt.
        jitter: How much of a pause is left to chance, in either direction: 0.1 makes it
            90 to 110 %. So what failed together does not come back together.
        longest: The most that a target's ``Retry-After`` is waited for.
        mending: The pause behind a fault of ours, which is no attempt.
        patience: An endpoint that has failed for so long, with no success between, is
            disabled.
        gap: Failures that are further apart are not one row: nobody knows how the
            endpoint did meanwhile. A delivery that fails is tried more often than that.
        rng: A random number from 0 to 1.
    """

    schedule: tuple[timedelta, ...] = SCHEDULE
    jitter: float = 0.1
    longest: timedelta = timedelta(hours=24)
    mending: timedelta = _MINUTES
    patience: timedelta = timedelta(days=5)
    gap: timedelta = timedelta(days=2)
    rng: Callable[[], float] = random.random

    @property
    def attempts(self) -> int:
        """The most attempts of a delivery."""
        return len(self.schedule) + 1

    def next_attempt(
        self, number: int, *, now: datetime, retry_after: float | None = None
    ) -> datetime | None:
        """When to try again; None if that was the last attempt.

        Args:
            number: Of the attempt that failed, from 1 on.
            now: When it had failed.
            retry_after: The seconds for which the target wants to be left alone. It
                makes a pause longer, up to `longest`, and never shorter: who asks to be
                called again soon can't have more attempts, or sooner, than others.
        """
        if number >= self.attempts:
            return None
        chance = self._chance()
        pause = self.schedule[number - 1] * (1.0 + self.jitter * chance)
        if retry_after is not None:
            # Compared as seconds: a header may name more than a timedelta holds.
            asked = min(retry_after, self.longest.total_seconds())
            # Behind that moment, and not all at it.
            least = timedelta(seconds=asked) * (1.0 + self.jitter * abs(chance))
            pause = max(pause, least)
        return now + pause

    def after_mending(self, now: datetime) -> datetime:
        """When to look again whether a fault of ours is mended."""
        return now + self.mending * (1.0 + self.jitter * self._chance())

    def _chance(self) -> float:
        return 2.0 * self.rng() - 1.0
