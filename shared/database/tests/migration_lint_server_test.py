from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from shared.database._migration_lint import _Trial
from shared.database._migrations import VERSION_TABLE, configuration
from shared.database.migrations import throwaway_database
from shared.database.tests.migration_cases import migrations_folder, revision
from shared.testing.databases import postgresql_database

COLUMNS = """
op.create_table(
    "a",
    sa.Column("i", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, server_default="7"),
    sa.Column("x", sa.Numeric(10, 2), server_default="1.5"),
    sa.Column("b", sa.Boolean, server_default=sa.false()),
    sa.Column("j", sa.JSON, server_default="{}"),
    sa.Column("t", sa.DateTime, server_default=sa.func.now()),
    sa.Column("u", sa.Uuid, server_default=sa.text("(gen_random_uuid())")),
    sa.Column("k", sa.Integer, sa.Identity(always=True)),
)
"""


@pytest.fixture
def server() -> Iterator[str]:
    """A server on which the lint makes a database of its own."""
    with postgresql_database() as url:
        yield url


def models(number: str) -> sa.MetaData:
    """What the migration makes on PostgreSQL."""
    metadata = sa.MetaData()
    sa.Table(
        "a",
        metadata,
        sa.Column("i", sa.Integer, primary_key=True),
        sa.Column("n", sa.Integer, server_default=number),
        sa.Column("x", sa.Numeric(10, 2), server_default=sa.text("1.5")),
        sa.Column("b", sa.Boolean, server_default=sa.text("false")),
        sa.Column("j", sa.JSON, server_default="{}"),
        sa.Column("t", sa.DateTime, server_default=sa.func.now()),
        sa.Column("u", sa.Uuid, server_default=sa.text("GEN_RANDOM_UUID()")),
        sa.Column("k", sa.Integer, sa.Identity(always=True)),
    )
    return metadata


def defaults(folder: Path, number: str, server: str) -> list[str]:
    """What differs on PostgreSQL; SQLite lacks Identity, and writes others."""
    scripts = ScriptDirectory.from_config(configuration(folder))
    with throwaway_database(server) as database:
        found = _Trial(database, folder, scripts).run(models(number), VERSION_TABLE)
    return [finding.message for finding in found]


def test_defaults(tmp_path: Path, server: str) -> None:
    """Those that never give the same twice, and have no equality, are compared too."""
    folder = migrations_folder(tmp_path / "migrations")
    revision(folder, "one", COLUMNS, 'op.drop_table("a")', after=None)

    assert defaults(folder, "7", server) == []
    assert defaults(folder, "8", server) == [
        "a.n has another server_default: 7, and in the models 8."
    ]
