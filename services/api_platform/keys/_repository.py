"""API keys in the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import APIClient
from shared.database import BaseRepository, RowPage
from shared.errors import NotFoundError

_TABLE: Final = cast("Table", APIClient.__table__)


class APIClientRepository(BaseRepository[APIClient]):
    """The keys in one session."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, APIClient)

    async def get_by_api_key(self, api_key: str) -> APIClient | None:
        """The key with this public id, by one read of an index."""
        return await self.find(filters={"api_key": api_key})

    async def create_api_client(self, client: APIClient) -> APIClient:
        """Add a key."""
        return await self.add(client)

    async def revoke_api_client(self, client: APIClient, *, now: datetime) -> APIClient:
        """Switch a key off, with every secret that it has.

        The hash of one in its grace stays, so that a second report of it is known.
        """
        until = client.previous_valid_until
        good = until is not None and now < until
        return await self.update(
            client,
            {
                "is_active": False,
                "revoked_at": now,
                "previous_secret_hash": client.previous_secret_hash if good else None,
                "previous_valid_until": None,
                "updated_at": now,
            },
        )

    async def of_user(
        self, user_id: UUID, key_id: UUID, *, for_update: bool = False
    ) -> APIClient:
        """A user's own key.

        Raises:
            NotFoundError: There is none, or it is somebody else's, which is the same.
        """
        client = await self.get_or_none(key_id)
        if client is None or client.user_id != user_id:
            raise NotFoundError("API key", key_id)
        return await self.get_for_update(key_id) if for_update else client

    async def count_good(self, user_id: UUID, *, now: datetime) -> int:
        """How many keys of a user are neither revoked nor expired."""
        return await self.count(
            or_(APIClient.expires_at.is_(None), APIClient.expires_at > now),
            filters={"user_id": user_id, "is_active": True},
        )

    async def page_of_user(
        self, user_id: UUID, *, limit: int, cursor: str | None
    ) -> RowPage[APIClient]:
        """A user's keys, newest first, revoked ones too."""
        return await self.list(
            filters={"user_id": user_id},
            order_by=["-created_at"],
            limit=limit,
            cursor=cursor,
        )

    async def mark_used(self, moments: Mapping[UUID, datetime]) -> None:
        """Set when keys were last used, never back."""
        # Not through the mapper: being used changes no version.
        statement = (
            update(_TABLE)
            .where(_TABLE.c.id == bindparam("key"))
            .where(
                or_(
                    _TABLE.c.last_used_at.is_(None),
                    _TABLE.c.last_used_at < bindparam("moment"),
                )
            )
            .values(last_used_at=bindparam("moment"), updated_at=_TABLE.c.updated_at)
        )
        rows = [{"key": key, "moment": moments[key]} for key in sorted(moments)]
        connection = await self.session.connection()
        await connection.execute(statement, rows)
