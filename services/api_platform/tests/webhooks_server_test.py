"""Webhooks on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.api_platform.tests.one_database import emptied
from services.api_platform.tests.webhooks_contract import WebhooksContract
from shared.testing.databases import postgresql_database


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A database of a server."""
    with postgresql_database() as url:
        yield url


class TestWebhooksOnPostgresql(WebhooksContract):
    @pytest.fixture
    def url(self, server: str) -> Iterator[str]:
        """It is empty."""
        with emptied(server) as url:
            yield url
