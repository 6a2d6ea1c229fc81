"""What an action costs those who use much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.api_platform.quota._repository import UsageLogRepository
from services.api_platform.toggles import DISCOUNTS, DiscountSettings, FeatureToggles
from shared.cache import InMemoryCache
from shared.database import Database

_SECONDS: Final = 30.0


class Discounts:
    """Lowers costs by the volume of the month, if `enableVolumeDiscounts` is on.

    Args:
        database: Where the usage log is.
        toggles: Where the table is.
        now: The clock; months are those of UTC.
        seconds: How long a volume is remembered, since it is a sum of many rows.
    """

    def __init__(
        self,
        database: Database,
        toggles: FeatureToggles,
        now: Callable[[], datetime],
        *,
        seconds: float = _SECONDS,
    ) -> None:
        self._database = database
        self._toggles = toggles
        self._now = now
        self._seconds = seconds
        self._volumes = InMemoryCache()

    async def cost_for(self, user_id: UUID, cost: int) -> int:
        """What of *cost* the user pays, rounded up to whole units."""
        settings = await self._toggles.get(DISCOUNTS, DiscountSettings)
        if settings is None:
            return cost
        volume = await self._volume(user_id)
        return discounted(cost, settings, volume)

    async def _volume(self, user_id: UUID) -> int:
        month = self._now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)

        async def add_up() -> int:
            async with self._database.session(read_only=True) as session:
                return await UsageLogRepository(session).volume(user_id, since=month)

        key = f"{user_id}:{month:%Y-%m}"
        volume: int = await self._volumes.get_or_fill(key, add_up, ttl=self._seconds)
        return volume


def discounted(cost: int, settings: DiscountSettings, volume: int) -> int:
    """*cost* less the discount of the highest volume that was reached."""
    reached = [each for each in settings.table if volume >= each.from_units]
    if not reached:
        return cost
    percent = max(reached, key=lambda each: each.from_units).percent
    return -(-cost * (100 - percent) // 100)
