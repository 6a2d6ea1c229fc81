"""Usage on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.api_platform.tests.usage_contract import UsageContract
from shared.testing.databases import postgresql_database


class TestUsageOnPostgresql(UsageContract):
    @pytest.fixture
    def url(self) -> Iterator[str]:
        """An empty database of a server."""
        with postgresql_database() as url:
            yield url
