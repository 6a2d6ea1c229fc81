"""Brings the database to what the models say."""

from __future__ import annotations

from pathlib import Path

from services.api_platform._settings import NAME
from services.api_platform.models import METADATA
from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.migrations import (
    Finding,
    check,
    lint,
    new_revision,
    throwaway_database,
    upgrade,
)

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(config: DatabaseConfig) -> None:
    """Run the migrations that the database does not have yet, all of them or none."""
    database = Database(config, service_name=NAME)
    try:
        upgrade(database, MIGRATIONS)
    finally:
        database.dispose_sync()


def check_migrated(config: DatabaseConfig) -> None:
    """Find out before the start what each request would find out.

    A database that is ahead is fine: of the next version, which comes after this one.

    Raises:
        MigrationError: It has not all that the models say.
        ServiceUnavailableException: It does not answer.
    """
    database = Database(config, service_name=NAME)
    try:
        check(database, MIGRATIONS, or_newer=True)
    finally:
        database.dispose_sync()


def revise(message: str) -> tuple[Path | None, list[Finding]]:
    """Write the revision from the newest one to the models, if they differ.

    With it comes what `tests/migrations_test.py` would say of it.

    It goes to the folder `migrations` here: under `bazel run`, that of the sources.
    """
    with throwaway_database() as database:
        upgrade(database, MIGRATIONS)
        written = new_revision(database, Path("migrations"), message)
    if written is None:
        return None, []
    return written, lint(Path("migrations"), METADATA)
