"""The seam: what every limiter does.

Private: import ``RateLimiter`` from ``shared.rate_limit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.rate_limit._decision import Decision
from shared.rate_limit._policy import RateLimitPolicy


class RateLimiter(Protocol):
    """Counts units by key, and says whether more fit.

    The guarantee: in any interval of a policy's window, at most its limit is taken, by
    however many tasks, threads or processes share the store. ``//shared/testing`` has
    the suite that every implementation passes.
    """

    async def acquire(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """Take *cost* units from all policies, or from none if one has too few.

        A refused question takes nothing, so asking again too early does not prolong
        the wait.

        Raises:
            ValueError: No policy, one name twice, an empty key, or a cost that is no
                whole number from 0 on.
            RateLimitUnavailableException: The store does not answer.
        """
        ...

    async def peek(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """Answer as ``acquire`` would, and take nothing."""
        ...

    async def refund(self, decision: Decision, units: int | None = None) -> None:
        """Give *units* of an allowed decision back to all its policies.

        All of its cost when left out. Units whose time has come anyway, and decisions
        that took nothing, are left alone. Refund a decision once: `Reservation` sees
        to that.

        Raises:
            ValueError: More units than the decision took.
            RateLimitUnavailableException: The store does not answer.
        """
        ...


def refundable(decision: Decision, units: int | None) -> int:
    """How many units a refund is about.

    Raises:
        ValueError: More than were taken, or no whole number.
    """
    if units is None:
        units = decision.cost
    if type(units) is not int or not 0 <= units <= decision.cost:
        raise ValueError(
            f"A refund must be a whole number from 0 to the {decision.cost} that were "
            f"taken (got {units!r})."
        )
    return units if decision.allowed else 0
