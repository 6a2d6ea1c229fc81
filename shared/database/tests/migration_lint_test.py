from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.operations import ops
from sqlalchemy import (
    Column,
    FetchedValue,
    MetaData,
    Table,
    false,
    text,
    types,
)

from shared.database._migration_lint import _harm, _holds, _plain, throwaway_database
from shared.database.migration_lint import main
from shared.database.migrations import Finding, MigrationError, lint, upgrade
from shared.database.tests.migration_cases import migrations_folder, revision

TABLE = """
op.create_table(
    "a",
    sa.Column("i", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(40), nullable=True),
)
"""
DROP = 'op.drop_table("a")'


# Nobody uses what a revision makes itself.
NEW_TABLE = """
op.create_table("b", sa.Column("i", sa.Integer))
op.create_index("ix", "b", ["i"], unique=True)
op.rename_table("b", "c")
op.create_index("ix2", "c", ["i"], unique=True)
"""
NEW_TABLE_IN_SQL = """
op.execute("CREATE TABLE b (i INTEGER)")
op.execute("CREATE UNIQUE INDEX u ON b (i)")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Migrations whose first revision makes a table."""
    folder = migrations_folder(tmp_path / "migrations")
    revision(folder, "one", TABLE, DROP, after=None)
    return folder


def models(folder: Path, *, without: str = "") -> MetaData:
    """The models that fit the migrations, made from them."""
    metadata = MetaData()
    with throwaway_database() as database:
        upgrade(database, folder)
        metadata.reflect(database.sync_engine)
    metadata.remove(metadata.tables["alembic_version"])
    if without:
        metadata.remove(metadata.tables[without])
    return metadata


def rules(found: list[Finding]) -> list[str]:
    """Which rules were broken."""
    return [finding.rule for finding in found]


def batch(step: str) -> str:
    """A step on the table."""
    return f'with op.batch_alter_table("a") as batch:\n    batch.{step}'


def test_good_migrations(folder: Path) -> None:
    """Nothing is found."""
    assert lint(folder, models(folder)) == []


def test_two_heads(folder: Path) -> None:
    """Two branches that nobody merged, both named."""
    revision(folder, "left", "pass", after="one")
    revision(folder, "right", "pass", after="one")
    (finding,) = lint(folder, models(folder))

    assert (finding.rule, finding.where) == ("two-heads", str(folder))
    assert "left and right are both the newest" in str(finding)


@pytest.mark.parametrize(
    ("step", "harm"),
    [
        (DROP, "drops the table a"),
        (batch('drop_column("name")'), "drops the column a.name"),
        (
            batch('add_column(sa.Column("x", sa.Integer, nullable=False))'),
            "adds a.x, NOT NULL without a server_default",
        ),
        (
            batch('alter_column("name", existing_type=sa.String(40), nullable=False)'),
            "makes a.name NOT NULL, which fails if a row has no value",
        ),
        (
            batch(
                'alter_column("name", existing_type=sa.String(40), nullable=False, '
                'server_default="")'
            ),
            "makes a.name NOT NULL, which fails if a row has no value",
        ),
        (
            batch(
                'alter_column("name", existing_type=sa.String(40), nullable=False, '
                'existing_server_default="")'
            ),
            "makes a.name NOT NULL, which fails if a row has no value",
        ),
        (
            batch('alter_column("name", new_column_name="title")'),
            "renames a.name, and the version that still runs",
        ),
        ('op.rename_table("a", "b")', "renames the table a, and the version that"),
        (batch('create_unique_constraint("u", ["name"])'), "makes columns of a unique"),
        (
            'op.create_index("ix", "a", ["name"], unique=True)',
            "makes columns of a unique, which fails on rows that are alike",
        ),
        (
            batch(
                'alter_column("name", existing_type=sa.String(40), type_=sa.String(9))'
            ),
            "narrows a.name from String(length=40) to String(length=9)",
        ),
        (
            batch('alter_column("name", type_=sa.String(90))'),
            "changes the type of a.name from nobody says which",
        ),
        ('op.execute("drop  table a")', "executes DROP TABLE"),
        ('op.execute("DELETE FROM a")', "executes DELETE FROM"),
        ('op.execute(sa.text("DELETE FROM a"))', "executes DELETE FROM"),
        ('op.execute("CREATE UNIQUE INDEX u ON a (name)")', "columns of a unique"),
        ('op.get_bind().execute(sa.text("DROP TABLE a"))', "executes DROP TABLE"),
        ('op.get_bind().exec_driver_sql("DELETE FROM a")', "executes DELETE FROM"),
        (
            'sa.Table("a", sa.MetaData()).drop(op.get_bind())',
            "executes DROP TABLE",
        ),
        (
            'op.execute(sa.update(sa.table("a", sa.column("name"))).values(name=None))',
            "executes UPDATE",
        ),
        (
            'op.get_bind().exec_driver_sql("UPDATE a SET name = :x", {"x": None})',
            "executes UPDATE with a parameter that is NULL",
        ),
    ],
)
@pytest.mark.parametrize(
    "marker", ["# destructive: nobody uses it", 'destructive = "nobody uses it"']
)
def test_destructive_steps_need_a_reason(
    folder: Path, step: str, harm: str, marker: str
) -> None:
    """Without one they are findings that say which step; with one they are not."""
    revision(folder, "two", step, "raise NotImplementedError", after="one")
    found = lint(folder, MetaData())
    harmful = [finding for finding in found if finding.rule == "destructive"]
    assert [finding.where for finding in harmful] == ["two.py"]
    assert harm in harmful[0].message

    revision(folder, "two", step, "raise NotImplementedError", after="one", head=marker)
    assert "destructive" not in rules(lint(folder, MetaData()))


@pytest.mark.parametrize(
    "step",
    [
        batch('add_column(sa.Column("x", sa.Integer))'),
        batch(
            'add_column(sa.Column("x", sa.Integer, nullable=False, server_default="0"))'
        ),
        batch('alter_column("name", existing_type=sa.String(40), type_=sa.Text())'),
        batch(
            'alter_column("name", existing_type=sa.String(40), nullable=False, '
            "existing_nullable=False)"
        ),
        NEW_TABLE,
        NEW_TABLE_IN_SQL,
        'op.create_index("ix_a_name", "a", ["name"])',
        'op.get_bind().exec_driver_sql("UPDATE a SET name = :x", {"x": "y"})',
        'op.get_bind().exec_driver_sql("UPDATE a SET name = ?", ("y",))',
        "op.execute(\"UPDATE a SET name = 'x'\")",
    ],
)
def test_harmless_steps(folder: Path, step: str) -> None:
    """What rows survive needs no reason."""
    revision(folder, "two", step, "raise NotImplementedError", after="one")

    assert "destructive" not in rules(lint(folder, MetaData()))


def test_a_new_column_that_is_unique() -> None:
    """With a default each row has the same."""
    step = ops.AddColumnOp("a", Column("x", types.Integer, unique=True))
    assert "adds a.x unique, which fails on rows that are alike" in str(_harm(step))


def test_what_alembic_executes_is_nobodys_harm(folder: Path) -> None:
    """A batch drops the old table, and a merge deletes a row of Alembic's own."""
    revision(folder, "left", batch('add_column(sa.Column("x", sa.Text))'), after="one")
    revision(folder, "right", "pass", after="one")
    path = revision(folder, "merged", "pass", after="left")
    path.write_text(path.read_text().replace("'left'", "('left', 'right')"))
    recreated = batch('alter_column("name", existing_type=sa.String(40), comment="")')
    revision(folder, "two", recreated, after="merged")

    assert "destructive" not in rules(lint(folder, MetaData()))


def test_operations_of_others_are_seen_through(folder: Path) -> None:
    """What one executes counts as if the revision had."""
    registered = """
from alembic.operations import MigrateOperation, Operations

class Forget(MigrateOperation):
    pass

@Operations.implementation_for(Forget, replace=True)
def forget(operations, operation):
    operations.execute("DROP TABLE a")
"""
    step = "op.invoke(Forget())"
    revision(folder, "two", step, "pass", after="one", head=registered)
    found = [each for each in lint(folder, MetaData()) if each.rule == "destructive"]

    assert [each.message.partition(".")[0] for each in found] == ["executes DROP TABLE"]


@pytest.mark.parametrize("marker", ["# destructive:", "destructive = None"])
def test_a_marker_needs_a_reason(folder: Path, marker: str) -> None:
    """An empty one excuses nothing."""
    revision(folder, "two", DROP, TABLE, after="one", head=marker)
    found = lint(folder, MetaData())

    assert rules(found) == ["marker", "destructive"]


def test_drift(folder: Path) -> None:
    """Models and tables differ, in both directions."""
    wanted = models(folder)
    table = wanted.tables["a"]
    table.c.name.type = types.Integer()
    table.append_column(Column("j", types.Integer))
    revision(
        folder, "two", 'op.create_table("b", sa.Column("i", sa.Integer))', after="one"
    )
    found = lint(folder, wanted)

    told = sorted(finding.message for finding in found if finding.rule == "drift")
    assert told == [
        "a.name has another type: VARCHAR(length=40), and in the models Integer().",
        "column a.j is in the models, and no migration makes it.",
        "table b is made by the migrations, and not in the models.",
    ]


def defaulted(folder: Path, made: str, wanted: Any) -> list[str]:
    """What is found when the migrations write one default, and the models another."""
    step = f'op.create_table("d", sa.Column("c", {made}))'
    revision(folder, "two", step, 'op.drop_table("d")', after="one")
    metadata = models(folder)
    kind = metadata.tables["d"].c.c.type
    metadata.remove(metadata.tables["d"])
    Table("d", metadata, Column("c", kind, server_default=wanted))
    return [finding.message for finding in lint(folder, metadata)]


@pytest.mark.parametrize(
    ("made", "wanted", "told"),
    [
        ("sa.Integer", "7", "none, and in the models '7'"),
        ('sa.Integer, server_default="7"', None, "'7', and in the models none"),
        ('sa.Integer, server_default="7"', "8", "'7', and in the models '8'"),
        (
            'sa.Text, server_default="A"',
            "a",
            "'A', and in the models 'a'",
        ),
    ],
)
def test_drift_of_defaults(folder: Path, made: str, wanted: Any, told: str) -> None:
    """The database's, which rows get that name no value."""
    assert defaulted(folder, made, wanted) == [
        f"d.c has another server_default: {told}."
    ]


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        ('sa.Integer, server_default="7"', text("7")),
        ('sa.Text, server_default="it\'s"', "it's"),
        ("sa.Boolean, server_default=sa.false()", false()),
        ("sa.DateTime, server_default=sa.func.now()", text("(current_timestamp)")),
        ("sa.Text, server_default=sa.text(\"(lower('A'))\")", text("(lower('A'))")),
        ("sa.Text", FetchedValue()),
    ],
)
def test_defaults_that_are_the_same(folder: Path, made: str, wanted: Any) -> None:
    """However they are written; one that is only marked is not compared."""
    assert defaulted(folder, made, wanted) == []


def test_a_table_that_is_not_there_has_no_defaults(folder: Path) -> None:
    """It is told once, as a table."""
    wanted = models(folder)
    Table("b", wanted, Column("c", types.Integer, server_default="7"))

    assert [finding.message for finding in lint(folder, wanted)] == [
        "table b is in the models, and no migration makes it."
    ]


def test_how_a_default_is_written_says_nothing() -> None:
    """Casts, quotes and brackets around the whole, and case where it is no text."""
    assert _plain("('A'::character varying(9))") == _plain("'A'") == "A"
    assert _plain("((NOW()))") == _plain("now()") == "now()"
    assert _plain("''") != _plain(None)


def test_drift_of_constraints(folder: Path) -> None:
    """An index that the models don't know."""
    wanted = models(folder)
    revision(folder, "two", 'op.create_index("ix", "a", ["name"])', after="one")
    (finding,) = [each for each in lint(folder, wanted) if each.rule == "drift"]

    assert (
        finding.message
        == "index ix of a is made by the migrations, and not in the models."
    )


def test_migrations_that_do_not_run(folder: Path) -> None:
    """Up, down, or up again: the error is a finding and not a traceback."""
    revision(folder, "two", "op.drop_table('nowhere')", after="one")
    (finding,) = lint(folder, MetaData())
    assert finding.rule == "upgrade"
    assert "it does not run on sqlite" in finding.message
    assert "no such table: nowhere" in finding.message

    revision(folder, "two", "pass", "raise NotImplementedError", after="one")
    (finding,) = lint(folder, models(folder))
    assert finding.rule == "downgrade"
    assert "NotImplementedError" in finding.message

    revision(
        folder, "two", 'op.create_table("b", sa.Column("i", sa.Integer))', after="one"
    )
    (finding,) = lint(folder, models(folder))
    assert finding.rule == "upgrade"
    assert "a second time" in finding.message

    (folder / "versions" / "two.py").write_text(
        "revision = 'two'\ndown_revision = 'nobody'\n"
    )
    with pytest.raises(MigrationError, match="nobody"):
        lint(folder, MetaData())


NARROWING = [
    (types.String(10), types.String(20)),
    (types.String(10), types.String()),
    (types.String(10), types.Text()),
    (types.SmallInteger(), types.Integer()),
    (types.Integer(), types.BigInteger()),
    (types.Numeric(10, 2), types.Numeric(12, 2)),
    (types.Numeric(10, 2), types.Numeric()),
    (types.Enum("a", "b"), types.Enum("a", "b", "c")),
]


@pytest.mark.parametrize(("narrow", "wide"), NARROWING)
def test_a_wider_type_holds_a_narrower_one(
    narrow: types.TypeEngine[object], wide: types.TypeEngine[object]
) -> None:
    """And itself, and not the other way round."""
    assert _holds(wide, narrow)
    assert _holds(wide, wide)
    assert not _holds(narrow, wide)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (types.String(), types.Integer()),
        (types.Integer(), types.String()),
        (types.String(9), types.Enum("a")),
        (types.DateTime(timezone=True), types.DateTime()),
        (types.Numeric(10, 2), types.Numeric(10, 4)),
    ],
)
def test_other_types_hold_nothing_for_sure(
    old: types.TypeEngine[object], new: types.TypeEngine[object]
) -> None:
    """Nobody knows, so a reason is asked for."""
    assert not _holds(new, old)


def test_the_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings on a line each, and a status for CI."""
    (tmp_path / "lint_models.py").write_text(
        "from sqlalchemy import MetaData\n\nclass Base:\n    metadata = MetaData()\n"
    )
    arguments = [str(folder), "--path", str(tmp_path), "--metadata", "lint_models:Base"]

    assert main(arguments) == 1
    assert "drift: table a is made by the migrations" in capsys.readouterr().out
    for path in (folder / "versions").glob("*.py"):
        path.unlink()
    assert main(arguments) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--metadata", "shared.database:Base"], "holds no migrations"),
        (["nowhere", "--metadata", "nowhere:Base"], "No module named 'nowhere'"),
        (["nowhere", "--metadata", "shared.database:Bass"], "names no models"),
    ],
)
def test_the_command_says_what_it_needs(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and another status."""
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
