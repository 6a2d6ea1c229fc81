"""Transactions that PostgreSQL would roll back when it is told to commit.

After an error in one statement it does so, and reports success
(https://www.postgresql.org/docs/current/sql-commit.html). Whoever caught the error and
went on would believe that the rest was kept.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakSet

from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.event import listen

from shared.database._errors import TransactionAbortedError

_IN_FAILED_TRANSACTION: Final = "25P02"


def refuse_aborted(engine: Engine) -> None:
    """Have commits on *engine*, of PostgreSQL, fail where nothing would be committed.

    Before whatever else listens to errors there. It asks the server only after an
    error, which a savepoint may have undone, or which was the driver's own.
    """
    failed: WeakSet[Connection] = WeakSet()

    def note(context: ExceptionContext) -> None:
        if context.connection is not None:
            failed.add(context.connection)

    def check(connection: Connection) -> None:
        if connection not in failed:
            return
        failed.discard(connection)
        try:
            connection.exec_driver_sql("SELECT 1")
        except exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _IN_FAILED_TRANSACTION:
                raise
            # SQLAlchemy takes a commit for done, however it ends.
            connection.connection.rollback()
            raise TransactionAbortedError(
                "An error of the database was caught in this transaction, of which "
                "nothing can be committed any more. Use session.begin_nested() for a "
                "part that may fail."
            ) from error

    listen(engine, "handle_error", note)
    listen(engine, "rollback", failed.discard)
    listen(engine, "commit", check)
