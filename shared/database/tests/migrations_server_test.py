from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.migrations import MigrationError, lint, new_revision, upgrade
from shared.database.tests.migration_cases import (
    MigrationCases,
    ServiceBase,
    revision,
    tables,
)
from shared.testing.databases import postgresql_database


class TestPostgresql(MigrationCases):
    @pytest.fixture
    def database(self) -> Iterator[Database]:
        with postgresql_database() as url:
            # A limit that migrations have to be freed from.
            config = DatabaseConfig.model_validate(
                {"url": url, "statement_timeout": 0.5}
            )
            database = Database(config, service_name="team-service")
            yield database
            database.dispose_sync()

    def test_other_processes_take_turns(self, database: Database, folder: Path) -> None:
        """While somebody else has the lock nothing is done; for as long as was said."""
        revision(folder, "one", "pass", after=None)
        with database.sync_engine.connect() as holder:
            lock = holder.scalar(
                text(
                    "SELECT (('x' || substr(encode(sha256("
                    "'creativeflow migrations alembic_version'), 'hex'), 1, 16))"
                    "::bit(64)::bigint)"
                )
            )
            holder.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            with pytest.raises(MigrationError, match=r"migrating for 0\.05 s"):
                upgrade(database, folder, wait=0.05)
        upgrade(database, folder, wait=0.05)

    def test_a_slow_migration_is_not_cut_off(
        self, database: Database, folder: Path
    ) -> None:
        """The limit for statements of requests does not count."""
        revision(folder, "one", "op.execute('SELECT pg_sleep(0.7)')", after=None)
        upgrade(database, folder)

        with database.sync_session() as session:
            limit = session.scalar(text("SELECT current_setting('statement_timeout')"))
        assert limit == "500ms"

    def test_a_value_in_the_way_is_not_quoted(
        self, database: Database, folder: Path
    ) -> None:
        """PostgreSQL says it in the first line of its message."""
        revision(
            folder,
            "one",
            "op.create_table('a', sa.Column('i', sa.String(20)))\n"
            "op.execute(\"INSERT INTO a VALUES ('a-secret')\")\n"
            "op.execute('ALTER TABLE a ALTER COLUMN i TYPE int USING i::int')",
            after=None,
        )
        with pytest.raises(
            MigrationError, match=r"a value in it does not fit \(\w+\)\.$"
        ):
            upgrade(database, folder)

        assert tables(database) == set()

    def test_an_index_can_be_made_meanwhile(
        self, database: Database, folder: Path
    ) -> None:
        """CREATE INDEX CONCURRENTLY runs in no transaction."""
        revision(
            folder,
            "one",
            """
            op.create_table("a", sa.Column("i", sa.Integer))
            with op.get_context().autocommit_block():
                op.create_index("ix_a_i", "a", ["i"], postgresql_concurrently=True)
            """,
            after=None,
        )
        upgrade(database, folder)
        assert "a" in tables(database)

    def test_the_lint_tries_both(self, database: Database, folder: Path) -> None:
        """What runs on SQLite only is found before it is deployed."""
        new_revision(database, folder, "the tables")
        url = database.sync_engine.url.set(drivername="postgresql")
        server = url.render_as_string(hide_password=False)
        assert lint(folder, ServiceBase.metadata, postgresql=server) == []

        (first,) = [
            path.stem.split("_")[0] for path in (folder / "versions").glob("*.py")
        ]
        revision(folder, "two", 'op.execute("PRAGMA user_version = 1")', after=first)
        found = lint(folder, ServiceBase.metadata, postgresql=server)
        assert [finding.rule for finding in found] == ["upgrade"]
        assert "does not run on postgresql" in found[0].message
