"""Delivery on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.api_platform.tests.delivery_contract import DeliveryContract
from services.api_platform.tests.one_database import emptied
from shared.testing.databases import postgresql_database


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A database of a server."""
    with postgresql_database() as url:
        yield url


class TestDeliveryOnPostgresql(DeliveryContract):
    @pytest.fixture
    def url(self, server: str) -> Iterator[str]:
        """It is empty."""
        with emptied(server) as url:
            yield url
