"""The database of one service: engines, sessions, health.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from json import dumps
from math import ceil
from typing import Any, Final, Literal, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet, ref

from sqlalchemy import Dialect, text
from sqlalchemy.engine import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from shared.config import DatabaseConfig
from shared.database._aborted import refuse_aborted
from shared.database._errors import DatabaseUnavailableException, RefusedValueError
from shared.database._pools import AsyncPool, SyncPool
from shared.database._retry import collisions_retried
from shared.database._sessions import KernelAsyncSession, KernelSession
from shared.database._sqlite import READ_ONLY, RollingBackConnection, tune_sqlite
from shared.database._translate import translate_errors
from shared.database._urls import Target
from shared.resilience import current_deadline

T = TypeVar("T")

IsolationLevel = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

_alive: Final[WeakSet[Database]] = WeakSet()

# Column types are told the dialect, of which each of our engines has its own.
_by_dialect: Final[WeakKeyDictionary[Dialect, ref[Database]]] = WeakKeyDictionary()
# Closed is closed: who uses a session after its block learns it, where SQLAlchemy would
# begin a transaction that nobody commits.
_SESSION_OPTIONS: Final[dict[str, Any]] = {
    "expire_on_commit": False,
    "close_resets_only": False,
}


def _to_json(value: object) -> str:
    try:
        # NaN is no JSON: PostgreSQL refuses it, SQLite would keep it for others to
        # choke on.
        return dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedValueError(
            "A JSON column holds what JSON has: text, finite numbers, booleans, null, "
            "lists, and objects with text as keys."
        ) from error


class Database:
    """A database, reached by two engines that are made when they are first used.

    Nothing connects before that. The asynchronous engine belongs to the event loop that
    first used it: ``await dispose()`` before that loop ends.

    Args:
        config: Where it is, and how many connections there may be.
        service_name: What the server shows as the origin of our connections.

    Raises:
        DatabaseConfigurationError: The URL is none, or of a database we don't know.
    """

    def __init__(self, config: DatabaseConfig, *, service_name: str) -> None:
        self._target = Target.parse(config.connection_string)
        self._config = config
        self.service_name = service_name
        self.beside: dict[str, Any] = {}  # what glue keeps for this database
        self._lock = threading.RLock()
        self._async_engine: AsyncEngine | None = None
        self._sync_engine: Engine | None = None
        self._async_variants: dict[object, AsyncEngine] = {}
        self._sync_variants: dict[object, Engine] = {}
        self._anchor: sqlite3.Connection | None = None
        _watch_forks()
        _alive.add(self)

    def __repr__(self) -> str:
        return f"<Database {self.service_name} {self._config.url}>"

    @property
    def dialect(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self._target.dialect

    @property
    def in_memory(self) -> bool:
        """Whether it is SQLite without a file, and ends with this process."""
        return bool(self._target.memory)

    @property
    def engine(self) -> AsyncEngine:
        """The engine for ``async`` code: asyncpg, or aiosqlite."""
        with self._lock:
            if self._async_engine is None:
                self._async_engine = self._make_async_engine()
            return self._async_engine

    @property
    def sync_engine(self) -> Engine:
        """The engine for threads, programs and migrations: psycopg, or sqlite3."""
        with self._lock:
            if self._sync_engine is None:
                self._sync_engine = self._make_sync_engine()
            return self._sync_engine

    @property
    def pool(self) -> QueuePool | None:
        """The pool of `engine`; None before its first use."""
        with self._lock:
            engine = self._async_engine
        return None if engine is None else cast("QueuePool", engine.pool)

    @property
    def sync_pool(self) -> QueuePool | None:
        """The pool of `sync_engine`; None before its first use."""
        with self._lock:
            engine = self._sync_engine
        return None if engine is None else cast("QueuePool", engine.pool)

    @asynccontextmanager
    async def session(
        self, *, read_only: bool = False, isolation_level: IsolationLevel | None = None
    ) -> AsyncIterator[AsyncSession]:
        """A session whose block is one transaction: committed at its end.

        Any exception that leaves the block, a cancellation too, rolls back. Objects
        stay usable afterwards: a commit expires nothing.

        Args:
            read_only: The database refuses writes, and SQLite takes no write lock.
            isolation_level: For this transaction, on PostgreSQL. SQLite's are always
                serialisable.
        """
        engine = self._async_variant(read_only, isolation_level)
        # Its __aexit__ closes under a shield, and closing rolls back.
        async with KernelAsyncSession(
            engine, end_within=self._config.connect_timeout, **_SESSION_OPTIONS
        ) as session:
            yield session
            await session.commit()

    @contextmanager
    def sync_session(
        self, *, read_only: bool = False, isolation_level: IsolationLevel | None = None
    ) -> Iterator[Session]:
        """The same for code without ``async``."""
        engine = self._sync_variant(read_only, isolation_level)
        with KernelSession(engine, **_SESSION_OPTIONS) as session:
            yield session
            session.commit()

    async def run_in_transaction(
        self,
        work: Callable[[AsyncSession], Awaitable[T]],
        *,
        attempts: int = 3,
        isolation_level: IsolationLevel | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> T:
        """Run *work* in a transaction, and again when another one got in its way.

        Serialisation failures and deadlocks are worth another try, in a new session;
        nothing else is, nor when the request's deadline comes first. *work* must have
        no effect outside of the database.

        Raises:
            TransactionConflictException: It did not help.
        """

        async def attempt() -> T:
            async with self.session(isolation_level=isolation_level) as session:
                return await work(session)

        retrying = collisions_retried(attempts, sleep_async=sleep)
        return await retrying.call_async(attempt)

    def run_in_sync_transaction(
        self,
        work: Callable[[Session], T],
        *,
        attempts: int = 3,
        isolation_level: IsolationLevel | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> T:
        """The same for code without ``async``."""

        def attempt() -> T:
            with self.sync_session(isolation_level=isolation_level) as session:
                return work(session)

        return collisions_retried(attempts, sleep=sleep).call(attempt)

    async def check(self, timeout: float = 2.0) -> None:  # noqa: ASYNC109 - it is a limit of ours
        """Ask the database for an answer, within *timeout* seconds.

        Raises:
            ServiceUnavailableException: There is none. The cause is chained.
        """
        try:
            async with asyncio.timeout(timeout):
                async with self._async_variant(True, None).connect() as connection:
                    await connection.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise DatabaseUnavailableException(
                f"The database did not answer within {timeout:g} s."
            ) from error

    async def dispose(self) -> None:
        """Close all connections; a database in memory is gone. Use makes new ones."""
        with self._lock:
            engine = self._async_engine
            self._async_engine = None
            self._async_variants = {}
        if engine is not None:
            await engine.dispose()
        self.dispose_sync()

    def dispose_sync(self) -> None:
        """Close the connections of the synchronous engine."""
        with self._lock:
            engine = self._sync_engine
            self._sync_engine = None
            self._sync_variants = {}
            anchor = None
            if self._async_engine is None:
                anchor, self._anchor = self._anchor, None
        if engine is not None:
            engine.dispose()
        if anchor is not None:
            anchor.close()

    def _after_fork(self) -> None:
        """In the child, leave the parent's sockets alone, and make connections anew."""
        engines = [self._sync_engine]
        if self._async_engine is not None:
            engines.append(self._async_engine.sync_engine)
        for engine in engines:
            if engine is not None:
                engine.dispose(close=False)
        self._lock = threading.RLock()
        # The parent's database in memory was copied along, and stays reachable.
        self._async_engine = self._sync_engine = None
        self._async_variants, self._sync_variants = {}, {}

    def _async_variant(self, read_only: bool, isolation: str | None) -> AsyncEngine:
        engine = self.engine
        options = self._options(read_only, isolation)
        if not options:
            return engine
        key = (read_only, isolation)
        if key not in self._async_variants:
            self._async_variants[key] = engine.execution_options(**options)
        return self._async_variants[key]

    def _sync_variant(self, read_only: bool, isolation: str | None) -> Engine:
        engine = self.sync_engine
        options = self._options(read_only, isolation)
        if not options:
            return engine
        key = (read_only, isolation)
        if key not in self._sync_variants:
            self._sync_variants[key] = engine.execution_options(**options)
        return self._sync_variants[key]

    def _options(self, read_only: bool, isolation: str | None) -> dict[str, Any]:
        if self.dialect == "sqlite":
            return {READ_ONLY: True} if read_only else {}
        options: dict[str, Any] = {"postgresql_readonly": True} if read_only else {}
        if isolation:
            options["isolation_level"] = isolation
        return options

    def _make_async_engine(self) -> AsyncEngine:
        config, target = self._config, self._target
        arguments: dict[str, Any]
        if target.dialect == "sqlite":
            arguments = self._sqlite_arguments()
        else:
            arguments = {
                "dsn": target.dsn(),
                "timeout": config.connect_timeout,
                "server_settings": self._server_settings(),
            }
        engine = create_async_engine(
            target.asynchronous(),
            poolclass=AsyncPool,
            connect_args=arguments,
            **self._engine_options(),
        )
        self._prepare(engine.sync_engine)
        if target.dialect == "postgresql":
            listen(engine.sync_engine, "checkout", _refuse_closed)
        return engine

    def _make_sync_engine(self) -> Engine:
        config, target = self._config, self._target
        arguments: dict[str, Any]
        if target.dialect == "sqlite":
            arguments = self._sqlite_arguments()
        else:
            settings = self._server_settings()
            arguments = target.secrets() | {
                "application_name": settings.pop("application_name"),
                "connect_timeout": max(
                    2, ceil(config.connect_timeout)
                ),  # libpq's least
                "options": " ".join(
                    f"-c {name}={value}" for name, value in settings.items()
                ),
            }
        engine = create_engine(
            target.sync(),
            poolclass=SyncPool,
            connect_args=arguments,
            # asyncpg hears that a connection was closed; libpq has to look.
            pool_pre_ping=target.dialect == "postgresql",
            **self._engine_options(),
        )
        self._prepare(engine)
        if target.dialect == "postgresql":
            listen(engine, "begin", self._limit_statements)
        return engine

    def _engine_options(self) -> dict[str, Any]:
        config = self._config
        memory = bool(self._target.memory)
        return {
            "pool_size": 1 if memory else config.pool_size,
            "max_overflow": 0 if memory else config.max_overflow,
            "pool_timeout": config.pool_timeout,
            "pool_recycle": -1 if memory else config.pool_recycle,
            "echo": config.echo,
            "hide_parameters": True,  # they are personal data, or secrets
            "json_serializer": _to_json,
        }

    def _sqlite_arguments(self) -> dict[str, Any]:
        # A connection goes from thread to thread, and is used by one at a time.
        return {
            "timeout": self._config.connect_timeout,
            "check_same_thread": False,
            "factory": RollingBackConnection,
        }

    def _server_settings(self) -> dict[str, str]:
        settings = {"application_name": self.service_name[:63], "timezone": "UTC"}
        if self._config.statement_timeout:
            settings["statement_timeout"] = str(
                ceil(self._config.statement_timeout * 1000)
            )
        return settings

    def _limit_statements(self, connection: Connection) -> None:
        """Let the server end what a thread asks for behind its request's deadline.

        A task is cancelled then; a thread can't be.
        """
        deadline = current_deadline()
        if deadline is None:
            return
        left = max(0.001, deadline.remaining())  # 0 would be no limit
        limit = self._config.statement_timeout
        driver: Any = connection.connection.driver_connection
        if driver.autocommit or (limit and limit <= left):
            return
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {ceil(left * 1000)}")

    def _prepare(self, engine: Engine) -> None:
        _by_dialect[engine.dialect] = ref(self)
        if self.dialect == "postgresql":
            refuse_aborted(engine)
        translate_errors(engine)
        if self.dialect == "sqlite":
            memory = self._target.memory
            tune_sqlite(
                engine, busy_timeout=self._config.connect_timeout, memory=bool(memory)
            )
            if memory and self._anchor is None:
                self._anchor = sqlite3.connect(
                    memory, uri=True, check_same_thread=False
                )


def database_of(dialect: Dialect) -> Database | None:
    """The database whose engine a dialect belongs to."""
    found = _by_dialect.get(dialect)
    return found() if found else None


def _refuse_closed(connection: Any, *_: object) -> None:
    """Let the pool replace a connection that the server closed while it lay there."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("The server closed the connection.")


def _after_fork() -> None:
    for database in list(_alive):
        database._after_fork()


_watching = threading.Event()


def _watch_forks() -> None:
    if not _watching.is_set() and hasattr(os, "register_at_fork"):
        _watching.set()
        os.register_at_fork(after_in_child=_after_fork)
