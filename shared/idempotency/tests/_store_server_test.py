"""The store on PostgreSQL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import text

from shared.database import Database
from shared.idempotency import IdempotencyStore
from shared.idempotency.tests.contract import StoreContract
from shared.testing.databases import postgresql_database


class TestPostgresql(StoreContract):
    """All of it on PostgreSQL."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database of its own."""
        return postgresql_database()

    @pytest.mark.parametrize("begun", [False, True])
    async def test_the_work_runs_as_the_service_asked(
        self, store: IdempotencyStore, database: Database, begun: bool
    ) -> None:
        """The claim takes a short cut; the transaction after it must not inherit it."""
        async with database.session(isolation_level="SERIALIZABLE") as session:
            if begun:
                await session.execute(text("SELECT 1"))
            await self.claim(store, session)
            isolation = await session.scalar(text("SHOW transaction_isolation"))
            flushed = await session.scalar(text("SHOW synchronous_commit"))

        async with database.session() as session:
            default = await session.scalar(text("SHOW transaction_isolation"))

        assert (isolation, flushed, default) == (
            "serializable",
            "on",
            "read committed",
        )
