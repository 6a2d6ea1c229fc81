"""SQLite as a database of a service: transactions that begin when they are told to.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.event import listen

READ_ONLY: Final = "shared_read_only"

_Pragmas = tuple[str, ...]


class RollingBackConnection(sqlite3.Connection):
    """A connection whose transaction ends when it is closed.

    SQLite's own lives on, with its lock, for as long as somebody has a cursor with
    unread rows: whoever was cancelled while it read, in a traceback that is kept.
    """

    def close(self) -> None:
        """Roll back, and close."""
        with suppress(sqlite3.ProgrammingError):  # it is closed
            if self.in_transaction:
                self.rollback()
        super().close()


def tune_sqlite(engine: Engine, *, busy_timeout: float, memory: bool) -> None:
    """Set up each connection of *engine*, and how its transactions begin.

    Python's sqlite3 begins a transaction on its own before some statements and not
    before others, so that SAVEPOINT and DDL fall outside. Here it never does; BEGIN is
    sent when SQLAlchemy begins. It is BEGIN IMMEDIATE: a transaction that may write
    waits for the writer before it, where one that begins with a SELECT would fail at
    its first write with "database is locked", without waiting. A read-only one takes
    no lock that anybody has to wait for.
    """
    pragmas: _Pragmas = (
        f"busy_timeout = {int(busy_timeout * 1000)}",
        "foreign_keys = ON",
        *(() if memory else ("journal_mode = WAL",)),
    )

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # sqlite3 begins nothing by itself
        try:
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            # The pool forgets it, and aiosqlite's thread would wait for ever.
            connection.close()
            raise

    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get(READ_ONLY):
            connection.info[READ_ONLY] = True
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql("BEGIN DEFERRED")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def on_reset(connection: Any, connection_record: Any, reset_state: Any) -> None:
        if not reset_state.asyncio_safe:
            return  # nobody can be waited for; the pool closes it, which rolls back
        # A COMMIT that fails leaves its transaction, and the lock, where they were,
        # while SQLAlchemy takes it for ended.
        if getattr(connection, "driver_connection", connection).in_transaction:
            connection.rollback()
        if connection_record.info.pop(READ_ONLY, False):
            cursor = connection.cursor()
            cursor.execute("PRAGMA query_only = OFF")
            cursor.close()

    listen(engine, "connect", on_connect)
    listen(engine, "begin", on_begin)
    listen(engine, "reset", on_reset)
