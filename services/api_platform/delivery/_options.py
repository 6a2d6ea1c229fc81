"""What can be set about the delivery of webhooks.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.api_platform.toggles import CANARY, CanarySettings, FeatureToggles

STABLE: Final = "stable"
NEWER: Final = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """How one worker delivers.

    Args:
        concurrency: The most deliveries at a time.
        per_endpoint: Of those, to one endpoint.
        retention: How long what is over stays.
        lease_margin: What a lease is longer than an attempt may take: time to write the
            result, and for clocks to differ.
        gather: Seconds from the end of a delivery to the next look, while others are
            under way: they may end too, and one lease is for all that do.
        busy_poll: Seconds to the next look when there was something a moment ago.
        poll: The most seconds between two looks.
    """

    concurrency: int = 64
    per_endpoint: int = 8
    retention: timedelta = timedelta(days=30)
    lease_margin: timedelta = timedelta(seconds=30)
    gather: float = 0.003
    busy_poll: float = 0.02
    poll: float = 1.0

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.per_endpoint < 1:
            raise ValueError("concurrency and per_endpoint must be 1 or more.")
        if self.gather < 0:
            raise ValueError("gather must be 0 or more.")
        if not 0 < self.busy_poll <= self.poll:
            raise ValueError("busy_poll must be above 0, and at most poll.")


@dataclass(frozen=True, slots=True)
class Settings:
    """How one attempt is made."""

    name: str
    """`STABLE` or `NEWER`, in metrics and in the log of attempts."""
    timeout: float
    """Seconds for all of it: the name, the connection, the answer."""


STABLE_SETTINGS: Final = Settings(STABLE, 15.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which endpoints get the newer settings, at the moment."""

    canary: CanarySettings | None = None

    @property
    def longest(self) -> timedelta:
        """What an attempt may take."""
        newer = 0.0 if self.canary is None else self.canary.timeout_seconds
        return timedelta(seconds=max(STABLE_SETTINGS.timeout, newer))

    def of(self, webhook_id: UUID) -> Settings:
        """The settings for an endpoint."""
        if self.canary is None or place_of(webhook_id) >= self.canary.share:
            return STABLE_SETTINGS
        return Settings(NEWER, self.canary.timeout_seconds)


def place_of(webhook_id: UUID) -> float:
    """Where an endpoint stands from 0 to 1, always and for every process the same.

    So an endpoint that is in a share stays in it when the share grows.
    """
    digest = hashlib.sha256(webhook_id.bytes).digest()
    # As many bits as a float has: of more, the highest would round up to 1, which is in
    # no share, not even in that of all.
    return (int.from_bytes(digest[:8]) >> 11) / 2.0**53


async def current_choice(toggles: FeatureToggles) -> Choice:
    """What the switch says now."""
    return Choice(await toggles.get(CANARY, CanarySettings))
