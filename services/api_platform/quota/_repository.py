"""The usage log in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import APIUsageLog, UsageState

_MOST: Final = 10_000


class DayOfUsage(NamedTuple):
    """What was used of one action on one day, in UTC."""

    day: date
    action: str
    committed_calls: int
    committed_units: int
    reserved_calls: int
    reserved_units: int
    refunded_calls: int
    refunded_units: int


class UsageLogRepository:
    """The log in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def add(self, usage: APIUsageLog) -> None:
        """Add a call."""
        self._session.add(usage)

    async def commit(self, usage_id: UUID) -> None:
        """Say that units were used; it may have been refunded as broken off before."""
        await self._settle(
            UsageState.COMMITTED,
            APIUsageLog.id == usage_id,
            APIUsageLog.state != UsageState.COMMITTED,
        )

    async def refund(self, usage_id: UUID) -> None:
        """Say that units that were reserved were not used."""
        await self._settle(
            UsageState.REFUNDED,
            APIUsageLog.id == usage_id,
            APIUsageLog.state == UsageState.RESERVED,
        )

    async def refund_reserved(self, *, before: datetime, limit: int) -> int:
        """Refund the oldest rows that were reserved before then; how many these are.

        Rows that another transaction has are left to it. On SQLite there is only one.
        """
        found = await self._session.scalars(
            select(APIUsageLog.id)
            # As it stands in the index: a parameter might be anything.
            .where(
                APIUsageLog.state == literal(UsageState.RESERVED, literal_execute=True)
            )
            .where(APIUsageLog.created_at < before)
            .order_by(APIUsageLog.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        ids = found.all()
        if ids:
            await self._settle(UsageState.REFUNDED, APIUsageLog.id.in_(ids))
        return len(ids)

    async def _settle(
        self, state: UsageState, *conditions: ColumnElement[bool]
    ) -> None:
        await self._session.execute(
            update(APIUsageLog)
            .where(*conditions)
            .values(state=state)
            .execution_options(synchronize_session=False)
        )

    async def volume(self, user_id: UUID, *, since: datetime) -> int:
        """The units that a user has taken since then and not got back."""
        found = await self._session.scalar(
            select(func.coalesce(func.sum(APIUsageLog.cost), 0))
            .where(APIUsageLog.user_id == user_id)
            .where(APIUsageLog.created_at >= since)
            .where(APIUsageLog.state != UsageState.REFUNDED)
        )
        return int(found or 0)

    async def by_day(
        self,
        *,
        user_id: UUID,
        api_client_id: UUID | None,
        begin: datetime,
        end: datetime,
    ) -> Sequence[DayOfUsage]:
        """What was used from *begin* to before *end*, oldest first.

        Args:
            user_id: Whose.
            api_client_id: By which key; None for all of them.
            begin: The first moment.
            end: The first one after.
        """
        day = self._day().label("day")
        sums = [
            total
            for state in (
                UsageState.COMMITTED,
                UsageState.RESERVED,
                UsageState.REFUNDED,
            )
            for total in _sums(APIUsageLog.state == state)
        ]
        statement = (
            select(day, APIUsageLog.action, *sums)
            .where(APIUsageLog.user_id == user_id)
            .where(APIUsageLog.created_at >= begin)
            .where(APIUsageLog.created_at < end)
            .group_by(day, APIUsageLog.action)
            .order_by(day, APIUsageLog.action)
            .limit(_MOST)
        )
        if api_client_id is not None:
            statement = statement.where(APIUsageLog.api_client_id == api_client_id)
        rows = (await self._session.execute(statement)).all()
        return [
            DayOfUsage(row[0], row[1], *(int(value) for value in row[2:]))
            for row in rows
        ]

    def _day(self) -> ColumnElement[date]:
        """The day of a row in UTC, whatever zone the server thinks it is in."""
        moment = APIUsageLog.created_at
        if self._session.get_bind().dialect.name == "postgresql":
            return cast(func.timezone("UTC", moment), Date)
        return type_coerce(func.date(moment), Date)


def _sums(condition: ColumnElement[bool]) -> tuple[ColumnElement[int], ...]:
    counted = type_coerce(condition, Boolean)
    calls = func.sum(case((counted, 1), else_=0))
    units = func.sum(case((counted, APIUsageLog.cost), else_=0))
    return calls, units
