"""The table in a migration that autogenerate writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import MetaData, text

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.database.migrations import lint, new_revision, upgrade
from shared.messaging.outbox import outbox_table
from shared.testing.databases import postgresql_database
from shared.testing.servers import postgresql_url

_ENV = """
from sqlalchemy import MetaData
from shared.database import Base
from shared.database.migrations import run_migrations
from shared.messaging.outbox import outbox_table

metadata = MetaData(naming_convention=Base.metadata.naming_convention)
outbox_table(metadata)
run_migrations(metadata, service_name="chess")
"""

_MAKO = """
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The migrations of a service with an outbox."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "script.py.mako").write_text(_MAKO, encoding="utf-8")
    (folder / "env.py").write_text(_ENV, encoding="utf-8")
    return folder


def test_a_migration_makes_the_table(folder: Path) -> None:
    """With what autovacuum is told; and the lint finds nothing, on both databases."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    outbox_table(metadata)
    with postgresql_database() as url:
        database = Database(DatabaseConfig(url=url), service_name="chess")
        new_revision(database, folder, "outbox")
        upgrade(database, folder)
        with database.sync_session() as session:
            options = session.scalar(
                text("SELECT reloptions FROM pg_class WHERE relname = 'outbox'")
            )
        database.dispose_sync()

    assert lint(folder, metadata, postgresql=postgresql_url()) == []
    assert "autovacuum_vacuum_scale_factor=0" in (options or [])
