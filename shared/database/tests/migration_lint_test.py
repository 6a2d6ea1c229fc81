from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, types

from shared.database._migration_lint import _holds, throwaway_database
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
            "makes a.name NOT NULL without a server_default",
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
            'server_default="")'
        ),
        'op.create_index("ix_a_name", "a", ["name"])',
        "op.execute(\"UPDATE a SET name = 'x'\")",
    ],
)
def test_harmless_steps(folder: Path, step: str) -> None:
    """What rows survive needs no reason."""
    revision(folder, "two", step, "raise NotImplementedError", after="one")

    assert "destructive" not in rules(lint(folder, MetaData()))


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
