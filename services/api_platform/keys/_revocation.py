"""The end of a key: by its owner, for a leak, or with its owner."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.audit import log_when_committed
from services.api_platform.keys._repository import APIClientRepository
from services.api_platform.models import APIClient
from shared.events import ApiKeyRevokedEvent, ApiKeyRevokedPayload
from shared.logging import SecurityEvent
from shared.messaging.outbox import Outbox

_AT_ONCE: Final = 200


async def revoke(
    db: AsyncSession,
    client: APIClient,
    *,
    by: Literal["user", "system"],
    reason: str | None = None,
    outbox: Outbox,
    now: datetime,
) -> None:
    """Switch off a key that is locked and on, with an event."""
    await APIClientRepository(db).revoke_api_client(client, now=now)
    payload = ApiKeyRevokedPayload(
        api_key_id=client.id,
        user_id=client.user_id,
        name=client.name,
        revoked_by=by,
        reason=reason,
    )
    outbox.add(db, ApiKeyRevokedEvent(payload=payload))
    log_when_committed(
        db,
        SecurityEvent.KEY_REVOKED,
        actor=str(client.user_id) if by == "user" else None,
        target=client.api_key,
        reason=reason,
    )


async def revoke_keys_of_user(
    db: AsyncSession, user_id: UUID, *, outbox: Outbox, now: datetime
) -> int:
    """Switch off every key of a deleted user that is not off yet.

    The rows stay: what was used of a quota, and bills, refer to them.

    Args:
        db: Its transaction is the caller's.
        user_id: Who is gone.
        outbox: Takes the events.
        now: The time.

    Returns:
        How many there were.
    """
    keys = APIClientRepository(db)
    wanted = {"user_id": user_id, "is_active": True}
    revoked = 0
    # Waiting for whoever has one: it is to be off when this is committed.
    while found := await keys.list_for_update(
        filters=wanted, order_by=["id"], limit=_AT_ONCE, skip_locked=False
    ):
        for client in found:
            await revoke(
                db,
                client,
                by="system",
                reason="The user was deleted.",
                outbox=outbox,
                now=now,
            )
        revoked += len(found)
    return revoked
