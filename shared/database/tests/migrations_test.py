from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from shared.config import DatabaseConfig
from shared.database import Database, DatabaseUnavailableException
from shared.database._migrations import configuration
from shared.database.migrations import MigrationError, downgrade, upgrade
from shared.database.tests.migration_cases import (
    MigrationCases,
    migrations_folder,
    revision,
    tables,
)

TABLE = "op.create_table('a', sa.Column('i', sa.Integer, primary_key=True))"


def connect(url: str) -> Database:
    """A database as the settings give it."""
    return Database(
        DatabaseConfig.model_validate({"url": url}), service_name="team-service"
    )


class TestSqlite(MigrationCases):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = connect(f"sqlite:///{tmp_path}/test.db")
        yield database
        database.dispose_sync()


class TestSqliteInMemory(MigrationCases):
    @pytest.fixture
    def database(self) -> Iterator[Database]:
        database = connect("sqlite://")
        yield database
        database.dispose_sync()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database in a file."""
    database = connect(f"sqlite:///{tmp_path}/test.db")
    yield database
    database.dispose_sync()


def test_broken_references_are_refused(database: Database, tmp_path: Path) -> None:
    """What would leave rows that refer to nothing is undone, and the table named."""
    folder = migrations_folder(tmp_path / "migrations")
    other = 'op.create_table("b", sa.Column("i", sa.Integer, sa.ForeignKey("a.i")))'
    steps = [TABLE, other, 'op.execute("INSERT INTO b VALUES (7)")']
    revision(folder, "one", "\n".join(steps), after=None)
    with pytest.raises(MigrationError, match="rows of b would refer"):
        upgrade(database, folder)

    assert tables(database) == set()


def test_references_are_checked_again_afterwards(
    database: Database, tmp_path: Path
) -> None:
    """The connection that migrated does not come back to the pool."""
    folder = migrations_folder(tmp_path / "migrations")
    revision(folder, "one", TABLE, after=None)
    upgrade(database, folder)

    with database.sync_session() as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


def test_waiting_for_another_writer_has_an_end(
    database: Database, tmp_path: Path
) -> None:
    """On SQLite the lock is that of the file."""
    folder = migrations_folder(tmp_path / "migrations")
    revision(folder, "one", TABLE, after=None)
    with database.sync_session() as session:
        session.execute(text("CREATE TABLE other (i INTEGER)"))
        with pytest.raises(MigrationError, match=r"migrating for 0\.05 s"):
            upgrade(database, folder, wait=0.05)


def test_it_can_print_sql(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For those who let nobody but a person change their database."""
    folder = migrations_folder(tmp_path / "migrations")
    revision(folder, "one", TABLE, after=None)
    command.upgrade(configuration(folder, database), "head", sql=True)

    printed = capsys.readouterr().out
    assert "CREATE TABLE a" in printed
    assert "INSERT INTO alembic_version" in printed
    assert not (tmp_path / "test.db").exists()


def test_the_settings_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``alembic upgrade head`` of a user goes where the service goes."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/settings.db")
    monkeypatch.chdir(tmp_path)
    folder = migrations_folder(tmp_path / "migrations")
    revision(folder, "one", TABLE, after=None)
    env = (folder / "env.py").read_text()
    (folder / "env.py").write_text(
        env.replace("(metadata)", "(metadata, service_name='migrated-service')")
    )
    command.upgrade(configuration(folder), "head")

    database = connect(f"sqlite:///{tmp_path}/settings.db")
    assert "a" in tables(database)
    database.dispose_sync()


def test_somebody_must_say_where(tmp_path: Path) -> None:
    """Neither a name nor a database: a clear error."""
    folder = migrations_folder(tmp_path / "migrations")
    with pytest.raises(MigrationError, match="needs service_name= or database="):
        command.upgrade(configuration(folder), "head")


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """It is no migration's fault, so the error is the one of every other use."""
    folder = migrations_folder(tmp_path / "migrations")
    database = connect(f"sqlite:///{tmp_path}/missing/test.db")
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        upgrade(database, folder)


def test_a_folder_without_migrations(database: Database, tmp_path: Path) -> None:
    """Named, before anything is done."""
    with pytest.raises(MigrationError, match=r"holds no migrations: it has no env\.py"):
        downgrade(database, tmp_path, "base")
