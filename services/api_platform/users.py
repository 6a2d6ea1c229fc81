"""What holds for all that a user makes here: one at a time, and none after the end."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import FormerUser
from shared.errors import AuthenticationException


async def lock_user(db: AsyncSession, user_id: UUID) -> None:
    """Until the transaction ends, let nobody else make anything for this user.

    So what is counted stays counted. Call it before other locks are taken.

    Raises:
        AuthenticationException: The user was deleted; a token may outlive that.
    """
    await _wait(db, user_id)
    if await db.get(FormerUser, user_id) is not None:
        raise AuthenticationException(
            "The user was deleted.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


async def forget_user(db: AsyncSession, user_id: UUID, *, now: datetime) -> None:
    """Let `lock_user` refuse this user from now on. Again, it changes nothing."""
    await _wait(db, user_id)
    if await db.get(FormerUser, user_id) is None:
        db.add(FormerUser(user_id=user_id, deleted_at=now))
        await db.flush()


async def _wait(db: AsyncSession, user_id: UUID) -> None:
    # SQLite has one writer at a time anyway.
    if db.get_bind().dialect.name == "postgresql":
        # The end of an id: all of it that is random, whichever version it has.
        number = int.from_bytes(user_id.bytes[8:], signed=True)
        await db.execute(select(func.pg_advisory_xact_lock(number)))
