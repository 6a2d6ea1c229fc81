"""Keys in the database: claimed, completed, given back.

Private: import these names from ``shared.idempotency``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import utc_now
from shared.idempotency._errors import (
    IdempotencyInProgressException,
    IdempotencyKeyReusedException,
)
from shared.idempotency._key import digest

_log = logging.getLogger("shared.idempotency")

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_LONGEST_RETRY_AFTER: Final = 5.0


_ONE: Final[ColumnElement[int]] = literal(1)
# 1 again, and PostgreSQL does not wait for its disk. A claim that a crash of the server
# loses took nothing with it: its log is in order, so what was committed later is lost
# too, and what was not committed is undone.
_UNFLUSHED: Final[ColumnElement[int]] = case(
    (func.set_config("synchronous_commit", "off", True) == "off", 1), else_=1
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a request, until the lease ends.

    Attributes:
        id: Of the row.
        owner: Differs from claim to claim, so that a late one is told from the next.
    """

    id: bytes
    owner: UUID


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What the first request was answered.

    Attributes:
        status: The status.
        headers: Those that were kept, in order.
        body: The body; None when the reply was not kept.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class _Running:
    locked_until: datetime


class IdempotencyStore:
    """Runs each request of a caller once, by the key it came with.

    The row is there, committed, before the work begins, and says until when its owner
    is believed to be alive. The reply is written in the transaction of the work, and
    only if the owner is still the same: so the effects on this database happen once,
    whoever dies at which moment, and are there exactly if the reply is.

    Args:
        table: Made by ``idempotency_table``.
        lease: How long a request may take. After it, a repetition takes over, and the
            first can't commit any more. Let it be well above the request time-out.
        retention: How long a reply is given again, and a key can't be used anew.
        now: The time of day, aware. All processes should agree on it to a few seconds.
        clock: Seconds, for measuring a wait.
        sleep: Waits.

    Raises:
        ValueError: *lease* is not positive, or *retention* is shorter.
    """

    def __init__(
        self,
        table: Table,
        *,
        lease: timedelta = timedelta(seconds=60),
        retention: timedelta = timedelta(hours=24),
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if lease <= timedelta():
            raise ValueError(f"lease must be positive (got {lease}).")
        if retention < lease:
            raise ValueError(f"retention must not be below lease (got {retention}).")
        self._lease = lease
        self._retention = retention
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._claim = {
            "postgresql": _claim_statement(table, postgresql.insert, one=_ONE),
            "sqlite": _claim_statement(table, sqlite.insert, one=_ONE),
        }
        self._quick_claim = _claim_statement(table, postgresql.insert, one=_UNFLUSHED)
        columns = table.c
        mine = and_(
            columns.id == bindparam("of_id"),
            columns.owner == bindparam("of_owner"),
            columns.status.is_(None),
        )
        self._look = select(
            columns.fingerprint,
            columns.status,
            columns.headers,
            columns.body,
            columns.locked_until,
            columns.expires_at,
        ).where(columns.id == bindparam("of_id"))
        self._complete = (
            update(table)
            .where(mine)
            .values(
                status=bindparam("new_status"),
                headers=bindparam("new_headers"),
                body=bindparam("new_body"),
                expires_at=bindparam("new_expires_at"),
            )
        )
        self._release = delete(table).where(mine)
        expired = columns.expires_at <= bindparam("moment")
        self._expired = delete(table).where(
            # Twice: PostgreSQL looks at this one again when it had to wait for a row,
            # which somebody may have claimed anew.
            expired,
            columns.id.in_(
                select(columns.id)
                .where(expired)
                .order_by(columns.expires_at)
                .limit(bindparam("at_most"))
            ),
        )

    async def claim(
        self,
        session: AsyncSession,
        *,
        caller: str,
        operation: str,
        key: str,
        fingerprint: bytes,
        wait: float = 10.0,
    ) -> Claim | StoredReply:
        """Return the claim on a new request, or the reply to a repeated one.

        The claim is committed, and with it what *session* did before. A repetition
        that comes while the first is at work waits for its reply, and meanwhile holds
        no connection.

        Args:
            session: The one in which the work will be done.
            caller: Who asks; keys of different callers never meet.
            operation: What is asked for, such as ``POST /generations``.
            key: What the caller sent.
            fingerprint: What must be the same in each repetition.
            wait: Seconds.

        Raises:
            IdempotencyKeyReusedException: The key belongs to another request.
            IdempotencyInProgressException: The first is still at work.
        """
        row = digest(caller, operation, key)
        deadline = self._clock() + wait
        pause = _FIRST_PAUSE
        found: Claim | StoredReply | _Running | None = None
        while True:
            while found is None:  # free, when we looked
                found = await self._try(session, row, operation, fingerprint)
            if not isinstance(found, _Running):
                return found
            left = deadline - self._clock()
            if left <= 0:
                lease_left = (found.locked_until - self._now()).total_seconds()
                raise IdempotencyInProgressException(
                    min(lease_left, _LONGEST_RETRY_AFTER)
                )
            await self._sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
            found = await self._find(session, row, fingerprint)

    async def complete(
        self, session: AsyncSession, claim: Claim, reply: StoredReply
    ) -> None:
        """Write the reply in the transaction of *session*, which the caller commits.

        Raises:
            IdempotencyInProgressException: The lease had ended and somebody took over.
                Roll back; theirs is the reply.
        """
        values = {
            "of_id": claim.id,
            "of_owner": claim.owner,
            "new_status": reply.status,
            "new_headers": [list(pair) for pair in reply.headers],
            "new_body": reply.body,
            "new_expires_at": self._now() + self._retention,
        }
        if await _count(session, self._complete, values) != 1:
            _log.warning("The lease of an idempotent request ended before its work.")
            raise IdempotencyInProgressException

    async def release(self, session: AsyncSession, claim: Claim) -> None:
        """Roll *session* back and give the key free, so that a repetition runs."""
        await session.rollback()
        values = {"of_id": claim.id, "of_owner": claim.owner}
        await session.execute(self._release, values)
        await session.commit()

    async def delete_expired(self, session: AsyncSession, *, limit: int = 1000) -> int:
        """Delete at most *limit* rows whose time is over, and return how many it was.

        Call it from time to time, until it returns less than *limit*; the caller
        commits.
        """
        values = {"moment": self._now(), "at_most": limit}
        return await _count(session, self._expired, values)

    async def _try(
        self, session: AsyncSession, row: bytes, operation: str, fingerprint: bytes
    ) -> Claim | StoredReply | _Running | None:
        now = self._now()
        owner = uuid4()
        dialect = session.get_bind().dialect.name
        statement = self._claim[dialect]
        if await _in_one_round_trip(session):
            statement = self._quick_claim
        claimed = await session.execute(
            statement,
            {
                "new_id": row,
                "new_operation": operation,
                "new_fingerprint": fingerprint,
                "new_owner": owner,
                "new_locked_until": now + self._lease,
                "new_created_at": now,
                "new_expires_at": now + self._retention,
                "moment": now,
            },
        )
        attempts = claimed.scalar()
        if attempts is not None:
            await session.commit()
            if attempts > 1:
                _log.warning(
                    "An idempotent request is taken over: its lease has ended.",
                    extra={"operation": operation, "attempts": attempts},
                )
            return Claim(row, owner)
        return await self._find(session, row, fingerprint)

    async def _find(
        self, session: AsyncSession, row: bytes, fingerprint: bytes
    ) -> StoredReply | _Running | None:
        """Return what is known of a request, None when it can be claimed."""
        await _in_one_round_trip(session)
        result = await session.execute(self._look, {"of_id": row})
        found = result.first()
        # The connection goes back to the pool, whatever comes of it.
        await session.commit()
        now = self._now()
        if found is None or found.expires_at <= now:
            return None
        if found.fingerprint != fingerprint:
            raise IdempotencyKeyReusedException
        if found.status is not None:
            headers = tuple((name, value) for name, value in found.headers)
            return StoredReply(found.status, headers, found.body)
        return _Running(found.locked_until) if found.locked_until > now else None


async def _in_one_round_trip(session: AsyncSession) -> bool:
    """Say whether the next statement of *session* is a transaction of its own.

    PostgreSQL needs no BEGIN and COMMIT around a single statement, which would triple
    its way. Not so when the session has begun to do something that must be committed.
    """
    if session.in_transaction() or session.get_bind().dialect.name != "postgresql":
        return False
    await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    return True


def _claim_statement(
    table: Table, insert: Any, *, one: ColumnElement[int]
) -> Executable:
    """Insert the row, or take it over when it is nobody's any more."""
    columns = table.c
    insertion = insert(table).values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "id",
                "operation",
                "fingerprint",
                "owner",
                "locked_until",
                "created_at",
                "expires_at",
            )
        }
        | {"attempts": one}
    )
    new = insertion.excluded
    moment = bindparam("moment", type_=columns.expires_at.type)
    expired = columns.expires_at <= moment
    statement = insertion.on_conflict_do_update(
        index_elements=[columns.id],
        set_={
            "fingerprint": new.fingerprint,
            "owner": new.owner,
            "locked_until": new.locked_until,
            "attempts": case((expired, new.attempts), else_=columns.attempts + 1),
            "status": null(),
            "headers": null(),
            "body": null(),
            "created_at": new.created_at,
            "expires_at": new.expires_at,
        },
        where=or_(
            expired,
            and_(
                columns.status.is_(None),
                columns.locked_until <= moment,
                columns.fingerprint == new.fingerprint,
            ),
        ),
    ).returning(columns.attempts)
    return cast("Executable", statement)


async def _count(
    session: AsyncSession, statement: Executable, values: dict[str, Any]
) -> int:
    result = cast("CursorResult[Any]", await session.execute(statement, values))
    return result.rowcount
