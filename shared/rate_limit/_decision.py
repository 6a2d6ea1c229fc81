"""What a limiter answers.

Private: import these names from ``shared.rate_limit``.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.rate_limit._policy import RateLimitPolicy

# Named tuples, since every request makes some: a frozen dataclass takes four times as
# long.


class Standing(NamedTuple):
    """Where a key stands with one policy, after the decision.

    Attributes:
        policy: The policy.
        remaining: Units that are left.
        reset_after: Seconds until units come back; 0 when none are out.
        retry_after: Seconds until the cost fits; 0 when it did, ``inf`` when it is more
            than the policy's limit.
    """

    policy: RateLimitPolicy
    remaining: int
    reset_after: float
    retry_after: float


class Decision(NamedTuple):
    """Whether the cost was taken from all policies, or from none. True if it was.

    Attributes:
        allowed: Whether it fits, and so was taken (``peek`` takes nothing).
        key: Whose units they are.
        cost: How many units it is about.
        standings: One for each policy, in the order of the question.
        decided_at: The limiter's own clock in microseconds, by which ``refund`` finds
            the units again. It says nothing about the time of day.
    """

    allowed: bool
    key: str
    cost: int
    standings: tuple[Standing, ...]
    decided_at: int

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def policies(self) -> tuple[RateLimitPolicy, ...]:
        """The policies that were asked."""
        return tuple(standing.policy for standing in self.standings)

    @property
    def violated(self) -> tuple[RateLimitPolicy, ...]:
        """The policies that refused."""
        return tuple(s.policy for s in self.standings if s.retry_after)

    @property
    def remaining(self) -> int:
        """The units that are left in the tightest policy."""
        return min(standing.remaining for standing in self.standings)

    @property
    def retry_after(self) -> float:
        """Seconds until the cost fits all policies; 0 when it did, ``inf`` for never.

        That is, if nobody takes units until then.
        """
        return max(standing.retry_after for standing in self.standings)
