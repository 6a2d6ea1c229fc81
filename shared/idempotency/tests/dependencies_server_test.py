"""The routes on PostgreSQL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import httpx2

from shared.database import Database
from shared.idempotency.tests.orders import RouteContract, Service, keys, place, placed
from shared.testing import is_problem
from shared.testing.databases import postgresql_database


class TestPostgresql(RouteContract):
    """All of it on PostgreSQL."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database of its own."""
        return postgresql_database()

    async def test_a_connection_lost_in_the_work_frees_the_key(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """It is given back over another one, and a repetition runs at once."""
        first = await place(client, path="/cut")
        known = await keys(database)
        again = await place(client, path="/cut")

        assert first == is_problem(status=503, code="database_unavailable")
        assert (known, again.status_code) == (0, 200)
        assert await placed(database) == ["cut"]
