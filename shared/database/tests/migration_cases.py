"""A service with models and migrations, and what migrating does on any database."""

from __future__ import annotations

import ast
import textwrap
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    String,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import (
    NAMING_CONVENTION,
    Base,
    Database,
    SoftDeleteMixin,
    TimestampMixin,
    UUIDKeyMixin,
    VersionMixin,
)
from shared.database.encryption import EncryptedString
from shared.database.migrations import (
    MigrationError,
    check,
    current,
    downgrade,
    heads,
    lint,
    new_revision,
    upgrade,
)

MAKO = '''\
"""${message}"""

from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''


class ServiceBase(Base):
    """The base of a service whose tables are its own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Team(UUIDKeyMixin, TimestampMixin, VersionMixin, SoftDeleteMixin, ServiceBase):
    """One of every kind of column."""

    __tablename__ = "team"
    __table_args__ = (
        UniqueConstraint("name", "region"),
        CheckConstraint("seats > 0", name="seats_positive"),
        Index("ix_team_region_seats", "region", "seats"),
    )

    name: Mapped[str] = mapped_column(String(80))
    region: Mapped[str] = mapped_column(String(8), index=True)
    seats: Mapped[int]
    price: Mapped[float | None] = mapped_column(Numeric(10, 2))
    plan: Mapped[str] = mapped_column(
        Enum("free", "paid", name="plan", native_enum=False)
    )
    facts: Mapped[dict[str, Any]]
    secret: Mapped[str | None] = mapped_column(EncryptedString(bound_to_row=True))


class Member(UUIDKeyMixin, ServiceBase):
    """Goes when its team goes."""

    __tablename__ = "member"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"))


def migrations_folder(folder: Path, metadata: str = "") -> Path:
    """A folder as a service has it, without revisions yet."""
    (folder / "versions").mkdir(parents=True)
    (folder / "script.py.mako").write_text(MAKO)
    (folder / "env.py").write_text(
        "from shared.database.migrations import run_migrations\n"
        + (metadata or "from sqlalchemy import MetaData\nmetadata = MetaData()\n")
        + "run_migrations(metadata)\n"
    )
    return folder


THIS = f"from {__name__} import ServiceBase\nmetadata = ServiceBase.metadata\n"


def revision(
    folder: Path,
    name: str,
    up: str,
    down: str = "pass",
    *,
    after: str | None,
    head: str = "",
) -> Path:
    """Write a revision by hand."""
    path = folder / "versions" / f"{name}.py"
    path.write_text(
        f'"""{name}"""\nfrom alembic import op\nimport sqlalchemy as sa\n{head}\n'
        f"revision = {name!r}\ndown_revision = {after!r}\n\n"
        f"def upgrade():\n{textwrap.indent(textwrap.dedent(up), '    ')}\n\n"
        f"def downgrade():\n{textwrap.indent(textwrap.dedent(down), '    ')}\n"
    )
    return path


def tables(database: Database) -> set[str]:
    """What there is."""
    return set(inspect(database.sync_engine).get_table_names())


class MigrationCases:
    """Subclass it, and give a fixture ``database`` with nothing in it."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The migrations of the models above."""
        return migrations_folder(tmp_path / "migrations", THIS)

    def test_from_models_to_tables_and_back(
        self, database: Database, folder: Path
    ) -> None:
        """Autogenerate, up, nothing more to generate, down, up."""
        written = new_revision(database, folder, "the tables")
        assert written is not None
        upgrade(database, folder)
        assert {"team", "member"} < tables(database)
        assert current(database) == heads(folder)
        check(database, folder)
        assert new_revision(database, folder, "nothing") is None

        downgrade(database, folder, "base")
        assert tables(database) == {"alembic_version"}
        assert current(database) == frozenset()
        upgrade(database, folder)
        assert {"team", "member"} < tables(database)

    def test_revisions_do_not_import_us(self, database: Database, folder: Path) -> None:
        """What was written once runs when our types have other names."""
        written = new_revision(database, folder, "the tables")
        assert written is not None
        source = written.read_text()

        assert "shared" not in source
        assert "sa.DateTime(timezone=True)" in source
        assert "sa.LargeBinary()" in source

    def test_generated_migrations_have_no_drift(
        self, database: Database, folder: Path
    ) -> None:
        """The models of this file use every type of ours."""
        new_revision(database, folder, "the tables")
        assert lint(folder, ServiceBase.metadata) == []

    def test_a_failing_run_changes_nothing(
        self, database: Database, folder: Path
    ) -> None:
        """Not the first revision either, when the second one fails."""
        revision(
            folder,
            "one",
            "op.create_table('a', sa.Column('i', sa.Integer))",
            after=None,
        )
        revision(
            folder,
            "two",
            "op.create_table('b', sa.Column('i', sa.Integer))\nraise ValueError('no')",
            after="one",
        )
        with pytest.raises(ValueError, match="no"):
            upgrade(database, folder)

        assert tables(database) == set()
        upgrade(database, folder, "one")
        assert tables(database) == {"a", "alembic_version"}

    def test_a_service_that_is_behind_does_not_start(
        self, database: Database, folder: Path
    ) -> None:
        """The message says where the database is, and where it should be."""
        revision(folder, "one", "pass", after=None)
        with pytest.raises(MigrationError, match=r"at no revision, .* needs one"):
            check(database, folder)
        upgrade(database, folder)
        check(database, folder)
        revision(folder, "two", "pass", after="one")
        with pytest.raises(MigrationError, match="at one, and the service needs two"):
            check(database, folder)

    def test_a_service_may_let_the_next_one_be_ahead(
        self, database: Database, folder: Path
    ) -> None:
        """It is started again while that one is rolled out; behind is still behind."""
        revision(folder, "one", "pass", after=None)
        newer = revision(folder, "two", "pass", after="one")
        upgrade(database, folder, "one")
        with pytest.raises(MigrationError, match="at one, and the service needs two"):
            check(database, folder, or_newer=True)
        upgrade(database, folder)
        newer.unlink()

        check(database, folder, or_newer=True)
        with pytest.raises(MigrationError, match="at two, and the service needs one"):
            check(database, folder)

    def test_changing_a_table_keeps_what_refers_to_it(
        self, database: Database, folder: Path
    ) -> None:
        """On SQLite a table is copied and dropped; its children stay all the same."""
        new_revision(database, folder, "the tables")
        upgrade(database, folder)
        (first,) = heads(folder)
        with database.sync_session() as session:
            team = Team(name="x", region="eu", seats=1, plan="free", facts={})
            session.add(team)
            session.flush()
            session.add(Member(team_id=team.id))
        revision(
            folder,
            "wider",
            """
            with op.batch_alter_table("team") as batch:
                batch.alter_column(
                    "name", existing_type=sa.String(80), type_=sa.String(120)
                )
            """,
            after=first,
        )
        upgrade(database, folder)

        with database.sync_session() as session:
            assert session.scalar(text("SELECT count(*) FROM member")) == 1
            session.execute(text("DELETE FROM team"))
            assert session.scalar(text("SELECT count(*) FROM member")) == 0

    def test_replicas_take_turns(self, database: Database, folder: Path) -> None:
        """Several that start together: each revision runs once, and all succeed."""
        revision(
            folder,
            "one",
            "op.create_table('a', sa.Column('i', sa.Integer))\n"
            'op.execute("INSERT INTO a VALUES (1)")',
            after=None,
        )
        errors: list[BaseException] = []

        def migrate() -> None:
            try:
                upgrade(database, folder, wait=30)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=migrate) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        with database.sync_session() as session:
            assert session.scalar(text("SELECT count(*) FROM a")) == 1

    def test_what_alembic_refuses(self, database: Database, folder: Path) -> None:
        """An unknown revision, and two heads where one is asked for."""
        revision(folder, "one", "pass", after=None)
        with pytest.raises(MigrationError, match="nowhere"):
            upgrade(database, folder, "nowhere")
        revision(folder, "other", "pass", after=None)
        with pytest.raises(MigrationError, match="head"):
            upgrade(database, folder, "head")
        with pytest.raises(MigrationError, match="not up to date"):
            new_revision(database, folder, "early")

    @pytest.mark.parametrize(
        ("message", "slug"),
        [
            ("café au lait", "cafe_au_lait"),
            ("日本", ""),
            (r"C:\new \x and \N", "c_new_x_and_n"),
            ('"quoted" and """ and "end"', "quoted_and_and_end"),
            ("100% ${x}", "100_x"),
        ],
    )
    def test_a_message_is_kept_and_its_file_has_an_ascii_name(
        self, database: Database, folder: Path, message: str, slug: str
    ) -> None:
        """Bazel reads lists of files as Latin-1; the docstring has every character."""
        written = new_revision(database, folder, message)
        assert written is not None

        assert written.name.isascii()
        assert written.stem.partition("_")[2] == slug
        assert ast.get_docstring(ast.parse(written.read_text("utf-8"))) == message
        upgrade(database, folder)

    @pytest.mark.parametrize("message", ["", "  ", "two\nlines", "\x1b", "\udcff"])
    def test_a_revision_needs_a_message(
        self, database: Database, folder: Path, message: str
    ) -> None:
        """In one line of what can be shown; nothing is written without."""
        with pytest.raises(MigrationError, match="A revision needs a message: one"):
            new_revision(database, folder, message)

        assert list((folder / "versions").glob("*.py")) == []

    def test_a_generated_revision_has_double_quotes(
        self, database: Database, folder: Path
    ) -> None:
        """As ruff formats; what holds a quote itself is left alone."""
        written = new_revision(database, folder, "it's new")
        assert written is not None
        source = written.read_text()

        assert 'sa.Column("name", sa.String(length=80), nullable=False)' in source
        assert "'" not in source.replace("it's new", "")

    def test_a_migration_that_rows_forbid_is_one_line(
        self, database: Database, folder: Path
    ) -> None:
        """It says what the database says, without the statement and without a row."""
        revision(
            folder,
            "one",
            "op.create_table('a', sa.Column('i', sa.Integer))\n"
            'op.execute("INSERT INTO a VALUES (424242)")',
            after=None,
        )
        upgrade(database, folder)
        revision(
            folder,
            "two",
            "op.create_table('b', sa.Column('i', sa.Integer))\n"
            "with op.batch_alter_table('a') as batch:\n"
            "    batch.add_column(sa.Column('j', sa.Integer, nullable=False))",
            after="one",
        )
        with pytest.raises(
            MigrationError, match=r"^A migration failed, and nothing was changed: .+$"
        ) as caught:
            upgrade(database, folder)

        message = str(caught.value)
        assert "\n" not in message
        assert "424242" not in message
        assert "ALTER" not in message
        assert tables(database) == {"a", "alembic_version"}
        assert current(database) == {"one"}
