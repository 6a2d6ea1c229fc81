"""The store on SQLite, and what needs no database."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from shared.idempotency import IdempotencyStore
from shared.idempotency.tests.contract import KEYS, StoreContract
from shared.testing.databases import sqlite_database


class TestSqlite(StoreContract):
    """All of it on SQLite."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a file."""
        return sqlite_database()


def test_a_lease_that_is_over_at_once_is_refused() -> None:
    """Every repetition would take over."""
    with pytest.raises(ValueError, match=r"lease must be positive \(got 0:00:00\)"):
        IdempotencyStore(KEYS, lease=timedelta())


def test_a_retention_below_the_lease_is_refused() -> None:
    """The row would be gone before its request is."""
    with pytest.raises(ValueError, match=r"not be below lease \(got 0:00:59\)"):
        IdempotencyStore(KEYS, retention=timedelta(seconds=59))
