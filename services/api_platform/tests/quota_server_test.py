"""Quotas on PostgreSQL, counted in Redis by all processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.api_platform.tests.behind import behind
from services.api_platform.tests.quota_contract import COST, QuotaContract
from shared.testing.databases import postgresql_database
from shared.testing.servers import redis_url


class TestQuotaOnServers(QuotaContract):
    @pytest.fixture
    def url(self) -> Iterator[str]:
        """An empty database of a server."""
        with postgresql_database() as url:
            yield url

    @pytest.fixture
    def variables(self) -> dict[str, str]:
        """Keys and users, by whose ids units are counted, are new in each test."""
        return {"REDIS_URL": redis_url()}

    def test_processes_share_their_counts(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """A key that has used its quota at one has none at the other."""
        limits = {"QUOTA_KEY_PER_DAY": f"{2 * COST}"}
        with behind(url, variables, limits) as first:
            keys = first.scene.variables()
            with behind(url, variables, limits, keys) as second:
                key = first.key()
                replies = [first.post(key), second.post(key), first.post(key)]

        assert [reply.status_code for reply in replies] == [202, 202, 429]
