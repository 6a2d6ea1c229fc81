"""The routes on PostgreSQL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from shared.idempotency.tests.orders import RouteContract
from shared.testing.databases import postgresql_database


class TestPostgresql(RouteContract):
    """All of it on PostgreSQL."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database of its own."""
        return postgresql_database()
