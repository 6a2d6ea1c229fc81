"""Units that a call has taken, to be kept or given back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.quota._repository import UsageLogRepository
from shared.database import Database
from shared.rate_limit import Reservation, rate_limit_fields

_log = logging.getLogger("api_platform.quota")

# The request may be over by then, and must not hang on a server that says nothing.
_GIVE_BACK_WITHIN: Final = 5.0


class Usage:
    """What `QuotaService.check_and_log_usage` took.

    An error in its block refunds it::

        async with usage:
            job = await orchestration.initiate_generation(...)
            db.add(job)
            await usage.commit()

    Attributes:
        id: Of the row in the usage log.
        cost: Units, after discounts.
    """

    def __init__(
        self,
        usage_id: UUID,
        cost: int,
        *,
        db: AsyncSession,
        database: Database,
        reservations: Sequence[Reservation],
    ) -> None:
        self.id = usage_id
        self.cost = cost
        self._db = db
        self._database = database
        self._reservations = reservations
        self._settled = False

    @property
    def fields(self) -> Mapping[str, str]:
        """`RateLimit` and `RateLimit-Policy`; empty if nothing could be counted."""
        decisions = [each.decision for each in self._reservations]
        return rate_limit_fields(*(each for each in decisions if each is not None))

    async def commit(self) -> None:
        """Keep the units, in the transaction of the caller.

        If that one fails the units stay taken, and reserved in the log until
        `UsageSweep` refunds them there.
        """
        if self._settled:
            return
        await UsageLogRepository(self._db).commit(self.id)
        self._settled = True
        for reservation in self._reservations:
            reservation.commit()

    async def refund(self) -> None:
        """Give the units back, at once and in a transaction of its own.

        What the caller's session has begun is rolled back: it was not done. SQLite,
        which has one writer, would have the two wait for each other.

        If the log can't be written they stay taken until their windows end: rather
        too few units are left than more than the log tells.
        """
        if self._settled:
            return
        self._settled = True
        try:
            async with asyncio.timeout(_GIVE_BACK_WITHIN):
                await self._db.rollback()
                async with self._database.session() as session:
                    await UsageLogRepository(session).refund(self.id)
        except Exception:
            # The error that brought us here is the one to show.
            _log.warning("Usage %s stays reserved.", self.id, exc_info=True)
            return
        for reservation in self._reservations:
            await reservation.refund()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            await self.refund()
