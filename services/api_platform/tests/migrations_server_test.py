"""Migrations on PostgreSQL: what only it would refuse."""

from __future__ import annotations

from services.api_platform._migrate import MIGRATIONS, migrate
from services.api_platform.models import METADATA
from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.migrations import check, lint
from shared.testing.databases import postgresql_database


def test_the_migrations_lead_to_the_model_on_postgresql() -> None:
    """Up, down and up again, and nothing is left that a check would find."""
    with postgresql_database() as url:
        assert lint(MIGRATIONS, METADATA, postgresql=url) == []


def test_a_migrated_postgresql_is_what_the_models_say() -> None:
    """So a start finds nothing, and a second migration has nothing to do."""
    with postgresql_database() as url:
        config = DatabaseConfig.model_validate({"url": url})
        migrate(config)
        migrate(config)

        database = Database(config, service_name="test")
        try:
            check(database, MIGRATIONS)
        finally:
            database.dispose_sync()
