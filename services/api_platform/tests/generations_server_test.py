"""Generations on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.api_platform.tests.generations_contract import GenerationsContract
from shared.testing.databases import postgresql_database


class TestGenerationsOnPostgresql(GenerationsContract):
    @pytest.fixture
    def url(self) -> Iterator[str]:
        """An empty database of a server."""
        with postgresql_database() as url:
            yield url
