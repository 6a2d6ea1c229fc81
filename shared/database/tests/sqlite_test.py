"""What is particular to SQLite."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import MetaData, func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.config import DatabaseConfig
from shared.database import (
    NAMING_CONVENTION,
    Base,
    BaseRepository,
    Database,
    DatabaseUnavailableException,
    PoolExhaustedException,
    StorageFullException,
    UUIDKeyMixin,
)


class _Base(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Note(UUIDKeyMixin, _Base):
    __tablename__ = "note"

    text: Mapped[str] = mapped_column(default="")


def connect(url: str, **settings: Any) -> Database:
    """A database with settings of its own."""
    config = DatabaseConfig.model_validate({"url": url} | settings)
    return Database(config, service_name="note-service")


def notes(database: Database) -> int:
    """How many were committed."""
    with database.sync_session(read_only=True) as session:
        return session.scalar(select(func.count(Note.id))) or 0


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database in a file, with its table."""
    database = connect(url)
    _Base.metadata.create_all(database.sync_engine)
    yield database
    database.dispose_sync()


@pytest.fixture
async def quiet() -> AsyncIterator[None]:
    """Wait for the threads of connections that failed.

    aiosqlite does not, and its thread still tells the event loop that it ends, which
    must not be closed by then.
    """
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


@pytest.mark.parametrize(
    ("pragma", "answer"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
async def test_tuning(database: Database, pragma: str, answer: object) -> None:
    """Of both drivers' connections."""
    question = text(f"PRAGMA {pragma}")
    with database.sync_session() as session:
        assert session.scalar(question) == answer
    async with database.session() as async_session:
        assert await async_session.scalar(question) == answer
    await database.dispose()


async def test_memory_is_shared(url: str) -> None:
    """Both engines of a database see the same; another database sees nothing of it."""
    one, other = connect("sqlite://"), connect("sqlite:///:memory:")
    _Base.metadata.create_all(one.sync_engine)
    _Base.metadata.create_all(other.sync_engine)
    async with one.session() as session:
        session.add(Note())

    assert (notes(one), notes(other)) == (1, 0)
    await one.dispose()
    await other.dispose()


async def test_memory_lasts_until_disposed() -> None:
    """Not only as long as somebody has a connection."""
    database = connect("sqlite://", pool_recycle=0)
    _Base.metadata.create_all(database.sync_engine)
    async with database.session() as session:
        session.add(Note())
        await session.commit()
        await (await session.connection()).invalidate()
        await session.rollback()
    async with database.session() as session:
        session.add(Note())
    assert notes(database) == 2

    await database.dispose()
    with pytest.raises(Exception, match="no such table"):
        notes(database)
    database.dispose_sync()


async def test_memory_has_one_connection() -> None:
    """Sessions that overlap wait for each other, and none sees half of another."""
    database = connect("sqlite://")
    _Base.metadata.create_all(database.sync_engine)

    async def write() -> None:
        async with database.session() as session:
            repository = BaseRepository(session, Note)
            before = await repository.count()
            await repository.add(Note())
            await asyncio.sleep(0)
            assert await repository.count() == before + 1

    await asyncio.gather(*(write() for _ in range(10)))
    assert notes(database) == 10
    await database.dispose()


async def test_readers_that_write_do_not_collide(url: str, database: Database) -> None:
    """A transaction that reads first, then writes, waits for its turn beforehand."""

    async def work() -> None:
        async with database.session() as session:
            await session.scalar(select(func.count(Note.id)))
            await asyncio.sleep(0)
            session.add(Note())

    await asyncio.gather(*(work() for _ in range(8)))
    await database.dispose()
    assert notes(database) == 8


async def test_a_locked_file_is_a_503(url: str, database: Database) -> None:
    """Who waits longer for the writer than the time-out is told to come back."""
    impatient = connect(url, connect_timeout=0.05)
    with database.sync_session() as session:
        session.add(Note())
        session.flush()
        with pytest.raises(PoolExhaustedException, match="busy") as caught:
            async with impatient.session() as other:
                other.add(Note())
        assert caught.value.headers["Retry-After"] == "1"
        with pytest.raises(PoolExhaustedException, match="busy"):
            impatient.run_in_sync_transaction(lambda sync: sync.add(Note()))
        await impatient.check(timeout=5)
    await impatient.dispose()
    assert notes(database) == 1


async def test_a_full_disk_is_a_503(url: str, database: Database) -> None:
    """And nothing of the transaction is kept; when there is room, all goes on."""
    with database.sync_session() as session:
        session.add(Note(text="first"))

    async def fill(pages: int) -> None:
        async with database.session() as session:
            session.add(Note(text="half"))
            await session.flush()
            await session.execute(text(f"PRAGMA max_page_count = {pages}"))
            session.add(Note(text="x" * 1_000_000))

    with pytest.raises(StorageFullException, match="storage of the database is full"):
        await fill(1)
    assert notes(database) == 1
    await fill(1_000_000)
    await database.dispose()
    assert notes(database) == 3


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"x" * 5000)]
)
async def test_a_file_that_is_no_database(tmp_path: Path, make: Any) -> None:
    """A folder, or something else, is an unavailable database and not a crash."""
    path = tmp_path / "test.db"
    make(path)
    database = connect(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        await database.check(timeout=5)
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        notes(database)
    await database.dispose()


@pytest.mark.usefixtures("quiet")
async def test_no_such_folder(tmp_path: Path) -> None:
    """Nor does it make one."""
    database = connect(f"sqlite:///{tmp_path}/nowhere/test.db")
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        await database.check(timeout=5)
    await database.dispose()
    assert not (tmp_path / "nowhere").exists()


async def test_a_check_has_an_end(database: Database) -> None:
    """Even when the pool has nothing to give."""
    narrow = connect("sqlite://", pool_timeout=30)
    async with narrow.session() as session:
        await session.execute(select(1))
        with pytest.raises(DatabaseUnavailableException, match=r"within 0\.05 s"):
            await narrow.check(timeout=0.05)
    await narrow.check(timeout=5)
    await narrow.dispose()


def test_closed_sessions_are_closed(database: Database) -> None:
    """Using one behind its block is a mistake that shows."""
    with database.sync_session() as session:
        session.add(Note())
    with pytest.raises(Exception, match="permanently closed"):
        session.scalars(select(Note))


def test_threads_share_a_database(database: Database) -> None:
    """The engine is made once, and every thread has its own session."""
    threads = [
        threading.Thread(
            target=database.run_in_sync_transaction, args=[lambda s: s.add(Note())]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert notes(database) == 8


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="No fork on this system.")
async def test_a_forked_child_connects_for_itself(database: Database) -> None:
    """SQLite forbids to carry a connection across a fork."""
    await database.check(timeout=5)
    engines = (database.engine, database.sync_engine)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        mine = (database.engine, database.sync_engine)
        same = any(one is other for one, other in zip(engines, mine, strict=True))
        os.write(writer, b"same" if same else b"new")
        os._exit(0)
    await asyncio.to_thread(os.waitpid, child, 0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        assert answer.read() == "new"
    assert engines == (database.engine, database.sync_engine)
    await database.dispose()


def test_a_database_shows_no_password() -> None:
    """Nor its engines."""
    database = connect("postgresql://user:hush@db.example/name")
    shown = f"{database!r} {database.engine!r} {database.sync_engine!r}"

    assert "<Database note-service postgresql://user:***@db.example/name>" in shown
    assert "hush" not in shown
    database.dispose_sync()


def test_a_database_shows_no_password_among_its_parameters() -> None:
    """Where libpq takes it as well."""
    database = connect("postgresql://db.example/n?password=hush&sslpassword=quiet")
    shown = f"{database!r} {database.engine!r} {database.sync_engine!r}"

    assert "<Database note-service postgresql://db.example/n?password=***" in shown
    assert "hush" not in shown
    assert "quiet" not in shown
    database.dispose_sync()


async def test_cancelled_while_it_reads(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is gone with it, though its cursor lives on in the kept traceback."""
    with database.sync_session() as session:
        session.add_all([Note(), Note()])
    await database.check(timeout=5)  # it is connected
    reading = asyncio.Event()

    async def fetchall(_: aiosqlite.Cursor) -> None:
        reading.set()
        await asyncio.Event().wait()  # between the statement and its rows

    async def work() -> None:
        async with database.session() as session:
            await session.execute(text("SELECT * FROM note"))

    with monkeypatch.context() as patch:
        patch.setattr(aiosqlite.Cursor, "fetchall", fetchall)
        task = asyncio.create_task(work())
        await reading.wait()
        task.cancel()
        kept = await asyncio.gather(task, return_exceptions=True)
    with database.sync_session() as session:
        session.add(Note())

    assert [type(error) for error in kept] == [asyncio.CancelledError]
    assert notes(database) == 3
    await database.dispose()


@pytest.mark.parametrize(
    ("url", "in_memory"),
    [("sqlite://", True), ("sqlite:///:memory:", True), ("sqlite:///./x.db", False)],
)
def test_a_database_knows_whether_it_is_a_file(url: str, in_memory: bool) -> None:
    """Who keeps something beside the file must not make one for a database without."""
    database = Database(DatabaseConfig(url=url), service_name="my-service")

    assert database.in_memory is in_memory
