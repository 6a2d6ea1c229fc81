"""Running Alembic's migrations: from ``env.py``, and from programs.

Private: import names from ``shared.database.migrations``.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
import tokenize
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command, context
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from shared.database._database import Database
from shared.database._errors import (
    PoolExhaustedException,
    RecordLockedException,
)
from shared.database._registry import get_database
from shared.database._types import JSON_DOCUMENT
from shared.errors import BaseAPIException, ServiceUnavailableException

VERSION_TABLE: Final = "alembic_version"

# Seconds for which a replica waits until another one has migrated.
_PATIENCE: Final = 300.0

# Keys of Config.attributes, between the functions here and run_migrations in env.py.
_DATABASE: Final = "shared_database"
_WAIT: Final = "shared_wait"
ON_APPLIED: Final = "shared_on_applied"

# Alembic's `context` and `op` are one for the whole process.
_turn: Final = threading.RLock()


class MigrationError(Exception):
    """A migration did not run, or the database is not where it should be."""


def run_migrations(
    metadata: MetaData | Sequence[MetaData],
    *,
    service_name: str | None = None,
    database: Database | None = None,
    version_table: str = VERSION_TABLE,
    **options: Any,
) -> None:
    """Do what ``env.py`` has to do: run the migrations that Alembic was asked for.

    With ``alembic upgrade --sql`` it prints their SQL, for the database of the
    settings, and connects to nothing.

    Args:
        metadata: ``Base.metadata``, which autogenerate compares with.
        service_name: Whose settings say where the database is.
        database: Or the database itself. What `upgrade` was given wins over both.
        version_table: Where Alembic notes which revision the database has.
        options: More for ``context.configure``.

    Raises:
        MigrationError: Neither a name nor a database is known, another replica takes
            too long, or rows refer to nothing after a migration on SQLite.
    """
    attributes = context.config.attributes
    database = attributes.get(_DATABASE, database)
    if database is None:
        if service_name is None:
            raise MigrationError(
                "run_migrations needs service_name= or database= to know where to run."
            )
        database = get_database(service_name)
    configured: dict[str, Any] = {
        "target_metadata": metadata,
        "version_table": version_table,
        # In revisions too that are written on PostgreSQL: they shall run on SQLite.
        "render_as_batch": True,
        "compare_type": True,
        "render_item": _render_item,
        "on_version_apply": attributes.get(ON_APPLIED),
        # SQLite can do it, once it is told when a transaction begins.
        "transactional_ddl": True,
        **options,
    }
    if context.is_offline_mode():
        context.configure(
            dialect_name=database.dialect,
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
            **configured,
        )
        with context.begin_transaction():
            context.run_migrations()
        return
    wait = float(attributes.get(_WAIT, _PATIENCE))
    with _migrating(database, version_table, wait) as connection:
        context.configure(connection=connection, **configured)
        with context.begin_transaction():
            context.run_migrations()
            _check_references(connection)


def upgrade(
    database: Database,
    directory: Path,
    revision: str = "heads",
    *,
    wait: float = _PATIENCE,
) -> None:
    """Bring *database* to a revision of *directory*; to the newest when left out.

    Args:
        database: What to migrate.
        directory: With ``env.py`` and ``versions``.
        revision: Where to.
        wait: Seconds to wait for another replica that migrates already.

    Raises:
        MigrationError: It can't be done; nothing has changed.
    """
    _run(command.upgrade, database, directory, revision, wait=wait)


def downgrade(
    database: Database, directory: Path, revision: str, *, wait: float = _PATIENCE
) -> None:
    """Take back what was migrated after *revision*; ``base`` is everything.

    Raises:
        MigrationError: It can't be done; nothing has changed.
    """
    _run(command.downgrade, database, directory, revision, wait=wait)


def new_revision(
    database: Database, directory: Path, message: str, *, empty: bool = False
) -> Path | None:
    """Write the revision that brings *database* to what the models say.

    Args:
        database: At the newest revision of *directory*.
        directory: With ``env.py``, ``script.py.mako`` and ``versions``.
        message: What it does, in a few words. It stands in the docstring as it is, and
            in the name of the file in ASCII.
        empty: Compare nothing; the revision is written by hand.

    Returns:
        The file, or None when there is nothing to do.

    Raises:
        MigrationError: The database is behind, for one, or the message is empty.
    """
    message = message.strip()
    if not message or not message.isprintable():
        raise MigrationError(
            "A revision needs a message: one line that says what it does."
        )
    made = _run(
        command.revision,
        database,
        directory,
        file_template=_file_template(message),
        message=_in_docstring(message),
        autogenerate=not empty,
        process_revision_directives=_no_empty_revision,
    )
    if not made:
        return None
    path = Path(made.path)
    path.write_text(
        _double_quoted(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n"
    )
    return path


def current(
    database: Database, *, version_table: str = VERSION_TABLE
) -> frozenset[str]:
    """The revisions of *database*: one, or none before the first."""
    with database.sync_engine.connect() as connection:
        options = {"version_table": version_table}
        found = MigrationContext.configure(connection, opts=options).get_current_heads()
    return frozenset(found)


def heads(directory: Path) -> frozenset[str]:
    """The newest revisions of *directory*: one, or somebody has to merge."""
    return frozenset(ScriptDirectory.from_config(configuration(directory)).get_heads())


def check(
    database: Database,
    directory: Path,
    *,
    version_table: str = VERSION_TABLE,
    or_newer: bool = False,
) -> None:
    """Raise unless *database* has the newest revision: for a service as it starts.

    Args:
        database: The database.
        directory: With the revisions that this version of the service knows.
        version_table: Where the database says which one it has.
        or_newer: Let one be that *directory* does not know, of the next version of the
            service: while that is rolled out, this one may be started again.

    Raises:
        MigrationError: It has another one; it says which.
    """
    has, wanted = current(database, version_table=version_table), heads(directory)
    newer = or_newer and bool(has) and not has & _known(directory)
    if has != wanted and not newer:
        raise MigrationError(
            f"The database is at {_names(has)}, and the service needs "
            f"{_names(wanted)}: run its migrations."
        )


def _known(directory: Path) -> frozenset[str]:
    scripts = ScriptDirectory.from_config(configuration(directory))
    return frozenset(script.revision for script in scripts.walk_revisions())


def configuration(directory: Path, database: Database | None = None) -> Config:
    """Alembic's settings for a directory, without an alembic.ini.

    Raises:
        MigrationError: There are no migrations in it.
    """
    if not (directory / "env.py").is_file():
        raise MigrationError(f"{directory} holds no migrations: it has no env.py.")
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if database is not None:
        config.attributes[_DATABASE] = database
    return config


def _run(
    run: Callable[..., Any],
    database: Database,
    directory: Path,
    *arguments: Any,
    wait: float = _PATIENCE,
    file_template: str | None = None,
    **options: Any,
) -> Any:
    config = configuration(directory, database)
    config.attributes[_WAIT] = wait
    if file_template is not None:
        config.set_main_option("file_template", file_template.replace("%", "%%"))
    try:
        return run_command(run, config, *arguments, **options)
    except ServiceUnavailableException:
        raise  # no migration's fault
    except (BaseAPIException, SQLAlchemyError) as error:
        raise MigrationError(
            f"A migration failed, and nothing was changed: {_reason(error)}"
        ) from error


def _reason(error: BaseException) -> str:
    """What the driver says, in one line: without statement, parameters and rows."""
    while deeper := getattr(error, "orig", None) or error.__cause__:
        error = deeper
    state = getattr(error, "sqlstate", None)
    if state and state.startswith("22"):
        # "invalid input syntax for type integer: ..." quotes what is in a row.
        return f"a value in it does not fit ({type(error).__name__})."
    first = (str(error).splitlines() or [""])[0].strip()
    return first or type(error).__name__


def _file_template(message: str) -> str:
    """The name of a revision's file: Bazel's lists of files are not UTF-8."""
    ascii_only = unicodedata.normalize("NFKD", message).encode("ascii", "ignore")
    slug = "_".join(re.findall(r"\w+", ascii_only.decode().lower()))
    return f"%(rev)s_{slug[:40]}".rstrip("_")


def _in_docstring(message: str) -> str:
    """*message* as it has to stand between three quotes to be itself."""

    def escaped(found: re.Match[str]) -> str:
        return "".join(f"\\u{ord(char):04x}" for char in found[0])

    return re.sub(r'\\+|^"+|"+$|"{2,}', escaped, message)


def _double_quoted(source: str) -> str:
    """Alembic writes 'text', and formatters want "text"."""
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        inner = token.string[1:-1]
        if (
            token.type == tokenize.STRING
            and token.string == f"'{inner}'"
            and not re.search(r"""["'\\]""", inner)
        ):
            row, start, end = token.start[0] - 1, token.start[1], token.end[1]
            lines[row] = f'{lines[row][:start]}"{inner}"{lines[row][end:]}'
    return "".join(lines)


def run_command(
    run: Callable[..., Any], config: Config, *arguments: Any, **options: Any
) -> Any:
    """Run one of Alembic's commands, one at a time.

    Raises:
        MigrationError: Alembic refuses.
    """
    with _turn:
        try:
            return run(config, *arguments, **options)
        except CommandError as error:
            raise MigrationError(str(error)) from error


@contextmanager
def _migrating(database: Database, table: str, wait: float) -> Iterator[Connection]:
    """A connection of our own, on which nobody else migrates meanwhile."""
    with database.sync_engine.connect() as connection:
        try:
            _take_turn(connection, table, wait)
            yield connection
            connection.commit()  # what Alembic does not: a transaction it was given
        finally:
            # Closed, so that what was set for it does not go back into the pool.
            connection.invalidate()


def _take_turn(connection: Connection, table: str, wait: float) -> None:
    try:
        if connection.dialect.name == "postgresql":
            _lock(connection, table, wait)
        else:
            _loosen(connection, wait)
            connection.begin()  # IMMEDIATE: waits for whoever writes
    except (RecordLockedException, PoolExhaustedException) as error:
        raise MigrationError(
            f"Another process has been migrating for {wait:g} s. Nothing was done."
        ) from error


def _lock(connection: Connection, table: str, wait: float) -> None:
    # Held by the connection, so it ends with it, and outlasts each transaction.
    lock = hashlib.sha256(f"creativeflow migrations {table}".encode()).digest()[:8]
    connection.execute(
        text("SELECT set_config('lock_timeout', :wait, false)"),
        {"wait": str(max(1, int(wait * 1000)))},
    )
    # A limit for the statements of requests is none for the change of a large table.
    connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))
    connection.execute(
        text("SELECT pg_advisory_lock(:lock)"),
        {"lock": int.from_bytes(lock, signed=True)},
    )
    connection.commit()


def _loosen(connection: Connection, wait: float) -> None:
    # Under SQLAlchemy, which would begin a transaction, in which this has no effect. To
    # change a table SQLite copies it and drops the old one, and with it, by ON DELETE
    # CASCADE, the rows that refer to it.
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.execute(f"PRAGMA busy_timeout = {max(1, int(wait * 1000))}")
    cursor.close()


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if lost:
        tables = sorted({str(row[0]) for row in lost})
        raise MigrationError(
            f"After this migration rows of {', '.join(tables)} would refer to rows "
            "that do not exist. Nothing was changed."
        )


def _render_item(kind: str, item: object, context: AutogenContext) -> str | bool:
    """Write types of ours as what they are to the database: revisions outlive code."""
    if item is JSON_DOCUMENT:
        # Alembic's own text of a variant lacks an import.
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    if kind != "type" or not isinstance(item, TypeDecorator):
        return False
    if not type(item).__module__.startswith("shared.database."):
        return False
    return f"sa.{item.impl_instance!r}"


def _no_empty_revision(
    _: object, __: object, directives: list[MigrationScript]
) -> None:
    directives[:] = [
        script
        for script in directives
        if script.upgrade_ops is None or not script.upgrade_ops.is_empty()
    ]


def _names(revisions: frozenset[str]) -> str:
    return " and ".join(sorted(revisions)) or "no revision"
