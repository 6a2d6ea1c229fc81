"""Throw-away databases: made for one test or one module, gone after it.

::

    @pytest.fixture
    def url() -> Iterator[str]:
        with postgresql_database() as url:      # or sqlite_database()
            yield url

Each is a database of its own, so tests may run side by side, commit, and migrate. In a
coroutine write ``async with``. The address names no driver.

What a killed run leaves behind is removed by the next one. Who lives is not told by a
clock or a process id but by a lock that the server, or SQLite, takes from the dead.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from shared.testing.servers import postgresql_url

__all__ = ["TemporaryDatabase", "postgresql_database", "sqlite_database"]

_PREFIX: Final = "creativeflow-test-"


class TemporaryDatabase(AbstractContextManager[str], AbstractAsyncContextManager[str]):
    """A database that exists inside ``with`` or ``async with``, which give its URL."""

    def __enter__(self) -> str:
        """Make the database and return its URL."""
        return self._make()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the database, whoever is still connected to it."""
        self._remove()

    async def __aenter__(self) -> str:
        """Do what ``with`` does, off the event loop."""
        return await asyncio.to_thread(self._make)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do what ``with`` does, off the event loop."""
        await asyncio.to_thread(self._remove)

    def _make(self) -> str:
        raise NotImplementedError

    def _remove(self) -> None:
        raise NotImplementedError


def postgresql_database(server: str | None = None) -> TemporaryDatabase:
    """Return an empty PostgreSQL database, in UTF-8 and the locale of the server.

    Args:
        server: Where; ``shared.testing.servers.postgresql_url()`` when left out, which
            skips the test if there is no server. Its role needs CREATEDB.
    """
    return _Postgresql(server)


def sqlite_database(folder: Path | None = None) -> TemporaryDatabase:
    """Return an empty SQLite database in a file, with which WAL and locks are real.

    Args:
        folder: Where, such as ``tmp_path``; then it is left there for a look. A folder
            of its own, removed afterwards, when left out.
    """
    return _Sqlite(folder)


class _Postgresql(TemporaryDatabase):
    """Made and dropped over a connection that meanwhile holds a lock of its name."""

    def __init__(self, server: str | None) -> None:
        self._server = server

    def _make(self) -> str:
        server = postgresql_url() if self._server is None else self._server
        self._owner = psycopg.connect(server, autocommit=True)
        try:
            prefix = _database_prefix(self._owner)
            _drop_leftovers(self._owner, prefix)
            self._name = f"{prefix}{uuid4().hex[:16]}"
            # Before the database is there to be seen.
            self._owner.execute("SELECT pg_advisory_lock(%s)", [_lock_of(self._name)])
            self._owner.execute(
                # Of template0, to which nobody connects: of template1 it fails then.
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                    sql.Identifier(self._name)
                )
            )
        except BaseException:
            self._owner.close()
            raise
        return urlunsplit(urlsplit(server)._replace(path=f"/{self._name}"))

    def _remove(self) -> None:
        try:
            _drop(self._owner, self._name)
        finally:
            self._owner.close()


def _database_prefix(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """Return how our names begin on this server, seen from this database.

    An advisory lock belongs to the database in which it is taken, so whoever works from
    another one can't tell which of ours are alive.
    """
    home = hashlib.sha256(connection.info.dbname.encode()).hexdigest()[:8]
    return f"{_PREFIX}{home}-"


def _lock_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _drop(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _drop_leftovers(
    connection: psycopg.Connection[tuple[object, ...]], prefix: str
) -> None:
    found = connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname::text, %s)", [prefix]
    )
    for (name,) in found.fetchall():
        lock = [_lock_of(str(name))]
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", lock).fetchone()
        if row == (True,):  # its owner is gone
            _drop(connection, str(name))
            connection.execute("SELECT pg_advisory_unlock(%s)", lock)


class _Sqlite(TemporaryDatabase):
    """A file in a folder whose owner holds a lock on another file of it."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def _make(self) -> str:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            return _sqlite_url(self._folder / f"{uuid4().hex}.db")
        _remove_leftovers()
        self._own, self._owner = _owned_folder()
        return _sqlite_url(self._own / "test.db")

    def _remove(self) -> None:
        if self._folder is None:
            # Closed first: Windows removes no open file.
            self._owner.close()
            shutil.rmtree(self._own, ignore_errors=True)


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path.as_posix()}"


def _owned_folder() -> tuple[Path, sqlite3.Connection]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> sqlite3.Connection | None:
    """Return the lock on *folder*, which ends with its holder; None if it is taken."""
    path = folder / "owner"
    try:
        connection = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError:  # the folder is gone
        return None
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        connection.close()
        return None
    if path.exists():
        return connection
    connection.close()  # locked a file that was removed meanwhile
    return None


def _remove_leftovers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            with closing(lock):
                shutil.rmtree(folder, ignore_errors=True)
