"""What goes wrong with a server, and what a service gets."""

# ruff: noqa: PT012 - what is raised by the end of a transaction needs the block of one

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from traceback import format_exception
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import ForeignKey, MetaData, String, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.pool import QueuePool

from shared.config import DatabaseConfig
from shared.database import (
    NAMING_CONVENTION,
    Base,
    Database,
    DatabaseUnavailableException,
    DuplicateException,
    StatementTimeoutException,
    TransactionAbortedError,
    TransactionConflictException,
    UUIDKeyMixin,
)
from shared.database.dependencies import get_db_dependency
from shared.errors import ValidationError
from shared.errors.handlers import register_exception_handlers
from shared.resilience import Deadline, deadline_scope
from shared.testing.databases import postgresql_database
from shared.testing.tcp_proxy import TcpProxy


class _Base(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Account(_Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(10), default="")


class Transfer(UUIDKeyMixin, _Base):
    __tablename__ = "transfer"

    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("transfer.id", deferrable=True, initially="DEFERRED")
    )


def connect(url: str, **settings: Any) -> Database:
    """A database with settings of its own."""
    config = DatabaseConfig.model_validate({"url": url} | settings)
    return Database(config, service_name="account-service")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """One database for all tests."""
    with postgresql_database() as url:
        yield url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The database with its tables, made anew."""
    database = connect(url, pool_size=3)
    _Base.metadata.drop_all(database.sync_engine)
    _Base.metadata.create_all(database.sync_engine)
    with database.sync_session() as session:
        session.add_all([Account(id=1), Account(id=2)])
    yield database
    await database.dispose()


async def value(database: Database, question: str) -> Any:
    """What the server answers over asyncpg."""
    async with database.session(read_only=True) as session:
        return await session.scalar(text(question))


def sync_value(database: Database, question: str) -> Any:
    """What the server answers over psycopg."""
    with database.sync_session(read_only=True) as session:
        return session.scalar(text(question))


async def kill(database: Database, pid: int) -> None:
    """End a connection from the server's side, and wait until it is gone."""
    async with database.session() as session:
        await session.execute(
            text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}
        )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("SELECT current_setting('application_name')", "account-service"),
        ("SELECT current_setting('timezone')", "UTC"),
        ("SELECT current_setting('statement_timeout')", "1500ms"),
    ],
)
async def test_settings_of_a_connection(url: str, question: str, answer: str) -> None:
    """Both drivers say who we are, live in UTC, and limit statements."""
    database = connect(url, statement_timeout=1.5)
    answers = [await value(database, question), sync_value(database, question)]
    await database.dispose()

    assert answers == [answer, answer]


async def test_parameters_of_libpq_are_understood(url: str) -> None:
    """What managed databases put into their URLs, by both drivers."""
    database = connect(f"{url}?sslmode=prefer&connect_timeout=3&application_name=other")
    question = "SELECT current_setting('application_name')"
    answers = [await value(database, question), sync_value(database, question)]
    await database.dispose()

    assert answers == ["account-service", "account-service"]


async def test_a_statement_that_takes_too_long(url: str) -> None:
    """It is stopped by the server; the connection goes on working."""
    database = connect(url, statement_timeout=0.05, pool_size=1, max_overflow=0)
    with pytest.raises(StatementTimeoutException, match="took too long"):
        await value(database, "SELECT pg_sleep(30)")
    with pytest.raises(StatementTimeoutException, match="took too long"):
        sync_value(database, "SELECT pg_sleep(30)")

    assert await value(database, "SELECT 1") == 1
    await database.dispose()


async def test_a_thread_has_the_time_of_its_request(url: str) -> None:
    """Nobody can cancel a thread: the server ends its statements at the deadline."""
    database = connect(url, statement_timeout=30)
    setting = "SELECT current_setting('statement_timeout')"
    with deadline_scope(Deadline(10, clock=lambda: 0.0)):
        limited = sync_value(database, setting)
    with deadline_scope(Deadline(100, clock=lambda: 0.0)):
        far = sync_value(database, setting)
    with (
        deadline_scope(Deadline(0, clock=lambda: 1.0)),
        pytest.raises(StatementTimeoutException, match="took too long"),
    ):
        sync_value(database, "SELECT pg_sleep(30)")

    assert (limited, far, sync_value(database, setting)) == ("10s", "30s", "30s")
    database.dispose_sync()


async def test_a_connection_lost_in_use(database: Database) -> None:
    """The request gets a 503, the next one a new connection."""
    with pytest.raises(DatabaseUnavailableException, match="not available") as caught:
        async with database.session() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            await kill(database, pid)
            await session.execute(text("SELECT 1"))

    assert caught.value.headers["Retry-After"] == "5"
    assert await value(database, "SELECT 1") == 1


async def test_a_connection_lost_before_the_commit(database: Database) -> None:
    """What was not committed is not answered with success."""
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        async with database.session() as session:
            session.add(Account(id=3))
            await session.flush()
            await kill(database, await session.scalar(text("SELECT pg_backend_pid()")))

    assert await value(database, "SELECT count(*) FROM account") == 2


async def test_a_sync_connection_lost_in_use(database: Database) -> None:
    """The other driver, likewise."""
    with (
        pytest.raises(DatabaseUnavailableException, match="not available"),
        database.sync_session() as session,
    ):
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        assert isinstance(pid, int)
        await kill(database, pid)
        session.execute(text("SELECT 1"))

    assert sync_value(database, "SELECT 1") == 1


async def test_a_connection_lost_in_the_pool(database: Database) -> None:
    """Nobody notices: it is replaced when it is taken out, of both pools."""
    question = "SELECT pg_backend_pid()"
    async with database.session() as first, database.session() as killer:
        await killer.execute(text("SELECT 1"))
        pid = await first.scalar(text(question))
        sync_pid = sync_value(database, question)
        await first.commit()  # back into the pool
        for lost in (pid, sync_pid):
            await killer.execute(
                text("SELECT pg_terminate_backend(:p, 5000)"), {"p": lost}
            )

        assert await value(database, question) != pid
        assert sync_value(database, question) != sync_pid


async def test_nobody_listens(unused_tcp_port: int) -> None:
    """An unreachable server is a 503, by both drivers, for statements and checks."""
    database = connect(f"postgresql://u:hush@127.0.0.1:{unused_tcp_port}/db")
    with pytest.raises(DatabaseUnavailableException, match="not available") as caught:
        await value(database, "SELECT 1")
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        sync_value(database, "SELECT 1")
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        await database.check(timeout=5)

    assert "hush" not in f"{database!r} {caught.value!r} {caught.value.__cause__!r}"
    await database.dispose()


async def test_no_such_database(url: str) -> None:
    """A wrong name or password is no fault of the caller either."""
    database = connect(urlsplit(url)._replace(path="/nowhere").geturl())
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        await value(database, "SELECT 1")
    with pytest.raises(DatabaseUnavailableException, match="not available"):
        sync_value(database, "SELECT 1")
    await database.dispose()


async def test_a_server_that_does_not_answer(url: str) -> None:
    """The check ends in its time, and a later one succeeds."""
    parts = urlsplit(url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        address = parts._replace(netloc=f"postgres@{proxy.host}:{proxy.port}")
        database = connect(address.geturl(), pool_size=1, max_overflow=0)
        await database.check(timeout=5)
        proxy.hold_replies()
        with pytest.raises(DatabaseUnavailableException, match=r"within 0\.1 s"):
            await database.check(timeout=0.1)
        proxy.release()
        await database.check(timeout=5)
        await database.dispose()


async def test_connecting_has_a_limit(url: str) -> None:
    """A server that takes the connection and says nothing is unavailable."""
    parts = urlsplit(url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        proxy.hold_replies()
        address = parts._replace(netloc=f"postgres@{proxy.host}:{proxy.port}")
        database = connect(address.geturl(), connect_timeout=0.1)
        with pytest.raises(DatabaseUnavailableException, match="not available"):
            await value(database, "SELECT 1")
        await database.dispose()


async def test_a_cancelled_statement(database: Database) -> None:
    """The task ends as cancelled, and its connection is not used again half-read."""
    begun = asyncio.Event()

    async def work() -> None:
        async with database.session() as session:
            session.add(Account(id=3))
            await session.flush()
            begun.set()
            await session.execute(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(work())
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await value(database, "SELECT count(*) FROM account") == 2


class _Proxied:
    """A database with one connection, through a proxy, and a session in its work."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self.proxy = TcpProxy(self._parts.hostname or "", self._parts.port or 5432)
        self.working = asyncio.Event()

    async def __aenter__(self) -> _Proxied:
        await self.proxy.__aenter__()
        netloc = f"postgres@{self.proxy.host}:{self.proxy.port}"
        self.database = connect(
            self._parts._replace(netloc=netloc).geturl(),
            connect_timeout=0.5,
            pool_size=1,
            max_overflow=0,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.proxy.release()
        await self.database.dispose()
        await self.proxy.__aexit__(None, None, None)

    async def work(self, error: Exception | None) -> None:
        """Begin a transaction, hear no more of the server, and fail or wait."""
        async with self.database.session() as session:
            await session.execute(text("SELECT 1"))
            self.proxy.hold_replies()
            self.working.set()
            if error is not None:
                raise error
            await asyncio.Event().wait()


def in_use(database: Database) -> int:
    """How many connections are taken out of the pool."""
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


@pytest.mark.parametrize("deadline", [None, 0.0])
async def test_cancelled_while_the_server_says_nothing(
    url: str, deadline: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A rollback has its time; then the task ends, and the pool has its place."""
    limit = None if deadline is None else Deadline.after(deadline)
    async with _Proxied(url) as proxied, asyncio.timeout(30):
        with deadline_scope(limit):
            task = asyncio.create_task(proxied.work(None))
        await proxied.working.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert in_use(proxied.database) == 0
        proxied.proxy.release()
        assert await value(proxied.database, "SELECT 1") == 1
    assert "A rollback had no answer" in caplog.text


async def test_a_failure_while_the_server_says_nothing(url: str) -> None:
    """The failure itself is what the caller gets, in spite of the rollback."""
    async with _Proxied(url) as proxied, asyncio.timeout(30):
        with pytest.raises(LookupError, match="no such thing"):
            await proxied.work(LookupError("no such thing"))
        assert in_use(proxied.database) == 0


async def test_a_rollback_without_an_answer(url: str) -> None:
    """Who asks for one is told, and has no connection any more."""
    async with (
        _Proxied(url) as proxied,
        asyncio.timeout(30),
        proxied.database.session() as session,
    ):
        await session.execute(text("SELECT 1"))
        proxied.proxy.hold_replies()
        with pytest.raises(DatabaseUnavailableException, match="did not answer"):
            await session.rollback()
        assert in_use(proxied.database) == 0


async def test_serialisation_failures_are_repeated(database: Database) -> None:
    """Two that read the same and write: the loser runs again, and nothing is lost."""
    barrier = asyncio.Barrier(2)
    tries = 0

    async def work(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        account = await session.get_one(Account, 1)
        if tries <= 2:
            await barrier.wait()
        account.balance += 1

    await asyncio.gather(
        *(
            database.run_in_transaction(work, isolation_level="SERIALIZABLE")
            for _ in "ab"
        )
    )

    assert tries == 3
    assert await value(database, "SELECT balance FROM account WHERE id = 1") == 2


async def test_deadlocks_are_repeated(database: Database) -> None:
    """Two that lock in opposite orders: the server ends one, and it runs again."""
    barrier = asyncio.Barrier(2)
    tries = 0

    async def transfer(session: AsyncSession, one: int, other: int) -> None:
        nonlocal tries
        tries += 1
        first = tries <= 2
        await session.get_one(Account, one, with_for_update=True)
        if first:
            await barrier.wait()
        account = await session.get_one(Account, other, with_for_update=True)
        account.balance += 1

    await asyncio.gather(
        database.run_in_transaction(lambda session: transfer(session, 1, 2)),
        database.run_in_transaction(lambda session: transfer(session, 2, 1)),
    )

    assert tries == 3
    assert await value(database, "SELECT sum(balance) FROM account") == 2


async def test_repeating_has_a_bound(database: Database) -> None:
    """Who always collides is told to come back later, as a 503."""

    async def work(session: AsyncSession) -> None:
        account = await session.get_one(Account, 1)
        async with database.session() as other:
            (await other.get_one(Account, 1)).balance += 1
        account.balance += 1

    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(TransactionConflictException, match="Try again"):
        await database.run_in_transaction(
            work, attempts=4, isolation_level="REPEATABLE READ", sleep=sleep
        )

    assert len(pauses) == 3


async def test_sync_transactions_are_repeated(database: Database) -> None:
    """The twin counts to the same bound."""
    tries = 0

    def collide() -> None:
        with database.sync_session() as other:
            other.get_one(Account, 1).balance += 1

    def work(session: Any) -> int:
        nonlocal tries
        tries += 1
        account = session.get_one(Account, 1)
        if tries == 1:
            thread = threading.Thread(target=collide)
            thread.start()
            thread.join()
        account.balance += 1
        return tries

    result = database.run_in_sync_transaction(
        work, isolation_level="REPEATABLE READ", sleep=lambda _: None
    )

    assert result == 2
    assert sync_value(database, "SELECT balance FROM account WHERE id = 1") == 2


async def test_a_constraint_checked_by_the_commit(database: Database) -> None:
    """The commit comes before the reply: its failure is the reply."""
    app = FastAPI()
    register_exception_handlers(app)

    async def endpoint(
        db: Annotated[AsyncSession, Depends(get_db_dependency(database))],
    ) -> dict[str, bool]:
        db.add(Transfer(parent_id=uuid4()))
        await db.flush()
        return {"ok": True}

    endpoint.__annotations__["db"] = Annotated[
        AsyncSession, Depends(get_db_dependency(database))
    ]
    app.post("/")(endpoint)

    def post() -> tuple[int, str]:
        with TestClient(app) as client:
            reply = client.post("/")
            client.portal.call(database.dispose)  # type: ignore[union-attr]
            return reply.status_code, reply.json()["code"]

    assert await asyncio.to_thread(post) == (409, "reference_conflict")
    assert sync_value(database, "SELECT count(*) FROM transfer") == 0


@pytest.mark.parametrize("value", ["x" * 11, "nul \0", "half \ud800"])
async def test_text_that_does_not_fit(database: Database, value: str) -> None:
    """A 422 by both drivers, for what SQLite would take as well."""
    with pytest.raises(ValidationError, match="does not fit its column"):
        async with database.session() as session:
            session.add(Account(id=9, name=value))
    with (
        pytest.raises(ValidationError, match="does not fit its column"),
        database.sync_session() as sync_session,
    ):
        sync_session.add(Account(id=9, name=value))


@pytest.mark.parametrize("question", ["CAST(:x AS integer)", "CAST(:x||'' AS integer)"])
async def test_a_value_that_does_not_fit_is_not_logged(
    database: Database, question: str
) -> None:
    """Whoever refuses it, a driver or the server: the causes don't quote it."""
    statement = text(f"SELECT {question}")
    with pytest.raises(ValidationError, match="does not fit its column") as caught:
        async with database.session() as session:
            await session.execute(statement, {"x": "hush"})
    with (
        pytest.raises(ValidationError, match="does not fit its column") as sync_caught,
        database.sync_session() as sync_session,
    ):
        sync_session.execute(statement, {"x": "hush"})

    errors = (caught.value, sync_caught.value)
    logged = "".join(line for error in errors for line in format_exception(error))
    assert "invalid input" in logged
    assert "hush" not in logged.replace('{"x": "hush"}', "")


async def test_skip_locked_gives_each_worker_its_own(database: Database) -> None:
    """Two that take jobs at once never take the same."""
    async with database.session() as one, database.session() as other:
        locked = select(Account).order_by(Account.id).limit(1)
        first = await one.scalar(locked.with_for_update(skip_locked=True))
        second = await other.scalar(locked.with_for_update(skip_locked=True))

        assert first is not None
        assert second is not None
        assert {first.id, second.id} == {1, 2}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="No fork on this system.")
def test_a_forked_child_connects_for_itself(url: str) -> None:
    """The parent's connection is not touched by the child, nor closed when it ends."""
    database = connect(url, pool_size=1, max_overflow=0)
    question = "SELECT pg_backend_pid()"
    pid = sync_value(database, question)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        try:
            os.write(writer, str(sync_value(database, question)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        childs = answer.read()

    assert childs.isdigit()
    assert childs != str(pid)
    assert sync_value(database, question) == pid
    database.dispose_sync()


async def test_a_commit_that_would_keep_nothing_fails(database: Database) -> None:
    """PostgreSQL rolls back when a statement failed before, and reports success."""
    with pytest.raises(TransactionAbortedError, match=r"Use session\.begin_nested"):
        async with database.session() as session:
            session.add(Account(id=11))
            await session.flush()
            with pytest.raises(DuplicateException, match="already exists"):
                await session.execute(insert(Account).values(id=11))

    assert await _ids(database) == []


def test_the_same_without_async(database: Database) -> None:
    """The other driver says nothing either."""
    with (
        pytest.raises(TransactionAbortedError, match=r"Use session\.begin_nested"),
        database.sync_session() as session,
    ):
        session.add(Account(id=11))
        session.flush()
        with pytest.raises(DuplicateException, match="already exists"):
            session.execute(insert(Account).values(id=11))


async def test_what_a_savepoint_undid_keeps_nothing_from_the_commit(
    database: Database,
) -> None:
    """The transaction is sound again, and the next one on that connection is too."""
    for number in (11, 12):
        async with database.session() as session:
            session.add(Account(id=number))
            await session.flush()
            with pytest.raises(DuplicateException, match="already exists"):
                async with session.begin_nested():
                    await session.execute(insert(Account).values(id=number))

    assert await _ids(database) == [11, 12]


async def test_a_value_that_never_left_the_driver_aborts_nothing(
    database: Database,
) -> None:
    """The server knows nothing of it, so the rest is kept."""
    async with database.session() as session:
        session.add(Account(id=11))
        await session.flush()
        with pytest.raises(ValidationError, match="does not fit"):
            await session.execute(insert(Account).values(id=2**70))

    assert await _ids(database) == [11]


async def _ids(database: Database) -> list[int]:
    async with database.session(read_only=True) as session:
        found = select(Account.id).where(Account.id > 10).order_by(Account.id)
        return list(await session.scalars(found))
