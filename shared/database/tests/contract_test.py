from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.database_contract import DatabaseContract
from shared.testing.databases import sqlite_database


class TestSqlite(DatabaseContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        with sqlite_database(tmp_path) as url:
            yield url
