"""What is wrong with migrations, found before they meet a database that matters.

Private: import names from ``shared.database.migrations``.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import AbstractOperations, ops
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import MetaData, create_engine, types
from sqlalchemy.engine import make_url
from sqlalchemy.types import TypeEngine

from shared.config import DatabaseConfig
from shared.database._database import Database
from shared.database._migrations import (
    ON_APPLIED,
    VERSION_TABLE,
    MigrationError,
    configuration,
    run_command,
)

DESTRUCTIVE_MARKER: Final = "destructive"
_MARKER: Final = re.compile(
    rf"^[ \t]*#[ \t]*{DESTRUCTIVE_MARKER}:[ \t]*(.*)$", re.MULTILINE
)
_DESTRUCTIVE_SQL: Final = re.compile(
    r"\b(DROP\s+(?:TABLE|COLUMN|SCHEMA)|TRUNCATE|DELETE\s+FROM)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the migrations of a directory."""

    rule: str  # "two-heads", "drift", "destructive", "marker", "upgrade", "downgrade"
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.message}"


def lint(
    directory: Path,
    metadata: MetaData,
    *,
    postgresql: str | None = None,
    version_table: str = VERSION_TABLE,
) -> list[Finding]:
    """Check the migrations of a service; run in one of its tests.

    - ``two-heads``: two revisions follow the same one, and nobody merged them.
    - ``upgrade``, ``downgrade``: all of them don't run, up, down and up again.
    - ``drift``: after all of them the tables are not those of the models.
    - ``destructive``: a step drops a table or a column, narrows a type, or demands
      values that rows may not have, and the revision gives no reason: a comment
      ``# destructive: <why it is safe>`` or an attribute ``destructive = "..."``.
    - ``marker``: a marker without a reason.

    Args:
        directory: With ``env.py``, which calls `run_migrations`, and ``versions``.
        metadata: ``Base.metadata`` of the models.
        postgresql: A server on which to try them too, in a database made for it. SQLite
            is always tried.
        version_table: What `run_migrations` was given.

    Raises:
        MigrationError: There are no migrations in the directory, or one follows a
            revision that there is not.
    """
    scripts = ScriptDirectory.from_config(configuration(directory))
    found = [*_two_heads(directory, scripts)]
    for url in [None, *([postgresql] if postgresql else [])]:
        with throwaway_database(url) as database:
            tried = _Trial(database, directory, scripts).run(metadata, version_table)
        # The second database rarely has something to add.
        found += [finding for finding in tried if finding not in found]
    return found


@contextmanager
def throwaway_database(postgresql: str | None = None) -> Iterator[Database]:
    """An empty database, gone after the block.

    Args:
        postgresql: A server whose role may create databases; SQLite when left out.
    """
    if postgresql is None:
        with tempfile.TemporaryDirectory(prefix="creativeflow-lint-") as folder:
            yield from _opened(f"sqlite:///{Path(folder).as_posix()}/lint.db")
        return
    url = make_url(postgresql).set(drivername="postgresql+psycopg")
    name = f"creativeflow-lint-{uuid4().hex[:16]}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
            try:
                made = url.set(drivername="postgresql", database=name)
                yield from _opened(made.render_as_string(hide_password=False))
            finally:
                connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        server.dispose()


def _opened(url: str) -> Iterator[Database]:
    database = Database(
        DatabaseConfig.model_validate({"url": url}), service_name="migration-lint"
    )
    try:
        yield database
    finally:
        database.dispose_sync()


def _two_heads(directory: Path, scripts: ScriptDirectory) -> Iterator[Finding]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a revision that follows none there is
        try:
            newest = sorted(scripts.get_heads())
        except (RevisionError, UserWarning) as error:
            raise MigrationError(str(error)) from error
    if len(newest) > 1:
        yield Finding(
            "two-heads",
            str(directory),
            f"{' and '.join(newest)} are both the newest: let one follow the other, or "
            "merge them.",
        )


class _Trial:
    """All migrations of a directory, run on an empty database."""

    def __init__(
        self, database: Database, directory: Path, scripts: ScriptDirectory
    ) -> None:
        self._database = database
        self._scripts = scripts
        self._config = configuration(directory, database)
        self._config.attributes[ON_APPLIED] = self._applied
        self._directory = directory
        self._steps: list[ops.MigrateOperation] = []
        self._by_revision: dict[str, list[ops.MigrateOperation]] = {}

    def run(self, metadata: MetaData, version_table: str) -> list[Finding]:
        on = self._database.dialect
        failed = self._fails("upgrade", command.upgrade, "heads")
        if failed:
            return [failed]
        found = [*self._destructive()]
        found += self._drift(metadata, version_table)
        # Recorded twice is harmless: it is read already.
        for rule, run, target in (
            ("downgrade", command.downgrade, "base"),
            ("upgrade", command.upgrade, "heads"),
        ):
            if failed := self._fails(
                rule, run, target, again=f" a second time on {on}"
            ):
                return [*found, failed]
        return found

    def _fails(
        self, rule: str, run: Any, target: str, *, again: str = ""
    ) -> Finding | None:
        try:
            with _recording(self._steps):
                run_command(run, self._config, target)
        except MigrationError as error:
            return Finding(rule, str(self._directory), str(error))
        except Exception as error:
            # Whatever a revision of somebody else raises. Its cause is the database's.
            cause = error.__cause__ or error
            return Finding(
                rule,
                str(self._directory),
                f"it does not run{again or f' on {self._database.dialect}'}: "
                f"{type(error).__name__}: {str(cause).splitlines()[0:1]}",
            )
        return None

    def _applied(self, *, step: Any, **_: object) -> None:
        """Alembic has run one revision: what was recorded is its."""
        if step.is_upgrade:
            self._by_revision.setdefault(step.up_revision_id, []).extend(self._steps)
        self._steps.clear()

    def _destructive(self) -> Iterator[Finding]:
        for script in self._scripts.walk_revisions():
            where = f"{Path(script.path).name}"
            reasons = _reasons(script)
            if any(not reason for reason in reasons):
                yield Finding("marker", where, "the marker gives no reason.")
            if any(reasons):
                continue
            for step in self._by_revision.get(script.revision, []):
                if harm := _harm(step):
                    yield Finding(
                        "destructive",
                        where,
                        f"{harm}. If that is right, say why: "
                        f"# {DESTRUCTIVE_MARKER}: <reason>",
                    )

    def _drift(self, metadata: MetaData, version_table: str) -> Iterator[Finding]:
        options = {"compare_type": True, "version_table": version_table}
        with self._database.sync_engine.connect() as connection:
            migrated = MigrationContext.configure(connection, opts=options)
            differences = [*_flat(compare_metadata(migrated, metadata))]
        for difference in differences:
            yield Finding("drift", str(self._directory), _told(difference))


@contextmanager
def _recording(steps: list[ops.MigrateOperation]) -> Iterator[None]:
    """Note every operation of every revision, those of batches too."""
    invoke = AbstractOperations.invoke

    def noting(self: AbstractOperations, operation: ops.MigrateOperation) -> Any:
        steps.append(operation)
        return invoke(self, operation)

    # Alembic has no hook for this. Its own `op` is one for the process as well.
    AbstractOperations.invoke = noting  # type: ignore[method-assign]
    try:
        yield
    finally:
        AbstractOperations.invoke = invoke  # type: ignore[method-assign]


def _reasons(script: Script) -> list[str]:
    """What the markers of a revision say; empty where one says nothing."""
    source = Path(script.path).read_text(encoding="utf-8")
    reasons = [reason.strip() for reason in _MARKER.findall(source)]
    if hasattr(script.module, DESTRUCTIVE_MARKER):
        attribute = getattr(script.module, DESTRUCTIVE_MARKER)
        reasons.append(attribute.strip() if isinstance(attribute, str) else "")
    return reasons


def _harm(step: ops.MigrateOperation) -> str | None:
    """What a step may destroy, or break on rows that are there."""
    match step:
        case ops.DropTableOp():
            return f"drops the table {step.table_name}"
        case ops.DropColumnOp():
            return f"drops the column {step.table_name}.{step.column_name}"
        case ops.AddColumnOp():
            column = step.column
            if column.nullable or column.server_default is not None or column.computed:
                return None
            return (
                f"adds {step.table_name}.{column.name}, NOT NULL without a "
                "server_default, which fails if there are rows"
            )
        case ops.AlterColumnOp():
            return _harm_of_change(step)
        case ops.ExecuteSQLOp():
            found = _DESTRUCTIVE_SQL.search(str(step.sqltext))
            return f"executes {' '.join(found[1].upper().split())}" if found else None
    return None


def _harm_of_change(step: ops.AlterColumnOp) -> str | None:
    name = f"{step.table_name}.{step.column_name}"
    if step.modify_type is not None:
        new = types.to_instance(step.modify_type)
        if step.existing_type is None:
            return f"changes the type of {name} from nobody says which (existing_type)"
        old = types.to_instance(step.existing_type)
        if not _holds(new, old):
            return f"narrows {name} from {old!r} to {new!r}"
    has_default = step.modify_server_default not in (False, None) or (
        step.modify_server_default is False
        and step.existing_server_default not in (False, None)
    )
    if step.modify_nullable is False and not has_default:
        return f"makes {name} NOT NULL without a server_default"
    return None


def _holds(new: TypeEngine[Any], old: TypeEngine[Any]) -> bool:
    """Whether every value of *old* is one of *new*."""
    if isinstance(old, types.Enum) or isinstance(new, types.Enum):
        return isinstance(new, types.Enum) and set(_members(old)) <= set(new.enums)
    if isinstance(old, types.String) and isinstance(new, types.String):
        return new.length is None or (
            old.length is not None and old.length <= new.length
        )
    if isinstance(old, types.Integer) and isinstance(new, types.Integer):
        return _width(old) <= _width(new)
    if isinstance(old, types.Numeric) and isinstance(new, types.Numeric):
        return _digits(old, new)
    if isinstance(old, types.DateTime) and isinstance(new, types.DateTime):
        return old.timezone == new.timezone
    # Of two unlike types nobody knows.
    return type(old) is type(new) and repr(old) == repr(new)


def _members(kind: TypeEngine[Any]) -> Sequence[str]:
    return kind.enums if isinstance(kind, types.Enum) else ["anything"]


def _width(kind: types.Integer) -> int:
    if isinstance(kind, types.SmallInteger):
        return 0
    return 2 if isinstance(kind, types.BigInteger) else 1


def _digits(old: types.Numeric[Any], new: types.Numeric[Any]) -> bool:
    if new.precision is None:
        return True
    if old.precision is None:
        return False
    before = (old.precision - (old.scale or 0), old.scale or 0)
    after = (new.precision - (new.scale or 0), new.scale or 0)
    return before[0] <= after[0] and before[1] <= after[1]


def _flat(differences: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for difference in differences:
        if isinstance(difference, list):
            yield from _flat(difference)
        else:
            yield difference


def _told(difference: tuple[Any, ...]) -> str:
    """One of Alembic's differences as a sentence."""
    kind, *what = difference
    verb, _, noun = str(kind).partition("_")
    if verb == "modify":
        _, table, column, *_, old, new = what
        return (
            f"{table}.{column} has another {noun}: {old!r}, and in the models {new!r}."
        )
    subject = what[-1]
    table = getattr(subject, "table", None)
    name = getattr(subject, "name", None) or noun
    if noun == "column":
        name = f"{what[-2]}.{name}"
    elif table is not None:
        name = f"{name} of {table.name}"
    where = (
        "in the models, and no migration makes it"
        if verb == "add"
        else "made by the migrations, and not in the models"
    )
    return f"{noun.replace('_', ' ')} {name} is {where}."
