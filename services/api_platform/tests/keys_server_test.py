"""Keys on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.api_platform.tests.keys_contract import KeysContract
from shared.testing.databases import postgresql_database


class TestKeysOnPostgresql(KeysContract):
    @pytest.fixture
    def url(self) -> Iterator[str]:
        """An empty database."""
        with postgresql_database() as url:
            yield url
