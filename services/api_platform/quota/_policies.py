"""The windows that a call is counted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from services.api_platform.limits import Limits
from shared.rate_limit import RateLimitPolicy

MINUTE: Final = 60
DAY: Final = 24 * 3600
MONTH: Final = 30 * DAY

TOLD_FROM: Final = 3600
"""Shorter windows smooth a load, and nobody wants to hear of each that is full."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The policies of a key, and those of its user over all keys."""

    key: tuple[RateLimitPolicy, ...]
    user: tuple[RateLimitPolicy, ...]

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """Those of the settings."""
        return cls(
            key=_policies(
                ("key-minute", limits.key_per_minute, MINUTE),
                ("key-day", limits.key_per_day, DAY),
            ),
            user=_policies(
                ("user-minute", limits.user_per_minute, MINUTE),
                ("user-day", limits.user_per_day, DAY),
                ("user-month", limits.user_per_month, MONTH),
            ),
        )

    def owners(
        self, key_id: UUID, user_id: UUID
    ) -> list[tuple[str, UUID | None, tuple[RateLimitPolicy, ...]]]:
        """Whose units are counted, by which key if by one, and in what windows."""
        owners = [
            (f"key:{key_id}", key_id, self.key),
            (f"user:{user_id}", None, self.user),
        ]
        return [owner for owner in owners if owner[2]]


def _policies(*windows: tuple[str, int, int]) -> tuple[RateLimitPolicy, ...]:
    return tuple(
        RateLimitPolicy(name, limit, seconds)
        for name, limit, seconds in windows
        if limit
    )
