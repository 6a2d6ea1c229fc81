"""What becomes of webhooks that were registered with a key that strangers had."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.webhooks._service import WebhookService
from shared.events import ApiKeyLeakedEvent
from shared.messaging.inbox import Inbox, idempotent


def build_distrust(
    inbox: Inbox, webhooks: WebhookService
) -> Callable[[ApiKeyLeakedEvent], Coroutine[Any, Any, None]]:
    """The handler of `api_key.leaked`: what the key registered is disabled.

    A key that its owner revoked was in nobody else's hands, and its webhooks stay.

    Args:
        inbox: Notes what was handled.
        webhooks: Disables them.
    """

    @idempotent(inbox)
    async def distrust(event: ApiKeyLeakedEvent, session: AsyncSession) -> None:
        leaked = event.payload
        await webhooks.disable_of_leaked_key(session, leaked.user_id, leaked.api_key_id)

    return distrust
