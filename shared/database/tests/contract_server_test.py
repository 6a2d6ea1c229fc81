from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.testing.database_contract import DatabaseContract
from shared.testing.databases import postgresql_database


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """One database for all tests, which make and drop its tables."""
    with postgresql_database() as url:
        yield url


class TestPostgresql(DatabaseContract):
    @pytest.fixture
    def url(self, postgresql: str) -> str:
        return postgresql
