"""Deliveries in the database: leased, written, released, removed.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    CursorResult,
    Executable,
    Select,
    Table,
    delete,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.delivery._leases import (
    DELIVERIES,
    GIVE_UP,
    LEASE,
    LOCK_TO_END,
    RELEASE,
    REMOVE,
    REMOVE_WEBHOOK,
    TO_END,
    candidates,
    due,
    free,
    padded,
    pending,
    some_of,
)
from services.api_platform.delivery._policy import RetryPolicy
from services.api_platform.delivery._results import Recorded, record
from services.api_platform.delivery._sender import Attempt, Leased, Target
from services.api_platform.models import Webhook, WebhookAttempt
from shared.database import Database
from shared.messaging.outbox import Outbox

# More than are taken, so that workers which look at the same time find different ones.
_CHOICE: Final = 4
MOST_COUNTED: Final = 100_000
_REMOVED_AT_ONCE: Final = 1000
_WEBHOOKS_AT_ONCE: Final = 10
_ATTEMPTS: Final = cast("Table", WebhookAttempt.__table__)

# The columns and not the objects: a secret that can't be read is a failure of its own
# deliveries, not of all that were leased with them.
_TARGETS: Final = select(
    Webhook.id,
    Webhook.user_id,
    Webhook.target_url,
    Webhook.secret,
    Webhook.previous_secret,
    Webhook.previous_valid_until,
).where(Webhook.id.in_(some_of("ids")))


class Backlog(NamedTuple):
    """What waits."""

    pending: int
    """Deliveries that are not over; 100,000 stands for that or more."""
    due: int
    """Of those, what should be under way and is not."""
    oldest_due: float
    """The seconds by which the longest due is late; 0 without any."""


class Rate(NamedTuple):
    """How attempts went."""

    attempts: int
    failures: int
    average_ms: float | None


@dataclass(slots=True)
class Store:
    """The deliveries of one database.

    Attributes:
        database: Where they are.
        outbox: For what the owners are told.
        policy: When a failed delivery is tried again.
        now: The clock.
    """

    database: Database
    outbox: Outbox
    policy: RetryPolicy
    now: Callable[[], datetime]
    crowded: bool = False
    """Others took what this one had chosen: the next choice is left to chance."""

    async def lease(
        self,
        limit: int,
        *,
        per_endpoint: int,
        busy: Mapping[UUID, int],
        busy_users: Mapping[UUID, int],
        duration: timedelta,
    ) -> list[Leased]:
        """Take deliveries that are due, of each user in turn the longest due.

        A user gets no more than are left for all others: so there is always room for
        one who has nothing yet, however many there are whose targets never answer.

        Args:
            limit: The most: all that the worker has free.
            per_endpoint: Of those, of one endpoint.
            busy: How many each endpoint has already.
            busy_users: How many each user has already.
            duration: How long nobody else gets them.
        """
        now = self.now()
        full = [each for each, count in busy.items() if count >= per_endpoint]
        full_users = [each for each, count in busy_users.items() if count >= limit]
        asked = {
            "now": now,
            "most": limit * _CHOICE,
            "most_of_one": per_endpoint * _CHOICE,
            "without": padded(full),
            "without_users": padded(full_users),
        }
        statement = candidates(self.database.dialect)
        # Looking takes no lock, which on SQLite would be that of the only writer.
        async with self.database.session(read_only=True) as session:
            rows: list[tuple[UUID, UUID, UUID]] = [
                (row.id, row.webhook_id, row.user_id)
                for row in await session.execute(statement, asked)
            ]
        if not rows:
            return []
        if self.crowded:
            random.shuffle(rows)
        chosen: list[UUID] = []
        counts, users = Counter(busy), Counter(busy_users)
        for delivery_id, webhook_id, user_id in rows:
            left = limit - len(chosen)
            if counts[webhook_id] < per_endpoint and users[user_id] < left:
                counts[webhook_id] += 1
                users[user_id] += 1
                chosen.append(delivery_id)
        if not chosen:
            return []
        until, token = now + duration, uuid4()

        async def take(session: AsyncSession) -> list[Leased]:
            return await _taken(session, chosen, now, until, token)

        leased = await self.database.run_in_transaction(take)
        self.crowded = len(leased) < len(chosen)
        return leased

    async def record(self, attempts: Sequence[Attempt]) -> list[Recorded]:
        """Write what came of *attempts*: all of it or nothing."""

        async def write(session: AsyncSession) -> list[Recorded]:
            return await record(
                session,
                attempts,
                policy=self.policy,
                outbox=self.outbox,
                now=self.now(),
            )

        return await self.database.run_in_transaction(write)

    async def release(self, leased: Sequence[Leased]) -> None:
        """Let others have what was not tried."""
        if not leased:
            return
        ours = {
            "deliveries": padded([each.delivery_id for each in leased]),
            "tokens": padded({each.token for each in leased}),
        }

        async def give_back(session: AsyncSession) -> None:
            await session.execute(RELEASE, ours)

        await self.database.run_in_transaction(give_back)

    async def backlog(self) -> Backlog:
        """What waits. It looks at no more than 100,000 rows."""
        now = self.now()
        one: Select[Any] = (
            select(literal_column("1")).select_from(DELIVERIES).limit(MOST_COUNTED)
        )
        waiting = one.where(pending(DELIVERIES)).subquery("waiting")
        late = one.where(due(DELIVERIES)).subquery("late")
        oldest = (
            select(DELIVERIES.c.next_attempt_at)
            .where(pending(DELIVERIES), free(DELIVERIES))
            .order_by(DELIVERIES.c.next_attempt_at)
            .limit(1)
        )
        statement = select(
            select(func.count()).select_from(waiting).scalar_subquery(),
            select(func.count()).select_from(late).scalar_subquery(),
            type_coerce(oldest.scalar_subquery(), DELIVERIES.c.next_attempt_at.type),
        )
        async with self.database.session(read_only=True) as session:
            found = await session.execute(statement, {"now": now})
            rows, overdue, first = found.one()
        age = now - first if first is not None else timedelta()
        return Backlog(rows, overdue, max(0.0, age.total_seconds()))

    async def clean(self, retention: timedelta) -> int:
        """Remove a batch of what has been over for longer; how many there were."""
        columns = DELIVERIES.c
        old = (
            select(columns.id)
            .where(columns.finished_at < self.now() - retention)
            .order_by(columns.finished_at)
            .limit(_REMOVED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )

        async def remove(session: AsyncSession) -> int:
            gone = delete(DELIVERIES).where(columns.id.in_(old)).returning(columns.id)
            return len((await session.execute(gone)).all())

        return await self.database.run_in_transaction(remove)

    async def end(self, *, most: int = _REMOVED_AT_ONCE) -> int:
        """End a batch of what is on its way to webhooks that are disabled or deleted.

        Those that are deleted go, with all that was ever sent to them.

        Args:
            most: Of one webhook, in one transaction.

        Returns:
            How many rows that were; 0 if there is nothing left to end.
        """
        async with self.database.session(read_only=True) as session:
            found = await session.scalars(TO_END, {"most": _WEBHOOKS_AT_ONCE})
            webhooks = found.all()
        ended = 0
        for webhook_id in webhooks:
            work = partial(_end, webhook_id=webhook_id, most=most, now=self.now())
            ended += await self.database.run_in_transaction(work)
        return ended

    async def rates(self, since: datetime) -> Mapping[str, Rate]:
        """How attempts from *since* on went, by their settings."""
        columns = _ATTEMPTS.c
        statement = (
            select(
                columns.settings,
                func.count(),
                func.count(columns.error_code),
                func.avg(columns.duration_ms),
            )
            .where(columns.started_at >= since)
            .group_by(columns.settings)
        )
        async with self.database.session(read_only=True) as session:
            rows = (await session.execute(statement)).all()
        return {
            name: Rate(attempts, failures, float(average))
            for name, attempts, failures, average in rows
        }


async def _end(
    session: AsyncSession, *, webhook_id: UUID, most: int, now: datetime
) -> int:
    asked: dict[str, Any] = {"webhook": webhook_id}
    locked = (await session.execute(LOCK_TO_END, asked)).first()
    if locked is None:
        return 0
    if locked.deleted_at is None:
        return await _touched(session, GIVE_UP, {**asked, "most": most, "now": now})
    removed = await _touched(session, REMOVE, {**asked, "most": most})
    if removed < most:
        removed += await _touched(session, REMOVE_WEBHOOK, asked)
    return removed


async def _touched(
    session: AsyncSession, statement: Executable, asked: Mapping[str, Any]
) -> int:
    done = cast("CursorResult[Any]", await session.execute(statement, dict(asked)))
    return done.rowcount


async def _taken(
    session: AsyncSession,
    chosen: Sequence[UUID],
    now: datetime,
    until: datetime,
    token: UUID,
) -> list[Leased]:
    order = {delivery_id: place for place, delivery_id in enumerate(chosen)}
    asked = {"chosen": padded(chosen), "now": now, "until": until, "token": token}
    rows = (await session.execute(LEASE, asked)).all()
    targets = await _targets(session, {row.webhook_id for row in rows})
    leased = [
        Leased(
            delivery_id=row.id,
            event_id=row.event_id,
            event_type=row.event_type,
            correlation_id=row.correlation_id,
            body=row.body,
            number=row.attempts + 1,
            token=token,
            until=until,
            target=targets[row.webhook_id],
        )
        for row in rows
    ]
    return sorted(leased, key=lambda each: order[each.delivery_id])


async def _targets(session: AsyncSession, webhooks: set[UUID]) -> Mapping[UUID, Target]:
    rows: Iterable[Any] = await session.execute(_TARGETS, {"ids": padded(webhooks)})
    return {row.id: Target(*row) for row in rows}
