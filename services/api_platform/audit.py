"""The audit log of what changes the database: it tells what was committed."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from shared.logging import SecurityEvent, log_security_event

_KEY: Final = "api_platform.audit"


def log_when_committed(
    db: AsyncSession, event: SecurityEvent | str, **facts: Any
) -> None:
    """Write a success once the transaction of *db* is committed; else it was none.

    Args:
        db: Whose transaction does what is told of.
        event: What it is.
        facts: See `log_security_event`.
    """
    session = db.sync_session
    if _KEY not in session.info:
        session.info[_KEY] = []
        listen(session, "after_commit", _write)
        listen(session, "after_transaction_end", _forget)
    session.info[_KEY].append(
        partial(log_security_event, event, outcome="success", **facts)
    )


def _write(session: Session) -> None:
    # Called for the release of a savepoint too.
    if session.get_nested_transaction() is None:
        for write in session.info[_KEY]:
            write()


def _forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info[_KEY].clear()
