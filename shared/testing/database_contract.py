"""What every database behind `shared.database` has to do. Needs pytest.

::

    class TestSqlite(DatabaseContract):
        @pytest.fixture
        def url(self) -> Iterator[str]:
            with sqlite_database() as url:
                yield url

The tests make their own tables in the database that ``url`` names, and drop them.
"""

# ruff: noqa: S101, PT012 - this is a test, whose classes run elsewhere, and what is
# raised by the end of a transaction needs the block of one

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    MetaData,
    String,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.config import DatabaseConfig
from shared.database import (
    NAMING_CONVENTION,
    Base,
    BaseRepository,
    Contains,
    Database,
    DuplicateException,
    InvalidCursorException,
    IsNot,
    OneOf,
    PoolExhaustedException,
    Range,
    RecordLockedException,
    ReferenceConflictException,
    RefusedValueError,
    SoftDeleteMixin,
    StaleRecordException,
    SyncRepository,
    TimestampMixin,
    UUIDKeyMixin,
    VersionMixin,
)
from shared.errors import BadRequestException, NotFoundError, ValidationError

__all__ = ["DatabaseContract"]


class _ContractBase(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Author(
    UUIDKeyMixin, TimestampMixin, VersionMixin, SoftDeleteMixin, _ContractBase
):
    """A row with everything."""

    __tablename__ = "contract_author"
    __table_args__ = (CheckConstraint("level >= 0", name="level_not_negative"),)

    email: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(40))
    level: Mapped[int | None]
    active: Mapped[bool] = mapped_column(default=True)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Post(UUIDKeyMixin, _ContractBase):
    """A row that refers to another."""

    __tablename__ = "contract_post"

    author_id: Mapped[UUID] = mapped_column(ForeignKey("contract_author.id"))


class Late(UUIDKeyMixin, _ContractBase):
    """A row whose reference is checked by the commit."""

    __tablename__ = "contract_late"

    author_id: Mapped[UUID] = mapped_column(
        ForeignKey("contract_author.id", deferrable=True, initially="DEFERRED")
    )


class Seat(_ContractBase):
    """A row with a key of two columns."""

    __tablename__ = "contract_seat"

    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    taken: Mapped[bool] = mapped_column(default=False)


class AuthorRepository(BaseRepository[Author]):
    """As a service writes it."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, Author)


def _author(name: str = "Ada", **values: Any) -> Author:
    values.setdefault("email", f"{name}-{uuid4().hex}@example.org")
    return Author(name=name, **values)


class DatabaseContract:
    """Subclass it, and give a fixture ``url``: an empty database, without a driver."""

    @pytest.fixture
    async def database(self, url: str) -> AsyncIterator[Database]:
        """The database with the tables of the contract."""
        database = self.connect(url)
        _ContractBase.metadata.create_all(database.sync_engine)
        yield database
        _ContractBase.metadata.drop_all(database.sync_engine)
        await database.dispose()

    def connect(self, url: str, **settings: Any) -> Database:
        """A `Database` with few connections and short waits."""
        chosen = {"pool_size": 2, "max_overflow": 1, "pool_timeout": 5.0} | settings
        return Database(
            DatabaseConfig.model_validate({"url": url} | chosen),
            service_name="contract-service",
        )

    # --- Sessions

    async def test_a_block_commits(self, database: Database) -> None:
        """What a block wrote is there for the next one, of either kind."""
        async with database.session() as session:
            session.add(author := _author())

        with database.sync_session() as sync_session:
            found = sync_session.scalars(select(Author.id)).all()
        assert found == [author.id]

    async def test_objects_outlive_their_session(self, database: Database) -> None:
        """A commit expires nothing, so a reply can be made of the rows."""
        async with database.session() as session:
            session.add(author := _author("Ada"))

        assert (author.name, author.version) == ("Ada", 1)

    @pytest.mark.parametrize(
        "error", [ValueError("no"), KeyboardInterrupt(), asyncio.CancelledError()]
    )
    async def test_any_error_rolls_back(
        self, database: Database, error: BaseException
    ) -> None:
        """Nothing of a block that an exception leaves is kept."""
        with pytest.raises(type(error)):
            async with database.session() as session:
                session.add(_author())
                await session.flush()
                raise error

        assert await self.count(database) == 0

    async def test_a_cancelled_task_rolls_back(self, database: Database) -> None:
        """A client that leaves takes its half of a change along."""
        written = asyncio.Event()

        async def work() -> None:
            async with database.session() as session:
                session.add(_author())
                await session.flush()
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await self.count(database) == 0

    async def test_a_sync_block_rolls_back(self, database: Database) -> None:
        """The twin does the same."""
        with (
            pytest.raises(ValueError, match="no"),
            database.sync_session() as session,
        ):
            session.add(_author())
            session.flush()
            raise ValueError("no")

        assert await self.count(database) == 0

    async def test_a_commit_can_fail(self, database: Database) -> None:
        """What the database refuses at the commit is our error too."""
        with pytest.raises(ReferenceConflictException, match="missing"):
            async with database.session() as session:
                session.add(Late(author_id=uuid4()))

        async with database.session() as session:
            assert (await session.scalars(select(Late))).all() == []

    async def test_savepoints_work(self, database: Database) -> None:
        """An error inside of one leaves the outer transaction usable."""
        async with database.session() as session:
            session.add(_author("Ada", email="a@example.org"))
            await session.flush()
            with pytest.raises(DuplicateException, match="email"):
                async with session.begin_nested():
                    session.add(_author("Bob", email="a@example.org"))
            session.add(_author("Cy"))

        assert await self.names(database) == ["Ada", "Cy"]

    async def test_tables_are_transactional(self, database: Database) -> None:
        """DDL rolls back with the rest."""
        with pytest.raises(ValueError, match="no"):
            async with database.session() as session:
                await session.execute(text("CREATE TABLE contract_ddl (id INTEGER)"))
                raise ValueError("no")

        async with database.session() as session:
            await session.execute(text("CREATE TABLE contract_ddl (id INTEGER)"))
            await session.execute(text("DROP TABLE contract_ddl"))

    async def test_a_read_only_session_refuses_writes(self, database: Database) -> None:
        """By the database itself; and the next session may write again."""
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            async with database.session(read_only=True) as session:
                await AuthorRepository(session).add(_author())

        async with database.session() as session:
            await AuthorRepository(session).add(_author())
        assert await self.count(database) == 1

    async def test_a_reader_waits_for_no_writer(self, database: Database) -> None:
        """It sees what was committed before."""
        async with database.session() as writer:
            writer.add(_author())
            await writer.flush()
            assert await self.count(database) == 0

    async def test_concurrent_increments_are_not_lost(self, database: Database) -> None:
        """Read, add one, write: with a row lock each of them counts."""
        async with database.session() as session:
            author = await AuthorRepository(session).add(_author(level=0))

        async def increment() -> None:
            async with database.session() as session:
                row = await AuthorRepository(session).get_for_update(author.id)
                row.level = (row.level or 0) + 1

        await asyncio.gather(*(increment() for _ in range(8)))
        async with database.session() as session:
            assert (await AuthorRepository(session).get(author.id)).level == 8

    async def test_check_answers(self, database: Database) -> None:
        """A database that is there is healthy, again and again."""
        await database.check(timeout=5)
        await database.check(timeout=5)

    async def test_disposed_connects_again(self, url: str) -> None:
        """Closing is no end: what comes later connects anew."""
        database = self.connect(url)
        await database.check(timeout=5)
        await database.dispose()
        await database.check(timeout=5)
        await database.dispose()

    async def test_a_full_pool_is_a_503(self, url: str) -> None:
        """Who waits too long for a connection is told to come back."""
        database = self.connect(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
        async with database.session(read_only=True) as session:
            await session.execute(select(1))
            with pytest.raises(PoolExhaustedException, match="busy") as caught:
                await database.check(timeout=5)
        await database.dispose()

        assert caught.value.headers["Retry-After"] == "1"

    # --- Errors of the database

    async def test_unique(self, database: Database) -> None:
        """The field is named, and no value, not in the cause either."""
        with pytest.raises(DuplicateException, match="same email") as caught:
            async with database.session() as session:
                session.add(_author(email="secret@example.org"))
                session.add(_author(email="secret@example.org"))

        assert caught.value.extra_info["fields"] == ["email"]
        assert "secret" not in self.told(caught.value)

    async def test_unique_in_the_sync_session(self, database: Database) -> None:
        """The other driver says the same."""
        with (
            pytest.raises(DuplicateException, match="same email") as caught,
            database.sync_session() as session,
        ):
            session.add(_author(email="secret@example.org"))
            session.add(_author(email="secret@example.org"))

        assert caught.value.extra_info["fields"] == ["email"]
        assert "secret" not in self.told(caught.value)

    async def test_unique_outside_of_a_repository(self, database: Database) -> None:
        """Statements of one's own raise our errors as well."""
        with pytest.raises(DuplicateException, match="row and place"):
            async with database.session() as session:
                await session.execute(insert(Seat).values(row=1, place=2))
                await session.execute(insert(Seat).values(row=1, place=2))

    async def test_foreign_key(self, database: Database) -> None:
        """A reference to nobody, and the removal of somebody who is referred to."""
        with pytest.raises(ReferenceConflictException, match="missing"):
            async with database.session() as session:
                session.add(Post(author_id=uuid4()))

        async with database.session() as session:
            session.add(author := _author())
            await session.flush()
            session.add(Post(author_id=author.id))
        with pytest.raises(ReferenceConflictException, match="refer to this one"):
            async with database.session() as session:
                await AuthorRepository(session).delete(author.id, permanently=True)

    async def test_not_null(self, database: Database) -> None:
        """A missing value is a 422 that points at the field."""
        with pytest.raises(ValidationError, match="email must have a value") as caught:
            async with database.session() as session:
                session.add(_author(email=None))

        (error,) = caught.value.to_problem()["errors"]
        assert (error["pointer"], error["code"]) == ("/email", "required")

    async def test_check_constraint(self, database: Database) -> None:
        """A broken rule is a 422 that names it."""
        with pytest.raises(
            ValidationError, match="ck_contract_author_level_not_negative"
        ) as caught:
            async with database.session() as session:
                session.add(_author("secret", level=-1))

        assert "secret" not in self.told(caught.value)

    @pytest.mark.parametrize("value", [2**80, -(2**80)])
    async def test_a_number_too_large(self, database: Database, value: int) -> None:
        """A value that the column can't hold is a 422, not a 500."""
        with pytest.raises(ValidationError, match="does not fit its column"):
            async with database.session() as session:
                session.add(_author(level=value))

    async def test_text_that_is_none(self, database: Database) -> None:
        """Nor is half of a surrogate pair a 500."""
        with pytest.raises(ValidationError, match="does not fit its column"):
            async with database.session() as session:
                session.add(_author("\ud800", email="x"))

    async def test_a_number_that_json_has_not(self, database: Database) -> None:
        """NaN would be text that no other program reads."""
        with pytest.raises(RefusedValueError, match="finite numbers"):
            async with database.session() as session:
                session.add(_author(facts={"share": float("nan")}))

    # --- Types

    async def test_times_come_back_aware(self, database: Database) -> None:
        """In UTC, whatever the zone they were written in."""
        moment = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=5)))
        async with database.session() as session:
            session.add(author := _author(created_at=moment))

        async with database.session() as session:
            found = await AuthorRepository(session).get(author.id)
        assert found.created_at == moment
        assert found.created_at.tzinfo is UTC

    async def test_a_naive_time_is_refused(self, database: Database) -> None:
        """Nobody knows which moment it is."""
        naive = datetime(2026, 1, 2)  # noqa: DTZ001 - that is the point
        with pytest.raises(RefusedValueError, match="datetime with a time zone"):
            async with database.session() as session:
                session.add(_author(created_at=naive))

    async def test_json_and_keys_come_back(self, database: Database) -> None:
        """The types of Python, not those of the driver."""
        facts = {"a": [1, 2.5, None, True], "ä": {"b": "☃"}}
        async with database.session() as session:
            session.add(author := _author(facts=facts))

        async with database.session() as session:
            found = await AuthorRepository(session).get(author.id)
        assert (found.facts, found.id) == (facts, author.id)

    async def test_an_update_is_stamped(self, database: Database) -> None:
        """A change moves updated_at and the version, and leaves created_at."""
        async with database.session() as session:
            session.add(author := _author())
        before = (author.created_at, author.updated_at)

        async with database.session() as session:
            after = await AuthorRepository(session).update(author.id, {"name": "Bob"})
        assert (after.created_at, after.version) == (before[0], 2)
        assert after.updated_at > before[1]

    # --- Repository: one row

    async def test_get(self, database: Database) -> None:
        """By key, or by the text of one; 404 for anything else."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            author = await repository.add(_author())
            session.expunge_all()

            assert (await repository.get(author.id)).id == author.id
            assert (await repository.get(str(author.id))).id == author.id
            for missing in (uuid4(), "no uuid", 7):
                assert await repository.get_or_none(missing) is None
                with pytest.raises(NotFoundError, match=f"Author '{missing}'"):
                    await repository.get(missing)
                with pytest.raises(NotFoundError, match=f"Author '{missing}'"):
                    await repository.get_for_update(missing)

    async def test_get_knows_what_is_there_already(self, database: Database) -> None:
        """The same row is the same object, and a removed one is none."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            author = await repository.add(_author())
            key = author.id
            assert await repository.get(key) is author

            session.expire(author)
            assert (await repository.get(key)).name == "Ada"

            await session.delete(author)
            assert await repository.get_or_none(key) is None

    async def test_a_key_of_two_columns(self, database: Database) -> None:
        """It is a tuple; another number of values is a mistake."""
        async with database.session() as session:
            seats = BaseRepository(session, Seat)
            await seats.add_many(
                [Seat(row=row, place=place) for row in (1, 2) for place in (1, 2, 3)]
            )
            seat = await seats.get((2, 3))
            assert (seat.row, seat.place) == (2, 3)
            page = await seats.list(limit=4)
            rest = await seats.list(limit=4, cursor=page.next_cursor)
            with pytest.raises(TypeError, match="key of Seat is row, place"):
                await seats.get(2)

        got = [(seat.row, seat.place) for seat in [*page.items, *rest.items]]
        assert got == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]

    async def test_update(self, database: Database) -> None:
        """Fields by name; not the key, not the version, and none that there is not."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            author = await repository.add(_author())
            changed = await repository.update(author, {"name": "Bob", "level": 3})
            assert (changed.name, changed.level) == ("Bob", 3)
            for name in ("id", "version", "nmae"):
                with pytest.raises(BadRequestException, match=f"no field '{name}'"):
                    await repository.update(author.id, {name: 1})
            with pytest.raises(NotFoundError, match="Author"):
                await repository.update(uuid4(), {"name": "Bob"})

    async def test_an_old_version_is_a_conflict(self, database: Database) -> None:
        """Whether the caller says which one it read, or just read too early."""
        async with database.session() as session:
            author = await AuthorRepository(session).add(_author())

        async with database.session() as session:
            repository = AuthorRepository(session)
            await repository.update(author.id, {"name": "Bob"}, expected_version=1)
            with pytest.raises(StaleRecordException, match="changed since"):
                await repository.update(author.id, {"name": "Cy"}, expected_version=1)
            with pytest.raises(StaleRecordException, match="changed since"):
                await repository.delete(author.id, expected_version=1)

        with pytest.raises(StaleRecordException, match="changed since"):
            async with database.session() as session:
                stale = await session.merge(author, load=False)
                stale.name = "Dan"

        assert await self.names(database) == ["Bob"]

    async def test_a_version_needs_a_column(self, database: Database) -> None:
        """Asking for one is a mistake of the service."""
        async with database.session() as session:
            seats = BaseRepository(session, Seat)
            await seats.add(Seat(row=1, place=1))
            with pytest.raises(TypeError, match="Seat has no version"):
                await seats.update((1, 1), {"taken": True}, expected_version=1)

    async def test_soft_deletion_hides(self, database: Database) -> None:
        """From everything that does not ask; the row can be shown again."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            author = await repository.add(_author("Ada"))
            await repository.add(_author("Bob"))
            await repository.delete(author.id)

            assert author.is_deleted
            assert await repository.get_or_none(author.id) is None
            assert await repository.find(filters={"name": "Ada"}) is None
            assert [row.name for row in (await repository.list()).items] == ["Bob"]
            assert await repository.count() == 1
            assert not await repository.exists(Author.name == "Ada")
            with pytest.raises(NotFoundError, match="Author"):
                await repository.get_for_update(author.id)
            with pytest.raises(NotFoundError, match="Author"):
                await repository.delete(author.id)

            hidden: dict[str, Any] = {"include_deleted": True}
            assert await repository.get(author.id, **hidden) is author
            assert await repository.get_for_update(author.id, **hidden) is author
            assert len((await repository.list(**hidden)).items) == 2
            assert await repository.count(**hidden) == 2

            restored = await repository.restore(author.id)
            assert not restored.is_deleted
            assert await repository.get(author.id) is author

    async def test_deletion_for_good(self, database: Database) -> None:
        """Of hidden rows too, and of rows that can't be hidden."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            author = await repository.add(_author())
            await repository.delete(author)
            await repository.delete(author.id, permanently=True)
            assert await repository.count(include_deleted=True) == 0

            seats = BaseRepository(session, Seat)
            await seats.add(Seat(row=1, place=1))
            with pytest.raises(TypeError, match="Seat has no SoftDeleteMixin"):
                await seats.restore((1, 1))
            await seats.delete((1, 1))
            assert await seats.count() == 0

    async def test_a_locked_row_is_skipped(self, database: Database) -> None:
        """Where rows can be locked; on SQLite a second writer can't even begin."""
        async with database.session() as session:
            author = await AuthorRepository(session).add(_author("Ada"))
            await AuthorRepository(session).add(_author("Bob"))

        impatient = self.connect(str(self.url_of(database)), connect_timeout=0.1)
        async with database.session() as session:
            await AuthorRepository(session).get_for_update(author.id)
            with pytest.raises((RecordLockedException, PoolExhaustedException)):
                async with impatient.session() as other:
                    rows = await AuthorRepository(other).list_for_update()
                    assert [row.name for row in rows] == ["Bob"]
                    await AuthorRepository(other).get_for_update(
                        author.id, skip_locked=True
                    )
        await impatient.dispose()

    # --- Repository: lists

    async def test_filters(self, database: Database) -> None:
        """Each kind of condition finds what it says."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            await repository.add_many(
                [
                    _author("100%", level=1),
                    _author("100 x", level=2, active=False),
                    _author("snake_case", level=3),
                    _author("snakeXcase"),
                ]
            )

            async def found(*where: Any, **filters: object) -> list[str]:
                page = await repository.list(*where, filters=filters, order_by=["name"])
                return [row.name for row in page.items]

            assert await found(name="100%") == ["100%"]
            assert await found(level=None) == ["snakeXcase"]
            assert await found(active=False) == ["100 x"]
            assert await found(level=OneOf([1, 3])) == ["100%", "snake_case"]
            assert await found(level=OneOf([])) == []
            assert await found(level=Range(gt=1, le=3)) == ["100 x", "snake_case"]
            assert await found(level=Range(ge=1, lt=2)) == ["100%"]
            assert await found(name=Contains("0%")) == ["100%"]
            assert await found(name=Contains("E_C")) == ["snake_case"]
            assert await found(level=IsNot(None), active=True) == ["100%", "snake_case"]
            assert await found(level=IsNot(1), active=True) == [
                "snakeXcase",
                "snake_case",
            ]
            assert await found(Author.level * 2 > 5) == ["snake_case"]
            assert await repository.count(filters={"level": Range(ge=2)}) == 2
            assert await repository.exists(filters={"name": "100%"})

    @pytest.mark.parametrize(
        ("filters", "message"),
        [
            ({"nmae": "x"}, "can't be filtered or sorted by 'nmae'"),
            ({"facts": {}}, "can't be filtered or sorted by 'facts'"),
            ({"name": 7}, "name is compared with a str, not with a int"),
            ({"level": True}, "level is compared with a int, not with a bool"),
            ({"level": Contains("7")}, "level is no text"),
            ({"level": Range()}, "range of level has no limit"),
            ({"id": "no uuid"}, "id is compared with a UUID, not with a str"),
            ({"created_at": "2026-01-01"}, "compared with a datetime, not with a str"),
            (
                {"created_at": Range(gt=datetime(2026, 1, 1))},  # noqa: DTZ001
                "compared with a time that has a zone",
            ),
        ],
    )
    async def test_filters_that_make_no_sense(
        self, database: Database, filters: dict[str, object], message: str
    ) -> None:
        """One clear 400 that names the field, before anything is sent."""
        async with database.session() as session:
            with pytest.raises(BadRequestException, match=message):
                await AuthorRepository(session).list(filters=filters)

    @pytest.mark.parametrize(
        "order_by",
        [
            [],
            ["name"],
            ["-name"],
            ["level"],
            ["-level", "name"],
            ["active", "-level"],
            ["-created_at"],
            ["-id"],
        ],
    )
    async def test_pages_lose_nothing(
        self, database: Database, order_by: list[str]
    ) -> None:
        """Page after page is the list, though keys are equal or missing."""
        start = datetime(2026, 1, 1, tzinfo=UTC)
        async with database.session() as session:
            repository = AuthorRepository(session)
            await repository.add_many(
                [
                    _author(
                        "abc"[number % 3],
                        level=[None, 1, 2][number % 5 % 3],
                        active=number % 2 == 0,
                        created_at=start + timedelta(seconds=number // 2),
                    )
                    for number in range(23)
                ]
            )
            whole = [row.id for row in (await repository.list(order_by=order_by)).items]

            pages: list[UUID] = []
            cursor: str | None = None
            sizes: list[int] = []
            while not sizes or cursor:
                page = await repository.list(order_by=order_by, limit=5, cursor=cursor)
                pages += [row.id for row in page.items]
                sizes.append(len(page.items))
                cursor = page.next_cursor

        assert len(set(whole)) == 23
        assert (pages, sizes) == (whole, [5, 5, 5, 5, 3])

    async def test_missing_values_come_last(self, database: Database) -> None:
        """On both databases, in both directions."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            await repository.add_many([_author(level=level) for level in (1, None, 2)])
            up = await repository.list(order_by=["level"])
            down = await repository.list(order_by=["-level"])

        assert [row.level for row in up.items] == [1, 2, None]
        assert [row.level for row in down.items] == [2, 1, None]

    async def test_cursors_of_others(self, database: Database) -> None:
        """A cursor of another order, or made up, is a 400."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            await repository.add_many([_author(), _author()])
            page = await repository.list(order_by=["name"], limit=1)
            assert page.next_cursor is not None
            for cursor in ("", "garbage", page.next_cursor + "A"):
                with pytest.raises(InvalidCursorException, match="first page"):
                    await repository.list(order_by=["name"], cursor=cursor)
            with pytest.raises(InvalidCursorException, match="first page"):
                await repository.list(order_by=["-name"], cursor=page.next_cursor)

    @pytest.mark.parametrize("limit", [0, -1, 1001])
    async def test_limits(self, database: Database, limit: int) -> None:
        """A page has from 1 to 1000 rows."""
        async with database.session() as session:
            with pytest.raises(
                BadRequestException, match="limit must be from 1 to 1000"
            ):
                await AuthorRepository(session).list(limit=limit)

    async def test_many_rows_without_objects(self, database: Database) -> None:
        """Defaults are filled in, fields may differ, and one bad row undoes all."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            await repository.insert_many([])
            await repository.insert_many(
                [
                    {"email": "a@example.org", "name": "Ada", "facts": {"a": 1}},
                    {"email": "b@example.org", "name": "Bob", "level": 2, "facts": {}},
                ]
            )
            page = await repository.list(order_by=["name"])
            got = [(row.name, row.level, row.version) for row in page.items]
            assert got == [("Ada", None, 1), ("Bob", 2, 1)]
            with pytest.raises(BadRequestException, match="no field 'nmae'"):
                await repository.insert_many([{"nmae": "x"}])

        row = {"email": "c@example.org", "name": "Cy", "facts": {}}
        with pytest.raises(DuplicateException, match="same email"):
            async with database.session() as session:
                await AuthorRepository(session).insert_many([row, row])
        assert await self.names(database) == ["Ada", "Bob"]

    # --- Repository: upsert

    async def test_upsert(self, database: Database) -> None:
        """Inserts, then changes the same row, which keeps its key and its birthday."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            email = "a@example.org"
            first = await repository.upsert({"email": email, "name": "A"}, by=["email"])
            key, born, touched = first.id, first.created_at, first.updated_at
            assert (first.version, first.active) == (1, True)

            second = await repository.upsert(
                {"email": email, "name": "B"}, by=["email"]
            )
            assert second is first
            assert (second.id, second.created_at, second.name) == (key, born, "B")
            assert second.version == 2
            assert second.updated_at > touched

            await repository.delete(second)
            third = await repository.upsert({"email": email, "name": "C"}, by=["email"])
            assert (third.id, third.is_deleted, third.version) == (key, False, 4)
            assert await repository.count() == 1

    async def test_upsert_of_the_key_alone(self, database: Database) -> None:
        """A row that has nothing to change is found."""
        async with database.session() as session:
            seats = BaseRepository(session, Seat)
            values = {"row": 1, "place": 1}
            first = await seats.upsert(values, by=["row", "place"])
            assert await seats.upsert(values, by=["row", "place"]) is first

    async def test_upsert_needs_sense(self, database: Database) -> None:
        """Fields that exist, and the values of the unique ones."""
        async with database.session() as session:
            repository = AuthorRepository(session)
            with pytest.raises(BadRequestException, match="no field 'nmae'"):
                await repository.upsert({"nmae": "x"}, by=["email"])
            for by in ([], ["email"]):
                with pytest.raises(ValueError, match="needs the unique fields"):
                    await repository.upsert({"name": "x"}, by=by)

    async def test_concurrent_upserts_make_one_row(self, database: Database) -> None:
        """That is what the one statement is for."""

        async def upsert(name: str) -> None:
            async with database.session() as session:
                values = {"email": "a@example.org", "name": name}
                await AuthorRepository(session).upsert(values, by=["email"])

        await asyncio.gather(*(upsert(f"name {number}") for number in range(6)))
        async with database.session() as session:
            (row,) = (await AuthorRepository(session).list()).items
        assert row.version == 6

    # --- The same without async

    async def test_sync_repository(self, database: Database) -> None:
        """Both names of it do the same in the session of get_db_session."""
        with database.sync_session() as session:
            self.use_sync(session, SyncRepository(session, Author))

    async def test_base_repository_in_a_sync_session(self, database: Database) -> None:
        """The class of the service works there too, without await."""
        with database.sync_session() as session:
            repository: Any = BaseRepository(session, Author)
            self.use_sync(session, repository)

    def use_sync(self, session: Session, repository: SyncRepository[Author]) -> None:
        """Every method once."""
        author = repository.add(_author("Ada"))
        repository.add_many([_author("Bob")])
        cy = {"email": "cy@example.org", "name": "Cy", "facts": {}}
        repository.insert_many([cy])
        session.expunge_all()

        author = repository.get(author.id)
        assert author.name == "Ada"
        assert repository.get_or_none(uuid4()) is None
        assert repository.get_for_update(author.id) is author
        page = repository.list(order_by=["name"], limit=2)
        assert [row.name for row in page.items] == ["Ada", "Bob"]
        locked = repository.list_for_update(order_by=["-name"], limit=1)
        assert [row.name for row in locked] == ["Cy"]
        assert repository.update(author, {"name": "Dan"}).version == 2
        assert repository.find(Author.name == "Dan") is author
        assert repository.exists(filters={"name": "Dan"})
        repository.delete(author)
        assert repository.count() == 2
        assert repository.restore(author.id) is author
        same = {"email": author.email, "name": "Eve"}
        assert repository.upsert(same, by=["email"]) is author

    # --- Helpers

    async def count(self, database: Database) -> int:
        """How many authors there are."""
        return len(await self.names(database))

    async def names(self, database: Database) -> list[str]:
        """Who there is."""
        async with database.session(read_only=True) as session:
            return [*(await session.scalars(select(Author.name).order_by(Author.name)))]

    def told(self, error: BaseException | None) -> str:
        """All that a log would show of an error."""
        said: list[str] = []
        while error is not None:
            said.append(f"{error} {error!r} {vars(error)}")
            error = error.__cause__
        return "\n".join(said)

    def url_of(self, database: Database) -> str:
        """Where a database is."""
        return database.sync_engine.url.set(
            drivername=database.dialect
        ).render_as_string(hide_password=False)
