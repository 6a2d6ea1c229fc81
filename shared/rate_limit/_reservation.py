"""Units that are held while something is tried, and given back if it fails.

Private: import these names from ``shared.rate_limit``.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shared.rate_limit._decision import Decision
from shared.rate_limit._errors import RateLimitUnavailableException
from shared.rate_limit._fields import refusal
from shared.rate_limit._limiter import RateLimiter, refundable
from shared.rate_limit._policy import RateLimitPolicy

_log = logging.getLogger("shared.rate_limit")


class Reservation:
    """Units that were taken, to be kept or given back, once.

    Args:
        limiter: Where they were taken.
        decision: What it answered; None if it could not be asked.
    """

    def __init__(self, limiter: RateLimiter, decision: Decision | None) -> None:
        self.decision = decision
        self._limiter = limiter
        self._open = decision is not None and decision.allowed

    def commit(self) -> None:
        """Keep the units: from here on, ``refund`` does nothing."""
        self._open = False

    async def refund(self, units: int | None = None) -> bool:
        """Give all units back, or that many, and keep the rest.

        A store that does not answer is logged and keeps the units, which come back by
        themselves with the window.

        Returns:
            Whether they were given back now.

        Raises:
            ValueError: More units than were taken.
        """
        if self.decision is None or not self._open:
            return False
        units = refundable(self.decision, units)
        self._open = False
        try:
            await self._limiter.refund(self.decision, units)
        except RateLimitUnavailableException as error:
            _log.warning("%d units could not be refunded: %s", units, error.detail)
            return False
        return True


@asynccontextmanager
async def reserve(
    limiter: RateLimiter,
    key: str,
    policies: Sequence[RateLimitPolicy],
    cost: int = 1,
) -> AsyncIterator[Reservation]:
    """Hold *cost* units during the block; an error in it gives them back.

    ::

        async with reserve(limiter, user_id, [DAILY], cost=5) as reservation:
            used = await render()
            await reservation.refund(5 - used)

    Raises:
        RateLimitExceededException: They are not there.
        RateLimitUnavailableException: The store does not answer.
    """
    decision = await limiter.acquire(key, policies, cost)
    if not decision.allowed:
        raise refusal(decision)
    reservation = Reservation(limiter, decision)
    try:
        yield reservation
    except BaseException:
        await reservation.refund()
        raise
    reservation.commit()
