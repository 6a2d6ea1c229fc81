from __future__ import annotations

from pathlib import Path

from services.api_platform._migrate import MIGRATIONS, migrate
from services.api_platform.models import METADATA
from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.migrations import check, lint
from shared.testing.databases import sqlite_database


def test_the_migrations_lead_to_the_model() -> None:
    """Up, down and up again, with nothing destroyed that nobody gave a reason for."""
    assert lint(MIGRATIONS, METADATA) == []


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    """So each start may migrate."""
    with sqlite_database(tmp_path) as url:
        config = DatabaseConfig.model_validate({"url": url})
        migrate(config)
        migrate(config)

        database = Database(config, service_name="test")
        check(database, MIGRATIONS)
        database.dispose_sync()
