"""What is limited, and the rules of a good question.

Private: import these names from ``shared.rate_limit``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MICROSECONDS: Final = 1_000_000

# A window is counted in this many parts, so that a key costs a bounded amount of memory
# whatever its limit. What was taken in one part comes back together, with its latest.
PARTS: Final = 60

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST: Final = 366 * 24 * 3600
# The largest Integer of a structured field (RFC 9651, section 3.3.1)
_LARGEST: Final = 999_999_999_999_999


@dataclass(frozen=True, slots=True)
class RateLimitPolicy:
    """At most *limit* units in any *window* seconds.

    Policies of one name and window share their count: routes that name the same policy
    do, and so a plan with a higher limit, or a limit that is changed, keeps what was
    used.

    Args:
        name: Shown to clients, and the label of metrics: ``burst``, ``daily``.
        limit: Units, which are requests where every one costs 1.
        window: Whole seconds, up to 366 days.

    Raises:
        ValueError: The name, the limit or the window is none.
    """

    name: str
    limit: int
    window: int

    def __post_init__(self) -> None:
        name: object = self.name
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(
                "The name of a rate limit policy must be 1 to 64 of A-Z a-z 0-9 . _ - "
                f"and begin with a letter or digit (got {self.name!r})."
            )
        if not _is_whole(self.limit) or not 1 <= self.limit <= _LARGEST:
            raise ValueError(
                f"The limit of policy {self.name!r} must be a whole number from 1 to "
                f"{_LARGEST} (got {self.limit!r})."
            )
        if not _is_whole(self.window) or not 1 <= self.window <= _LONGEST:
            raise ValueError(
                f"The window of policy {self.name!r} must be whole seconds from 1 to "
                f"{_LONGEST} (got {self.window!r})."
            )


def check_policies(policies: Sequence[RateLimitPolicy]) -> None:
    """Raise ValueError unless there is a policy, and no name stands twice."""
    if not policies:
        raise ValueError("A rate limit needs a policy.")
    if len(policies) == 1:
        return
    names = [policy.name for policy in policies]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The policies of one rate limit name {twice!r} twice.")


def check_cost(cost: int) -> None:
    """Raise ValueError unless *cost* is a whole number of units."""
    if not _is_whole(cost) or not 0 <= cost <= _LARGEST:
        raise ValueError(
            f"The cost must be a whole number from 0 to {_LARGEST} (got {cost!r})."
        )


def check_question(key: str, policies: Sequence[RateLimitPolicy], cost: int) -> None:
    """Raise ValueError unless a limiter can answer this."""
    if not _is_text(key):
        # Not shown: it may be an address or a name.
        raise ValueError("The key of a rate limit must be text that is not empty.")
    check_policies(policies)
    check_cost(cost)


def _is_whole(value: object) -> bool:
    return type(value) is int


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
