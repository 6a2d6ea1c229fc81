"""What becomes of a user's webhooks and keys when the user is deleted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.keys import revoke_keys_of_user
from services.api_platform.users import forget_user
from services.api_platform.webhooks._service import WebhookService
from shared.events import UserDeletedEvent
from shared.messaging.inbox import Inbox, idempotent
from shared.messaging.outbox import Outbox


def build_erasure(
    inbox: Inbox,
    webhooks: WebhookService,
    *,
    outbox: Outbox,
    now: Callable[[], datetime],
) -> Callable[[UserDeletedEvent], Coroutine[Any, Any, None]]:
    """The handler of `user.deleted`: nothing is sent any more, and no key opens.

    Args:
        inbox: Notes what was handled.
        webhooks: Deletes them.
        outbox: Takes the events about keys.
        now: The clock.
    """

    @idempotent(inbox)
    async def erase(event: UserDeletedEvent, session: AsyncSession) -> None:
        user_id = event.payload.user_id
        # One transaction: an account that is half gone would be found by nobody. First
        # of all nothing new is made: what is being made now is there after this.
        await forget_user(session, user_id, now=now())
        await webhooks.delete_all(session, user_id)
        await revoke_keys_of_user(session, user_id, outbox=outbox, now=now())

    return erase
