"""The life of a webhook, and what its owner does with its deliveries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.audit import log_when_committed
from services.api_platform.models import Signing, Webhook, WebhookDelivery
from services.api_platform.users import lock_user
from services.api_platform.webhooks._events import PING, body_of
from services.api_platform.webhooks._repository import (
    MOST_WEBHOOKS,
    DeliveryRepository,
    WebhookRepository,
)
from services.api_platform.webhooks._schemas import ReplayDTO, WebhookCreateDTO
from shared.crypto import generate_webhook_key_pair, generate_webhook_secret
from shared.database import require_match
from shared.errors import ConflictException, ValidationException
from shared.events import (
    WebhookDeletedEvent,
    WebhookDeletedPayload,
    WebhookDisabledEvent,
    WebhookDisabledPayload,
    WebhookEnabledEvent,
    WebhookEnabledPayload,
    WebhookRegisteredEvent,
    WebhookRegisteredPayload,
    WebhookSecretRotatedEvent,
    WebhookSecretRotatedPayload,
    WebhookUpdatedEvent,
    WebhookUpdatedPayload,
)
from shared.http_client import PublicTransport
from shared.logging import SecurityEvent, correlation_id_var
from shared.messaging.outbox import Outbox

MOST_REPLAYED: Final = 500
"""By one request, whose transaction holds them all."""

BY_USER: Final = "by_user"
KEY_LEAKED: Final = "key_leaked"


class WebhookDisabledException(ConflictException):
    """Nothing is delivered to the webhook: enable it first."""

    code = "webhook_disabled"
    detail = "This webhook is disabled."


class WebhookLimitException(ConflictException):
    """The user has as many webhooks as there may be: delete one first."""

    code = "webhook_limit"
    detail = f"There may be {MOST_WEBHOOKS} webhooks."


@dataclass(frozen=True, slots=True)
class WebhookService:
    """Use cases of webhooks. Each change and its event are of the caller's transaction.

    Attributes:
        outbox: Takes the events.
        transport: Knows which targets may be called.
        now: The clock.
    """

    outbox: Outbox
    transport: PublicTransport
    now: Callable[[], datetime]

    async def register(
        self,
        db: AsyncSession,
        user_id: UUID,
        webhook: WebhookCreateDTO,
        *,
        api_client_id: UUID | None,
    ) -> Webhook:
        """Make a webhook.

        Raises:
            ValidationException: Its target is not on the public internet.
            AuthenticationException: The user was deleted.
            WebhookLimitException: The user has too many.
        """
        await self._check(webhook.target_url)
        await lock_user(db, user_id)  # so that what is counted stays counted
        webhooks = WebhookRepository(db)
        if await webhooks.count(filters={"user_id": user_id}) >= MOST_WEBHOOKS:
            raise WebhookLimitException
        now = self.now()
        secret, public_key = _new_secret(webhook.signing)
        made = await webhooks.add(
            Webhook(
                user_id=user_id,
                api_client_id=api_client_id,
                target_url=webhook.target_url,
                event_types=[*webhook.event_types],
                signing=webhook.signing,
                secret=secret,
                public_key=public_key,
                ordered=webhook.ordered,
                created_at=now,
                updated_at=now,
            )
        )
        payload = WebhookRegisteredPayload(
            webhook_id=made.id,
            user_id=user_id,
            target_url=made.target_url,
            event_types=tuple(made.event_types),
            api_key_id=api_client_id,
        )
        self.outbox.add(db, WebhookRegisteredEvent(payload=payload))
        return made

    async def update(
        self,
        db: AsyncSession,
        user_id: UUID,
        webhook_id: UUID,
        changes: Mapping[str, Any],
        *,
        if_match: str | None,
    ) -> Webhook:
        """Change what is another value now; nothing, and no event, if none is.

        Raises:
            NotFoundError: The user has no such webhook.
            PreconditionRequiredException: There is no If-Match.
            StaleRecordException: It was changed since.
            ValidationException: The new target is not on the public internet.
        """
        # Before anything is locked: a name server may take its time.
        if "target_url" in changes:
            await self._check(changes["target_url"])
        webhooks = WebhookRepository(db)
        webhook = await webhooks.of_user(user_id, webhook_id, for_update=True)
        require_match(if_match, webhook)
        fresh = {
            name: value
            for name, value in changes.items()
            if getattr(webhook, name) != value
        }
        if not fresh:
            return webhook
        await webhooks.update(webhook, {**fresh, "updated_at": self.now()})
        payload = WebhookUpdatedPayload(
            webhook_id=webhook.id,
            user_id=user_id,
            target_url=webhook.target_url,
            event_types=tuple(webhook.event_types),
            changed_fields=tuple(sorted(fresh)),
        )
        self.outbox.add(db, WebhookUpdatedEvent(payload=payload))
        return webhook

    async def rotate(
        self,
        db: AsyncSession,
        user_id: UUID,
        webhook_id: UUID,
        grace: timedelta,
        *,
        signing: Signing | None = None,
    ) -> Webhook:
        """Give a webhook a new secret; the one before it signs too for *grace* more.

        A second rotation within the grace period ends the oldest secret.

        Raises:
            NotFoundError: The user has no such webhook.
        """
        now = self.now()
        webhooks = WebhookRepository(db)
        webhook = await webhooks.of_user(user_id, webhook_id, for_update=True)
        until = now + grace if grace else None
        chosen = signing or Signing(webhook.signing)
        secret, public_key = _new_secret(chosen)
        await webhooks.update(
            webhook,
            {
                "previous_secret": webhook.secret if until else None,
                "previous_valid_until": until,
                "signing": chosen,
                "secret": secret,
                "public_key": public_key,
                "updated_at": now,
            },
        )
        payload = WebhookSecretRotatedPayload(
            webhook_id=webhook.id, user_id=user_id, previous_valid_until=until
        )
        self.outbox.add(db, WebhookSecretRotatedEvent(payload=payload))
        log_when_committed(
            db,
            SecurityEvent.SECRET_CHANGED,
            actor=str(user_id),
            target=str(webhook.id),
        )
        return webhook

    async def delete(
        self,
        db: AsyncSession,
        user_id: UUID,
        webhook_id: UUID,
        *,
        if_match: str | None,
    ) -> None:
        """Hide a webhook with all its deliveries; a worker removes them.

        Raises:
            NotFoundError: The user has no such webhook.
            StaleRecordException: It is not as If-Match says.
        """
        webhooks = WebhookRepository(db)
        webhook = await webhooks.of_user(user_id, webhook_id, for_update=True)
        require_match(if_match, webhook, required=False)
        await self._remove(db, webhook)

    async def delete_all(self, db: AsyncSession, user_id: UUID) -> int:
        """Remove all webhooks of a user who is gone; how many there were."""
        webhooks = WebhookRepository(db)
        found = await webhooks.all_ids(user_id)
        for webhook_id in found:
            await self._remove(db, await webhooks.get_for_update(webhook_id))
        return len(found)

    async def disable(
        self, db: AsyncSession, user_id: UUID, webhook_id: UUID
    ) -> Webhook:
        """Deliver nothing more; what is on its way is given up, by a worker.

        One that is disabled stays so, without another event.

        Raises:
            NotFoundError: The user has no such webhook.
        """
        webhooks = WebhookRepository(db)
        webhook = await webhooks.of_user(user_id, webhook_id, for_update=True)
        if not webhook.is_active:
            return webhook
        await self._switch_off(db, webhook, reason=BY_USER)
        payload = WebhookDisabledPayload(
            webhook_id=webhook_id,
            user_id=user_id,
            reason=BY_USER,
            consecutive_failures=webhook.consecutive_failures,
        )
        self.outbox.add(db, WebhookDisabledEvent(payload=payload))
        return webhook

    async def disable_of_leaked_key(
        self, db: AsyncSession, user_id: UUID, key_id: UUID
    ) -> int:
        """Disable what was registered with a key that strangers had; how many.

        They may have registered it themselves, to hear of what its owner does.
        """
        found = await WebhookRepository(db).active_of_key(user_id, key_id)
        for webhook in found:
            await self._switch_off(db, webhook, reason=KEY_LEAKED)
            payload = WebhookDisabledPayload(
                webhook_id=webhook.id,
                user_id=user_id,
                reason="by_admin",
                consecutive_failures=webhook.consecutive_failures,
                error_code=KEY_LEAKED,
            )
            self.outbox.add(db, WebhookDisabledEvent(payload=payload))
        return len(found)

    async def enable(
        self, db: AsyncSession, user_id: UUID, webhook_id: UUID
    ) -> Webhook:
        """Deliver again, whoever disabled it. What was given up waits for a replay.

        One that is enabled stays so, without another event.

        Raises:
            NotFoundError: The user has no such webhook.
        """
        webhooks = WebhookRepository(db)
        webhook = await webhooks.of_user(user_id, webhook_id, for_update=True)
        if webhook.is_active:
            return webhook
        await webhooks.update(
            webhook,
            {
                "is_active": True,
                "disabled_reason": None,
                "failing_since": None,
                "last_failed_at": None,
                "consecutive_failures": 0,
                "updated_at": self.now(),
            },
        )
        payload = WebhookEnabledPayload(webhook_id=webhook_id, user_id=user_id)
        self.outbox.add(db, WebhookEnabledEvent(payload=payload))
        return webhook

    async def ping(
        self, db: AsyncSession, user_id: UUID, webhook_id: UUID
    ) -> WebhookDelivery:
        """Make a delivery that says nothing but that there is one.

        Raises:
            NotFoundError: The user has no such webhook.
            WebhookDisabledException: It gets none.
        """
        webhook = await _active(db, user_id, webhook_id)
        now = self.now()
        data = json.dumps({"webhook_id": str(webhook.id)}).encode()
        return await DeliveryRepository(db).add(
            WebhookDelivery(
                webhook_id=webhook.id,
                event_id=uuid4(),
                event_type=PING,
                correlation_id=correlation_id_var.get(),
                body=body_of(PING, now, data),
                next_attempt_at=now,
                created_at=now,
            )
        )

    async def replay(
        self, db: AsyncSession, user_id: UUID, webhook_id: UUID, delivery_id: UUID
    ) -> WebhookDelivery:
        """Make one delivery again. One that is still on its way stays as it is.

        Raises:
            NotFoundError: The user has no such webhook, or it no such delivery.
            WebhookDisabledException: It gets none.
        """
        webhook = await _active(db, user_id, webhook_id)
        deliveries = DeliveryRepository(db)
        delivery = await deliveries.of_webhook(webhook.id, delivery_id)
        await deliveries.begin_anew([delivery.id], now=self.now())
        return delivery

    async def replay_since(
        self, db: AsyncSession, user_id: UUID, webhook_id: UUID, wanted: ReplayDTO
    ) -> tuple[int, str | None]:
        """Make many deliveries again, the oldest first.

        Returns:
            How many, and the cursor of the next ones, if there may be any.

        Raises:
            NotFoundError: The user has no such webhook.
            WebhookDisabledException: It gets none.
        """
        webhook = await _active(db, user_id, webhook_id)
        deliveries = DeliveryRepository(db)
        page = await deliveries.page_since(
            webhook.id,
            wanted.since,
            states=wanted.states,
            limit=MOST_REPLAYED,
            cursor=wanted.cursor,
        )
        chosen = [delivery.id for delivery in page.items]
        replayed = await deliveries.begin_anew(chosen, now=self.now())
        return replayed, page.next_cursor

    async def _remove(self, db: AsyncSession, webhook: Webhook) -> None:
        payload = WebhookDeletedPayload(webhook_id=webhook.id, user_id=webhook.user_id)
        now = self.now()
        gone = {"is_active": False, "deleted_at": now, "updated_at": now}
        await WebhookRepository(db).update(webhook, gone)
        self.outbox.add(db, WebhookDeletedEvent(payload=payload))

    async def _switch_off(
        self, db: AsyncSession, webhook: Webhook, *, reason: str
    ) -> None:
        off = {"is_active": False, "disabled_reason": reason, "updated_at": self.now()}
        await WebhookRepository(db).update(webhook, off)

    async def _check(self, url: str) -> None:
        try:
            await self.transport.check(url)
        except (OSError, ValueError) as error:
            # The same for a name that nobody has and for one that our network has, or
            # whoever asks would learn our names.
            raise ValidationException(
                [
                    {
                        "pointer": "/target_url",
                        "code": "not_public",
                        "detail": "The URL must lead to the public internet, by a name "
                        "or an address that is known there.",
                    }
                ]
            ) from error


async def _active(db: AsyncSession, user_id: UUID, webhook_id: UUID) -> Webhook:
    """A webhook that gets deliveries, locked.

    So whoever disables it now comes before, or ends what is made here. Locked before
    its deliveries, as everywhere.
    """
    webhook = await WebhookRepository(db).of_user(user_id, webhook_id, for_update=True)
    if not webhook.is_active:
        raise WebhookDisabledException
    return webhook


def _new_secret(signing: Signing) -> tuple[str, str | None]:
    """What signs, and the public key that goes with it, if there is one."""
    if signing is Signing.V1:
        return generate_webhook_secret(), None
    pair = generate_webhook_key_pair()
    return pair.secret, pair.public
