"""The inbox on PostgreSQL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, suppress

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database, DuplicateException, TransactionAbortedError
from shared.messaging.inbox import Inbox, idempotent
from shared.messaging.tests.inbox_contract import (
    EFFECTS,
    WORK,
    InboxContract,
    InvoicePaid,
    deliver,
    effects,
    notes,
    paid,
)
from shared.testing.databases import postgresql_database


class TestPostgresql(InboxContract):
    """All of it on PostgreSQL."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database of its own."""
        return postgresql_database()

    async def test_a_caught_error_is_no_success(
        self, inbox: Inbox, database: Database
    ) -> None:
        """PostgreSQL would answer the commit with a rollback, and no error."""

        @idempotent(inbox)
        async def book(event: InvoicePaid, session: AsyncSession) -> None:
            await session.execute(insert(EFFECTS).values(what="lost"))
            await session.execute(insert(WORK).values(what="unique"))
            with suppress(DuplicateException):
                await session.execute(insert(WORK).values(what="unique"))

        with pytest.raises(
            TransactionAbortedError, match="error of the database was caught"
        ):
            await deliver(book, paid())

        assert (await effects(database), await notes(database)) == ([], 0)

    async def test_the_isolation_level_is_the_one_asked_for(self, inbox: Inbox) -> None:
        """Where a handler reads before it writes."""

        @idempotent(inbox, isolation_level="SERIALIZABLE")
        async def look(event: InvoicePaid, session: AsyncSession) -> str | None:
            level = await session.scalar(text("SHOW transaction_isolation"))
            return str(level)

        assert await look(paid()) == "serializable"
