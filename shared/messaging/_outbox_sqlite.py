"""The outbox on SQLite: one relay for each database.

Private: used by ``shared.messaging.outbox`` only.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Protocol

from sqlalchemy import Table, bindparam, delete, select, text

from shared.database import Database
from shared.messaging._message import OutgoingMessage
from shared.messaging._outbox_rows import Row
from shared.messaging._outbox_writer import Outbox


class _Lock(Protocol):
    def acquire(self) -> bool: ...
    def release(self) -> None: ...


class SqliteRows:
    """The rows of one table, which is one relay's as long as that lives.

    No transaction is open while they are published: it would keep out every writer.
    """

    def __init__(self, outbox: Outbox, database: Database) -> None:
        self._database = database
        self._outbox = outbox
        table = outbox.table
        columns = table.c
        self._table = table
        self._select = (
            select(
                columns.position,
                columns.partition,
                columns.id,
                columns.type,
                columns.payload,
                columns.content_type,
                columns.headers,
                columns.occurred_at,
                columns.aggregateid,
            )
            .where(columns.partition.not_in(bindparam("without", expanding=True)))
            .order_by(columns.position)
            .limit(bindparam("at_most"))
        )
        self._delete = delete(table).where(
            columns.position.in_(bindparam("positions", expanding=True))
        )
        self._woken = asyncio.Event()
        self._lock: _Lock | None = None

    async def open(self) -> bool:
        """Become the relay of this database; False if there is one."""
        if self._lock is not None:
            return True
        lock = await _lock_of(self._database, self._table)
        if not lock.acquire():
            return False
        self._lock = lock
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._woken.set)

        self._forget = self._outbox.on_commit(wake)
        return True

    async def take(self, limit: int, *, without: Collection[int]) -> list[Row]:
        """The next rows, in order."""
        self._woken.clear()
        values = {"without": list(without), "at_most": limit}
        async with self._database.session(read_only=True) as session:
            found = (await session.execute(self._select, values)).all()
        return [Row(row[0], row[1], OutgoingMessage(*row[2:])) for row in found]

    async def settle(self, published: Sequence[Row]) -> None:
        """Delete *published*."""
        if not published:
            return
        positions = [row.position for row in published]
        async with self._database.session() as session:
            await session.execute(self._delete, {"positions": positions})

    async def wait(self, seconds: float) -> None:
        """Sleep until a transaction of this process committed events."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken.set()

    async def close(self) -> None:
        """Let another relay do it."""
        self.abandon()

    def abandon(self) -> None:
        """The same."""
        lock, self._lock = self._lock, None
        if lock is not None:
            self._forget()
            lock.release()


async def _lock_of(database: Database, table: Table) -> _Lock:
    if database.in_memory:  # and so of this process alone
        name = f"{__name__}.{table.name}"
        return _MemoryLock(database.beside.setdefault(name, threading.Lock()))
    async with database.session(read_only=True) as session:
        listed = await session.execute(text("PRAGMA database_list"))
        path = next(file for _, name, file in listed if name == "main")
    return _FileLock(f"{path}.{table.name}-relay")


class _FileLock:
    """A lock on a file that SQLite, and the operating system, take from the dead.

    Not on the database itself, whose readers and writers would wait for it. The file is
    empty, and stays: who removed it might remove another one's.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> bool:
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._connection = connection
        return True

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _MemoryLock:
    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def acquire(self) -> bool:
        return self._lock.acquire(blocking=False)

    def release(self) -> None:
        self._lock.release()
