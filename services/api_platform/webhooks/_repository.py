"""Webhooks and their deliveries in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from sqlalchemy import (
    Table,
    and_,
    bindparam,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import (
    DeliveryState,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from shared.database import BaseRepository, OneOf, Range, RowPage
from shared.errors import NotFoundError
from shared.utils import uuid7

MOST_WEBHOOKS: Final = 50
"""Of a user: each event makes a delivery for each of them."""
MOST_ATTEMPTS: Final = 30
"""Of one delivery, as far back as its owner sees them."""

# Of every event that happens on the platform, so made once.
_WEBHOOKS: Final = cast("Table", Webhook.__table__).c
_OF_USER: Final = and_(
    _WEBHOOKS.user_id == bindparam("user_id"), _WEBHOOKS.is_active.is_(True)
)
_ANY_ACTIVE: Final = select(exists().where(_OF_USER))
_ACTIVE: Final = (
    select(_WEBHOOKS.id, _WEBHOOKS.event_types).where(_OF_USER).order_by(_WEBHOOKS.id)
)
_DELIVERIES: Final = cast("Table", WebhookDelivery.__table__)
_ONE_EACH: Final = ("webhook_id", "event_id")
_INSERT_NEW: Final = {
    "postgresql": postgresql.insert(_DELIVERIES).on_conflict_do_nothing(
        index_elements=_ONE_EACH
    ),
    "sqlite": sqlite.insert(_DELIVERIES).on_conflict_do_nothing(
        index_elements=_ONE_EACH
    ),
}


class WebhookRepository(BaseRepository[Webhook]):
    """The webhooks in one session."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, Webhook)

    async def of_user(
        self, user_id: UUID, webhook_id: UUID, *, for_update: bool = False
    ) -> Webhook:
        """A user's own webhook.

        Raises:
            NotFoundError: There is none, or it is somebody else's, which is the same.
        """
        webhook = await self.get_or_none(webhook_id)
        if webhook is None or webhook.user_id != user_id:
            raise NotFoundError("Webhook", webhook_id)
        return await self.get_for_update(webhook_id) if for_update else webhook

    async def page_of_user(
        self, user_id: UUID, *, limit: int, cursor: str | None
    ) -> RowPage[Webhook]:
        """A user's webhooks, newest first, disabled ones too."""
        return await self.list(
            filters={"user_id": user_id},
            order_by=["-created_at"],
            limit=limit,
            cursor=cursor,
        )

    async def all_ids(self, user_id: UUID) -> list[UUID]:
        """A user's webhooks, disabled ones too, in the order of their locks."""
        found = select(_WEBHOOKS.id).where(
            _WEBHOOKS.user_id == user_id, _WEBHOOKS.deleted_at.is_(None)
        )
        return list(await self.session.scalars(found.order_by(_WEBHOOKS.id)))

    async def active_of_key(self, user_id: UUID, key_id: UUID) -> Sequence[Webhook]:
        """A user's active webhooks that a key registered, locked."""
        return await self.list_for_update(
            filters={"user_id": user_id, "api_client_id": key_id, "is_active": True},
            order_by=["id"],
            limit=MOST_WEBHOOKS,
            skip_locked=False,
        )

    async def any_active(self, user_id: UUID) -> bool:
        """Whether a user has a webhook that gets anything."""
        found = await self.session.scalar(_ANY_ACTIVE, {"user_id": user_id})
        return bool(found)

    async def hearing(self, user_id: UUID, event_type: str) -> list[UUID]:
        """A user's webhooks that get events of a type."""
        # The type not in SQL: both databases have no common word for it, and a user
        # has few webhooks.
        rows = await self.session.execute(_ACTIVE, {"user_id": user_id})
        return [webhook_id for webhook_id, types in rows if event_type in types]


class DeliveryRepository(BaseRepository[WebhookDelivery]):
    """The deliveries in one session."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, WebhookDelivery)

    async def add_for(
        self,
        webhooks: Collection[UUID],
        *,
        event_id: UUID,
        event_type: str,
        body: bytes,
        correlation_id: str | None,
        now: datetime,
    ) -> None:
        """Add one for each of *webhooks* that has none of this event yet, due now."""
        rows = [
            {
                "id": uuid7(),
                "webhook_id": webhook_id,
                "event_id": event_id,
                "event_type": event_type,
                "correlation_id": correlation_id,
                "body": body,
                "state": DeliveryState.PENDING,
                "attempts": 0,
                "next_attempt_at": now,
                "created_at": now,
            }
            for webhook_id in webhooks
        ]
        dialect = self.session.get_bind().dialect.name
        await self.session.execute(_INSERT_NEW[dialect], rows)

    async def of_webhook(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """One delivery of a webhook.

        Raises:
            NotFoundError: The webhook has no such delivery.
        """
        delivery = await self.get_or_none(delivery_id)
        if delivery is None or delivery.webhook_id != webhook_id:
            raise NotFoundError("Delivery", delivery_id)
        return delivery

    async def body_of(self, delivery: WebhookDelivery) -> bytes:
        """What is sent, which no other method reads."""
        found = select(_DELIVERIES.c.body).where(_DELIVERIES.c.id == delivery.id)
        return bytes((await self.session.execute(found)).scalar_one())

    async def page_of_webhook(
        self,
        webhook_id: UUID,
        *,
        state: DeliveryState | None,
        limit: int,
        cursor: str | None,
    ) -> RowPage[WebhookDelivery]:
        """A webhook's deliveries, newest first."""
        filters: dict[str, object] = {"webhook_id": webhook_id}
        if state is not None:
            filters["state"] = state
        return await self.list(
            filters=filters, order_by=["-created_at"], limit=limit, cursor=cursor
        )

    async def attempts_of(
        self, deliveries: Sequence[WebhookDelivery]
    ) -> Mapping[UUID, list[WebhookAttempt]]:
        """The latest attempts of each delivery, in their order."""
        columns = WebhookAttempt.__table__.c
        place = (
            func.row_number()
            .over(
                partition_by=columns.delivery_id,
                order_by=(columns.started_at.desc(), columns.id.desc()),
            )
            .label("place")
        )
        wanted = [delivery.id for delivery in deliveries]
        ranked = (
            select(columns.id, place).where(columns.delivery_id.in_(wanted)).subquery()
        )
        statement = (
            select(WebhookAttempt)
            .join(ranked, ranked.c.id == WebhookAttempt.id)
            .where(ranked.c.place <= MOST_ATTEMPTS)
            .order_by(WebhookAttempt.started_at, WebhookAttempt.id)
        )
        found: dict[UUID, list[WebhookAttempt]] = defaultdict(list)
        for attempt in await self.session.scalars(statement):
            found[attempt.delivery_id].append(attempt)
        return found

    async def page_since(
        self,
        webhook_id: UUID,
        since: datetime,
        *,
        states: Collection[str],
        limit: int,
        cursor: str | None,
    ) -> RowPage[WebhookDelivery]:
        """A webhook's deliveries from *since* on that are in one of *states*."""
        return await self.list(
            filters={
                "webhook_id": webhook_id,
                "created_at": Range(ge=since),
                "state": OneOf(states),
            },
            order_by=["created_at"],
            limit=limit,
            cursor=cursor,
        )

    async def begin_anew(self, deliveries: Collection[UUID], *, now: datetime) -> int:
        """Let deliveries that are over be due again, with all attempts before them.

        Their webhook has to be locked: whoever writes results does it in that order,
        and two that wait for each other would wait for ever.

        Returns:
            How many.
        """
        over = (
            WebhookDelivery.id.in_(deliveries),
            WebhookDelivery.state != DeliveryState.PENDING,
        )
        wanted = select(WebhookDelivery.id).where(*over).order_by(WebhookDelivery.id)
        await self.session.execute(wanted.with_for_update())
        anew = {
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "next_attempt_at": now,
            "lease_until": None,
            "lease_token": None,
            "finished_at": None,
        }
        moved = await self.session.execute(
            update(WebhookDelivery)
            .where(*over)
            .values(anew)
            .returning(WebhookDelivery.id),
            execution_options={"synchronize_session": "fetch"},
        )
        return len(moved.all())
