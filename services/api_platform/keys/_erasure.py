"""What becomes of a user's keys when the user is deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.keys._repository import APIClientRepository
from shared.events import ApiKeyRevokedEvent, ApiKeyRevokedPayload
from shared.logging import SecurityEvent, log_security_event
from shared.messaging.outbox import Outbox

_REASON: Final = "The user was deleted."
_AT_ONCE: Final = 200


async def revoke_keys_of_user(
    db: AsyncSession, user_id: UUID, *, outbox: Outbox, now: datetime
) -> int:
    """Switch off every key of a user that is not off yet, with an event for each.

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
            await keys.revoke_api_client(client, now=now)
            payload = ApiKeyRevokedPayload(
                api_key_id=client.id,
                user_id=user_id,
                name=client.name,
                revoked_by="system",
                reason=_REASON,
            )
            outbox.add(db, ApiKeyRevokedEvent(payload=payload))
            log_security_event(
                SecurityEvent.KEY_REVOKED,
                outcome="success",
                target=client.api_key,
                reason=_REASON,
            )
        revoked += len(found)
    return revoked
