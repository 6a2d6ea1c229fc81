from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    LargeBinary,
    MetaData,
    String,
    create_engine,
    delete,
    insert,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Mapped, aliased, mapped_column

from shared.config import DatabaseConfig
from shared.crypto import AesKeyRing, DecryptionError
from shared.database import (
    NAMING_CONVENTION,
    Base,
    BaseRepository,
    Database,
    RefusedValueError,
    SyncRepository,
    UUIDKeyMixin,
)
from shared.database.encryption import (
    EncryptedString,
    EncryptedValueError,
    SealedText,
    associated_data,
    reencrypt_column,
    use_encryption_keys,
)
from shared.errors import BadRequestException

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
RING = AesKeyRing({"k1": OLD})
TURNED = AesKeyRing({"k2": NEW, "k1": OLD})


class _Base(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Webhook(UUIDKeyMixin, _Base):
    __tablename__ = "webhook"

    token: Mapped[str | None] = mapped_column(EncryptedString())
    other: Mapped[str | None] = mapped_column("other_column", EncryptedString())
    secret: Mapped[str | None] = mapped_column(EncryptedString(bound_to_row=True))


class Numbered(_Base):
    __tablename__ = "numbered"

    id: Mapped[int] = mapped_column(primary_key=True)  # made by the database
    secret: Mapped[str | None] = mapped_column(EncryptedString(bound_to_row=True))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database in a file, with the tables."""
    config = DatabaseConfig.model_validate({"url": f"sqlite:///{tmp_path}/test.db"})
    database = Database(config, service_name="hooks")
    use_encryption_keys(database, RING)
    _Base.metadata.create_all(database.sync_engine)
    yield database
    database.dispose_sync()


def add(database: Database, **values: Any) -> Webhook:
    """A row in a transaction of its own."""
    with database.sync_session() as session:
        return SyncRepository(session, Webhook).add(Webhook(**values))


def stored(database: Database) -> list[tuple[bytes | None, ...]]:
    """What a thief of the file would see."""
    with database.sync_session() as session:
        rows = session.execute(text("SELECT token, other_column, secret FROM webhook"))
        return [tuple(row) for row in rows]


def run(database: Database, statement: str) -> None:
    """A statement of somebody else."""
    with database.sync_session() as session:
        session.execute(text(statement))


def test_the_file_holds_no_text(database: Database) -> None:
    """Encrypted, each time differently, and None stays None."""
    add(database, token="attack at dawn", secret="attack at dawn")
    add(database, token="attack at dawn")

    first, second = stored(database)
    assert b"attack" not in b"".join(filter(None, [*first, *second]))
    assert first[0] != second[0]
    assert (first[1], second[2]) == (None, None)


@settings(max_examples=25)
@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_text_comes_back(value: str) -> None:
    """Whatever it is, from either kind of column."""
    database = Database(
        DatabaseConfig.model_validate({"url": "sqlite://"}), service_name="hooks"
    )
    use_encryption_keys(database, RING)
    _Base.metadata.create_all(database.sync_engine)
    hook = add(database, token=value, secret=value)
    with database.sync_session() as session:
        found = SyncRepository(session, Webhook).get(hook.id)
    database.dispose_sync()

    assert (found.token, found.secret) == (value, value)


async def test_async_sessions_have_the_same_keys(database: Database) -> None:
    """They belong to the database, not to one of its engines."""
    async with database.session() as session:
        hook = await BaseRepository(session, Webhook).add(
            Webhook(token="a", secret="b")
        )
    async with database.session() as session:
        found = await BaseRepository(session, Webhook).get(hook.id)
    await database.dispose()

    assert (found.token, found.secret) == ("a", "b")


def test_a_changed_value_is_written(database: Database) -> None:
    """And one that is set to what it was is not."""
    hook = add(database, secret="old")
    with database.sync_session() as session:
        found = SyncRepository(session, Webhook).get(hook.id)
        found.secret = "old"
        assert session.is_modified(found) is False
        found.secret = "new"
    with database.sync_session() as session:
        found = SyncRepository(session, Webhook).get(hook.id)
        assert found.secret == "new"
        session.expire(found)
        assert found.secret == "new"
        session.refresh(found)
        assert found.secret == "new"
        found.secret = None
    with database.sync_session() as session:
        assert SyncRepository(session, Webhook).get(hook.id).secret is None


def test_the_order_of_arguments_does_not_matter(database: Database) -> None:
    """The key is looked at when the row is written."""
    key = uuid4()
    add(database, secret="x", id=key)

    with database.sync_session() as session:
        assert SyncRepository(session, Webhook).get(key).secret == "x"


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE webhook SET token = X'00'", "webhook.token"),
        ("UPDATE webhook SET token = substr(token, 1, 20)", "webhook.token"),
        ("UPDATE webhook SET token = other_column", "webhook.token"),
        ("UPDATE webhook SET other_column = token", "webhook.other_column"),
        ("UPDATE webhook SET secret = token", "webhook.secret"),
    ],
)
def test_changed_and_moved_values_are_refused(
    database: Database, statement: str, place: str
) -> None:
    """A clear error that names the column, and nothing of the value."""
    hook = add(database, token="one", other="two", secret="three")
    run(database, statement)

    with (
        pytest.raises(
            EncryptedValueError, match=f"{place} can't be decrypted"
        ) as caught,
        database.sync_session() as session,
    ):
        SyncRepository(session, Webhook).get(hook.id)
    assert isinstance(caught.value.__cause__, DecryptionError)


def test_a_value_of_another_row_is_refused(database: Database) -> None:
    """Where it is bound to the row, which the other column is not."""
    mine = add(database, secret="mine", token="mine")
    add(database, secret="yours", token="yours")
    run(
        database,
        "UPDATE webhook SET token = (SELECT token FROM webhook w WHERE w.id <> "
        "webhook.id)",
    )
    with database.sync_session() as session:
        assert SyncRepository(session, Webhook).get(mine.id).token == "yours"

    run(
        database,
        "UPDATE webhook SET secret = (SELECT secret FROM webhook w WHERE w.id <> "
        "webhook.id)",
    )
    with (
        pytest.raises(EncryptedValueError, match=r"webhook\.secret can't be decrypted"),
        database.sync_session() as session,
    ):
        SyncRepository(session, Webhook).get(mine.id)


def test_without_the_row_it_stays_sealed(database: Database) -> None:
    """A query for the column alone says so instead of guessing."""
    hook = add(database, secret="mine")
    with database.sync_session() as session:
        sealed: Any = session.scalar(select(Webhook.secret))

    assert isinstance(sealed, SealedText)
    assert repr(sealed) == "<SealedText webhook.secret>"
    assert sealed.open(hook.id) == "mine"
    with pytest.raises(EncryptedValueError, match="can't be decrypted"):
        sealed.open(uuid4())


def test_a_bound_value_needs_its_object(database: Database) -> None:
    """A statement without the object can't know the row."""
    with (
        pytest.raises(RefusedValueError, match=r"webhook\.secret is bound to its row"),
        database.sync_session() as session,
    ):
        session.execute(insert(Webhook).values(secret="x"))


def test_a_bound_value_needs_a_key_beforehand(database: Database) -> None:
    """A number that the database gives comes too late."""
    with (
        pytest.raises(RefusedValueError, match=r"numbered\.secret is bound to its row"),
        database.sync_session() as session,
    ):
        session.add(Numbered(secret="x"))


def test_a_value_whose_object_is_gone(database: Database) -> None:
    """What was taken from one object is text for the next."""
    value = Webhook(secret="x").secret
    hook = add(database, secret=value)

    with database.sync_session() as session:
        assert SyncRepository(session, Webhook).get(hook.id).secret == "x"
        with pytest.raises(RefusedValueError, match="bound to its row"):
            session.execute(insert(Webhook).values(id=uuid4(), secret=value))
        session.rollback()


def test_only_text_is_encrypted(database: Database) -> None:
    """Bytes and numbers are a mistake."""
    with (
        pytest.raises(RefusedValueError, match="takes text"),
        database.sync_session() as session,
    ):
        session.execute(insert(Webhook).values(token=b"bytes"))


def test_a_value_is_text_to_others() -> None:
    """It can be copied, pickled and sent as JSON."""
    value: Any = Webhook(secret="x").secret

    twins = [copy.deepcopy(value), pickle.loads(pickle.dumps(value))]
    assert [type(twin) for twin in twins] == [str, str]
    assert json.dumps([value, *twins]) == '["x", "x", "x"]'


def test_a_statement_returns_what_it_deleted(database: Database) -> None:
    """As an object or a column; SQLAlchemy then compares columns with themselves."""
    add(database, token="one", secret="mine")
    add(database, token="two")
    with database.sync_session() as session:
        first = delete(Webhook).where(Webhook.secret.is_not(None)).returning(Webhook)
        gone = session.scalars(first).one()
        rest = session.scalars(delete(Webhook).returning(Webhook.token)).all()

    assert (gone.secret, rest) == ("mine", ["two"])


def test_it_can_not_be_searched(database: Database) -> None:
    """Only for whether it is there."""
    add(database, token="x")
    with pytest.raises(TypeError, match="can't be compared or sorted"):
        select(Webhook).where(Webhook.token == "x")
    with pytest.raises(TypeError, match="can't be compared or sorted"):
        select(Webhook).where(Webhook.token == Webhook.other)
    with pytest.raises(TypeError, match="can't be compared or sorted"):
        select(Webhook).where(aliased(Webhook).token == Webhook.token)
    with pytest.raises(TypeError, match="can't be compared or sorted"):
        select(Webhook).order_by(Webhook.token.desc())
    with database.sync_session() as session:
        with pytest.raises(BadRequestException, match="can't be filtered"):
            SyncRepository(session, Webhook).list(filters={"token": "x"})
        there = session.scalars(
            select(Webhook).where(Webhook.token.is_not(None), Webhook.other == None)  # noqa: E711
        )
        assert len(there.all()) == 1


def test_keys_must_be_given(tmp_path: Path) -> None:
    """Before the first use, to each database; a clear error says how."""
    config = DatabaseConfig.model_validate({"url": f"sqlite:///{tmp_path}/test.db"})
    database = Database(config, service_name="hooks")
    _Base.metadata.create_all(database.sync_engine)
    with pytest.raises(RefusedValueError, match="call use_encryption_keys"):
        add(database, token="x")
    database.dispose_sync()


def test_a_foreign_engine_has_no_keys() -> None:
    """One that no Database made."""
    engine = create_engine("sqlite://")
    _Base.metadata.create_all(engine)
    with (
        pytest.raises(StatementError, match="call use_encryption_keys"),
        engine.connect() as connection,
    ):
        connection.execute(insert(Webhook).values(token="x"))
    engine.dispose()


def test_it_stands_in_a_table(database: Database) -> None:
    """Elsewhere there is nothing to be bound to."""
    with (
        pytest.raises(RefusedValueError, match="in the column of a table"),
        database.sync_session() as session,
    ):
        session.execute(select(literal("x", EncryptedString())))


def test_keys_turn(database: Database) -> None:
    """Old values are read with the old key until all are under the new one."""
    hooks = [add(database, token=f"token {n}", secret=f"secret {n}") for n in range(5)]
    add(database)
    use_encryption_keys(database, TURNED)
    add(database, token="new", secret="new")

    steps = [
        *reencrypt_column(database, Webhook.token, batch_size=3),
        *reencrypt_column(database, Webhook.secret, batch_size=3),
    ]
    assert [(step.seen, step.changed) for step in steps] == [
        (3, 3),
        (6, 5),
        (7, 5),
        (3, 3),
        (6, 5),
        (7, 5),
    ]
    again = [*reencrypt_column(database, Webhook.secret)]
    assert [(step.seen, step.changed) for step in again] == [(7, 0)]

    use_encryption_keys(database, AesKeyRing({"k2": NEW}))
    with database.sync_session() as session:
        found = SyncRepository(session, Webhook).get(hooks[4].id)
        assert (found.token, found.secret) == ("token 4", "secret 4")


def test_turning_tells_of_what_it_can_not_read(database: Database) -> None:
    """By the key of the row; or stops there."""
    good = add(database, token="good")
    bad = add(database, token="bad")
    with database.sync_session() as session:
        raw = type_coerce(Webhook.token, LargeBinary)
        session.execute(
            text("UPDATE webhook SET token = X'0000' WHERE id = :id"),
            {"id": bad.id.hex},
        )
        assert session.scalar(select(raw).where(Webhook.id == bad.id)) == b"\0\0"
    use_encryption_keys(database, TURNED)

    with pytest.raises(DecryptionError, match="could not be decrypted"):
        next(reencrypt_column(database, Webhook.token))
    told: list[object] = []
    (step,) = reencrypt_column(
        database, Webhook.token, on_error=lambda key, _: told.append(key)
    )
    assert (told, step.changed) == ([(bad.id,)], 1)
    with database.sync_session() as session:
        assert (
            session.scalar(select(Webhook.token).where(Webhook.id == good.id)) == "good"
        )


@given(
    one=st.lists(st.text(max_size=4), min_size=1, max_size=3),
    other=st.lists(st.text(max_size=4), min_size=1, max_size=3),
)
def test_places_are_distinct(one: list[str], other: list[str]) -> None:
    """Two keys never run together into the same associated data."""
    column: Any = Webhook.__table__.c.secret

    same = associated_data(column, one) == associated_data(column, other)
    assert same == (one == other)


def test_a_type_belongs_to_its_column() -> None:
    """A copy of a table encrypts for itself."""
    copied = Webhook.__table__.to_metadata(MetaData(), name="copied")  # type: ignore[attr-defined]

    assert copied.c.secret.type.bound_to_row
    assert associated_data(copied.c.secret) == b"copied.secret"
    assert isinstance(Column("x", String).type, String)
