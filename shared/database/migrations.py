"""The kit for Alembic: one call in ``env.py``, and one from everywhere else.

``migrations/env.py`` of a service::

    from shared.database.migrations import run_migrations
    from subject_service.models import Base

    run_migrations(Base.metadata, service_name="subject-service")

and where it starts, or in its ``migrate`` command::

    upgrade(get_database("subject-service"), Path(__file__).parent / "migrations")

Migrations run over the synchronous driver, whatever the service itself uses; in a
coroutine, ``await asyncio.to_thread(upgrade, database, folder)``. One run is one
transaction, on SQLite too: it happens as a whole or not at all. Replicas that start
together take turns, and the later ones find nothing to do. The same revision runs on
SQLite and PostgreSQL when it is written with ``op.batch_alter_table``, which
autogenerate does.
"""

from shared.database._migration_lint import (
    DESTRUCTIVE_MARKER,
    Finding,
    lint,
    throwaway_database,
)
from shared.database._migrations import (
    MigrationError,
    check,
    current,
    downgrade,
    heads,
    new_revision,
    run_migrations,
    upgrade,
)

__all__ = [
    "DESTRUCTIVE_MARKER",
    "Finding",
    "MigrationError",
    "check",
    "current",
    "downgrade",
    "heads",
    "lint",
    "new_revision",
    "run_migrations",
    "throwaway_database",
    "upgrade",
]
