"""The routes on SQLite, and what needs no database."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy import MetaData

from shared.config import DatabaseConfig
from shared.database import Database
from shared.idempotency import IdempotencyStore, idempotency_table
from shared.idempotency.dependencies import idempotent
from shared.idempotency.tests.orders import RouteContract, Service
from shared.testing import FakeClock
from shared.testing.databases import sqlite_database


class TestSqlite(RouteContract):
    """All of it on SQLite."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a file."""
        return sqlite_database()


@pytest.fixture
def operation() -> dict[str, Any]:
    """What OpenAPI says about a route."""
    database = Database(DatabaseConfig(url="sqlite://"), service_name="orders")
    document = Service(database, FakeClock()).app.openapi()
    found: dict[str, Any] = document["paths"]["/orders"]["post"]
    return found


def test_openapi_has_the_header(operation: dict[str, Any]) -> None:
    """A generated client can send it."""
    headers = {
        parameter["name"]: parameter["description"]
        for parameter in operation["parameters"]
        if parameter["in"] == "header" and "description" in parameter
    }

    assert list(headers) == ["Idempotency-Key"]
    assert headers["Idempotency-Key"].startswith("Required. A value of your own")


def test_openapi_has_the_errors(operation: dict[str, Any]) -> None:
    """``IDEMPOTENCY_RESPONSES`` gives each its example."""
    examples = {
        (status, name)
        for status in ("400", "409", "422")
        for name in operation["responses"][status]["content"][
            "application/problem+json"
        ]["examples"]
    }

    assert {name for _, name in examples} >= {
        "idempotency_key_missing",
        "idempotency_key_invalid",
        "idempotency_in_progress",
        "idempotency_reply_not_kept",
        "idempotency_key_reused",
    }


@pytest.mark.parametrize("wrong", [{"wait": -1}, {"max_body": -1}])
def test_negative_bounds_are_refused(wrong: dict[str, int]) -> None:
    """When the route is declared."""
    store = IdempotencyStore(idempotency_table(MetaData()))

    with pytest.raises(ValueError, match="wait and max_body must not be negative"):
        idempotent(store, lambda: None, lambda: "ann", **wrong)  # type: ignore[arg-type]
