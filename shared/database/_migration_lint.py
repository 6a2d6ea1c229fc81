"""What is wrong with migrations, found before they meet a database that matters.

Private: import names from ``shared.database.migrations``.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import AbstractOperations, ops
from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.migration import HeadMaintainer, MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Column, MetaData, Table, create_engine, event, inspect, types
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.schema import CreateTable, DefaultClause
from sqlalchemy.types import TypeEngine

from shared.config import DatabaseConfig
from shared.database._database import Database
from shared.database._migration_sql import ADVICE_UNIQUE, harm_of_sql, tables_made
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
# In the trial's database, for the moment in which a default is compared.
_PROBE: Final = "creativeflow_lint_default"


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
    - ``drift``: after all of them the tables are not those of the models: tables,
      columns, types, defaults of the server, indexes, and unique and foreign keys.
      CHECK constraints are not compared.
    - ``destructive``: a step drops a table or a column, narrows a type, empties a
      column, demands what rows may not have (a value, no duplicates), or renames what
      the version that still runs knows by its old name, and the revision gives no
      reason: a comment ``# destructive: <why it is safe>`` or an attribute
      ``destructive = "..."``.
    - ``marker``: a marker without a reason.

    Steps are those of ``op`` and whatever SQL the upgrade sends through SQLAlchemy. One
    that a revision takes on PostgreSQL only, or only for rows that there are, is seen
    only if it is taken: tables are empty here.

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
            with _recording(self._steps, self._database.sync_engine):
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
            made: set[str] = set()
            for step in self._by_revision.get(script.revision, []):
                _note_table(step, made)
                if harm := _harm(step, made):
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
            told = [*map(_told, differences), *_other_defaults(connection, metadata)]
        for message in told:
            yield Finding("drift", str(self._directory), message)


class _Executed(ops.ExecuteSQLOp):
    """SQL as the database got it."""

    def __init__(self, sql: str, *, with_null: bool) -> None:
        super().__init__(sql)
        self.with_null = with_null


@contextmanager
def _recording(steps: list[ops.MigrateOperation], engine: Engine) -> Iterator[None]:
    """Note every operation of every revision, and all SQL that is of none."""
    # Whether Alembic writes the SQL: of an operation that is noted, of a batch, which
    # copies a table and drops the old one, or of its own table.
    own = [False]

    def silent(method: Callable[..., Any]) -> Callable[..., Any]:
        def called(self: Any, *arguments: Any, **options: Any) -> Any:
            before, own[0] = own[0], True
            try:
                return method(self, *arguments, **options)
            finally:
                own[0] = before

        return called

    invoke = AbstractOperations.invoke
    silently = silent(invoke)

    def noting(self: AbstractOperations, operation: ops.MigrateOperation) -> Any:
        # Operations that somebody registered are made of others, or of SQL.
        if type(operation).__module__ != ops.__name__ or isinstance(
            operation, ops.ExecuteSQLOp
        ):
            return invoke(self, operation)
        steps.append(operation)
        return silently(self, operation)

    def executing(_: object, __: object, sql: str, given: Any, *___: object) -> None:
        if not own[0]:
            steps.append(_Executed(sql, with_null=_has_null(given)))

    flush, update = BatchOperationsImpl.flush, HeadMaintainer.update_to_step
    # Alembic has no hook for this. Its own `op` is one for the process as well.
    AbstractOperations.invoke = noting  # type: ignore[method-assign]
    BatchOperationsImpl.flush = silent(flush)  # type: ignore[method-assign]
    HeadMaintainer.update_to_step = silent(update)  # type: ignore[method-assign]
    event.listen(engine, "before_cursor_execute", executing)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", executing)
        AbstractOperations.invoke = invoke  # type: ignore[method-assign]
        BatchOperationsImpl.flush = flush  # type: ignore[method-assign]
        HeadMaintainer.update_to_step = update  # type: ignore[method-assign]


def _has_null(given: Any) -> bool:
    """Whether a parameter is None: of one statement, or of many at once."""
    if isinstance(given, Mapping):
        return None in given.values()
    if isinstance(given, list | tuple):
        return any(each is None or _has_null(each) for each in given)
    return False


def _reasons(script: Script) -> list[str]:
    """What the markers of a revision say; empty where one says nothing."""
    source = Path(script.path).read_text(encoding="utf-8")
    reasons = [reason.strip() for reason in _MARKER.findall(source)]
    if hasattr(script.module, DESTRUCTIVE_MARKER):
        attribute = getattr(script.module, DESTRUCTIVE_MARKER)
        reasons.append(attribute.strip() if isinstance(attribute, str) else "")
    return reasons


def _note_table(step: ops.MigrateOperation, made: set[str]) -> None:
    """Add what a step makes to the tables of its revision: nobody uses them yet."""
    match step:
        case ops.CreateTableOp():
            made.add(step.table_name)
        case ops.ExecuteSQLOp():
            made |= tables_made(str(step.sqltext))
        case ops.RenameTableOp() if step.table_name in made:
            made.add(step.new_table_name)


def _harm(step: ops.MigrateOperation, made: Set[str] = frozenset()) -> str | None:
    """What a step may destroy, or break on rows or for a version that are there."""
    match step:
        case ops.DropTableOp():
            return f"drops the table {step.table_name}"
        case ops.DropColumnOp():
            return f"drops the column {step.table_name}.{step.column_name}"
        case ops.AddColumnOp():
            return _harm_of_column(step)
        case ops.AlterColumnOp():
            return _harm_of_change(step)
        case ops.ExecuteSQLOp():
            with_null = isinstance(step, _Executed) and step.with_null
            return harm_of_sql(str(step.sqltext), made, with_null=with_null)
        case ops.RenameTableOp() if step.table_name not in made:
            return (
                f"renames the table {step.table_name}, and the version that still runs "
                "knows the old name only: make a new one, write both, and drop the old "
                "one later"
            )
        case ops.CreateUniqueConstraintOp() | ops.CreatePrimaryKeyOp():
            unique = True
        case ops.CreateIndexOp():
            unique = bool(step.unique)
        case _:
            unique = False
    if unique and (table := getattr(step, "table_name", "")) not in made:
        return f"makes columns of {table} unique, {ADVICE_UNIQUE}"
    return None


def _harm_of_column(step: ops.AddColumnOp) -> str | None:
    column = step.column
    name = f"{step.table_name}.{column.name}"
    if column.unique:
        return f"adds {name} unique, {ADVICE_UNIQUE}"
    if column.nullable or column.server_default is not None:
        return None
    return (
        f"adds {name}, NOT NULL without a server_default, which fails if there are rows"
    )


def _harm_of_change(step: ops.AlterColumnOp) -> str | None:
    name = f"{step.table_name}.{step.column_name}"
    if step.modify_type is not None:
        new = types.to_instance(step.modify_type)
        if step.existing_type is None:
            return f"changes the type of {name} from nobody says which (existing_type)"
        old = types.to_instance(step.existing_type)
        if not _holds(new, old):
            return f"narrows {name} from {old!r} to {new!r}"
    if step.modify_name is not None and step.modify_name != step.column_name:
        return (
            f"renames {name}, and the version that still runs knows the old name only: "
            "add a column, write both, and drop the old one later"
        )
    if step.modify_nullable is False and step.existing_nullable is not False:
        return (
            f"makes {name} NOT NULL, which fails if a row has no value, and a "
            "server_default gives it none: fill them in an earlier revision"
        )
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


def _other_defaults(connection: Connection, metadata: MetaData) -> Iterator[str]:
    """Columns that do not have the default of the models.

    The database is asked how it writes theirs. Alembic's comparison runs both: those
    that are never the same twice differ, and those without an equality fail.
    """
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        if not inspector.has_table(table.name, schema=table.schema):
            continue
        columns = {column.name: column for column in table.columns}
        for found in inspector.get_columns(table.name, schema=table.schema):
            column = columns.get(found["name"])
            if column is None or "identity" in found or "computed" in found:
                continue
            wanted, default = column.server_default, found["default"]
            if wanted is not None and not isinstance(wanted, DefaultClause):
                continue  # a trigger's, say: only marked in the models
            if wanted is None and (default or "").startswith("nextval("):
                continue  # SERIAL
            written = (
                None if wanted is None else _as_written(connection, column, wanted)
            )
            if _plain(default) != _plain(written):
                yield (
                    f"{table.name}.{column.name} has another server_default: "
                    f"{default or 'none'}, and in the models {written or 'none'}."
                )


def _as_written(
    connection: Connection, column: Column[Any], wanted: DefaultClause
) -> str | None:
    argument: Any = wanted.arg
    probe = Table(_PROBE, MetaData(), Column("c", column.type, server_default=argument))
    with connection.begin_nested() as undone:
        # Not Table.create: types of columns would be made with it.
        connection.execute(CreateTable(probe))
        (written,) = inspect(connection).get_columns(_PROBE)
        undone.rollback()
    default: str | None = written["default"]
    return default


def _plain(default: str | None) -> str | None:
    """Without what says nothing: casts, quotes and brackets around the whole."""
    if default is None:
        return None
    text = re.sub(r"::[a-z_\"][\w \".]*(?:\([\d, ]+\))?(?:\[\])*", "", default)
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if re.fullmatch(r"'(?:[^']|'')*'", text):
        return text[1:-1]
    return text.casefold()


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
