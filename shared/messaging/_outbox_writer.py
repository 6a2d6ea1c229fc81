"""Events into the outbox: remembered when they are added, written at the commit.

Private: import these names from ``shared.messaging.outbox``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Table, event, func, insert, literal_column, select
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from shared.database import Database, utc_now
from shared.events import BaseEvent
from shared.messaging._message import MessageWriter, OutgoingMessage
from shared.messaging._outbox_statements import inserts
from shared.messaging._outbox_table import WRITTEN, values_of

_KEY: Final = "shared.messaging.outbox"

MOST_COUNTED: Final = 100_000
_ROWS_AT_ONCE: Final = 1000
_BYTES_AT_ONCE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """What waits in the outbox."""

    rows: int
    """How many events; 100,000 stands for that or more."""
    seconds: float
    """The age of the oldest; 0 without any."""


class OutboxStalledError(Exception):
    """The oldest event in the outbox has waited for too long."""

    def __init__(self, message: str, lag: OutboxLag | None = None) -> None:
        super().__init__(message)
        self.lag = lag


@dataclass(slots=True, eq=False)
class _Entry:
    outbox: Outbox
    message: OutgoingMessage
    transaction: SessionTransaction  # the outermost, or a savepoint


@dataclass(slots=True)
class _Pending:
    """What one session has to write at its commit."""

    entries: list[_Entry] = field(default_factory=list)
    """Those of a savepoint that is open come last."""
    known: set[tuple[Outbox, UUID]] = field(default_factory=set)
    """The ids of their events."""
    committing: bool = False
    """Everything was written: what comes now is written at once."""
    prepared: SessionTransaction | None = None
    written: set[Outbox] = field(default_factory=set)


class Outbox:
    """Takes the events of a transaction, for a relay to publish once it is committed.

    They are written with one statement at the commit, when all rows that the
    transaction changed are locked: so their order, for each aggregate whose row is
    changed along with them, is that of the commits.

    Args:
        table: Made by ``outbox_table``.
        writer: Writes them; the default is the kernel's own envelope.
        now: The time of day, aware. All processes should agree on it to a few seconds.
    """

    def __init__(
        self,
        table: Table,
        *,
        writer: MessageWriter | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.table = table
        self.writer = MessageWriter() if writer is None else writer
        self._now = now
        self._inserts = inserts(table)
        self._insert = insert(table)
        self._wakers: list[Callable[[], object]] = []
        first = select(table.c.created_at).order_by(table.c.position).limit(1)
        counted: Select[Any] = (
            select(literal_column("1")).select_from(table).limit(MOST_COUNTED)
        )
        self._lag = select(
            select(func.count()).select_from(counted.subquery()).scalar_subquery(),
            first.scalar_subquery(),
        )
        _hook_sessions()

    def add(self, session: AsyncSession | Session, *events: BaseEvent[Any]) -> None:
        """Publish *events* if, and after, the transaction of *session* is committed.

        No ``await``: nothing is sent to the database before the commit. An event whose
        savepoint is rolled back is forgotten. One that is added in two transactions is
        published twice, with one id, by which consumers know it.

        Raises:
            EventTooLargeError: Readers would refuse it.
            ValueError: It was added in this transaction already, or has a part that
                can't be written.
            TypeError: An argument is no event, or *session* no session.
            RuntimeError: There is no transaction, and the session begins none itself.
            InvalidRequestError: The session was closed for good; of SQLAlchemy.
        """
        sync = session.sync_session if isinstance(session, AsyncSession) else session
        if not isinstance(sync, Session):
            raise TypeError(
                "session must be an AsyncSession or a Session "
                f"(got {type(session).__name__})."
            )
        messages = [self._write(event) for event in events]
        transaction = _transaction_of(sync)
        pending = _pending_of(sync)
        self._refuse_twice(pending, messages)
        pending.entries += [_Entry(self, each, transaction) for each in messages]
        if pending.committing:
            _insert(sync, pending)

    async def lag(self, database: Database) -> OutboxLag:
        """How many events wait, and how long the oldest has.

        It looks at no more than 100,000 rows, which takes milliseconds.
        """
        async with database.session(read_only=True) as session:
            rows, oldest = (await session.execute(self._lag)).one()
        age = self._now() - oldest if oldest else timedelta()
        return OutboxLag(rows, max(0.0, age.total_seconds()))

    async def check(self, database: Database, *, max_seconds: float = 60.0) -> None:
        """Whether events leave the outbox in time; for health checks.

        Raises:
            OutboxStalledError: The oldest has waited for more than *max_seconds*.
        """
        lag = await self.lag(database)
        if lag.seconds > max_seconds:
            raise OutboxStalledError(
                f"{lag.rows} events wait in the outbox {self.table.name}, the oldest "
                f"for {lag.seconds:.0f} s; it should be {max_seconds:g} s at most.",
                lag,
            )

    def on_commit(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Call *wake* after each commit with events, in its thread; returns an end."""
        self._wakers.append(wake)
        return lambda: self._wakers.remove(wake)

    def _write(self, event: BaseEvent[Any]) -> OutgoingMessage:
        message = self.writer.write(event)
        if message.aggregate_id is not None and "\0" in message.aggregate_id:
            raise ValueError(
                f"{message.event_type} {message.event_id} is of an aggregate whose id "
                "has a NUL in it, which PostgreSQL can't keep."
            )
        return message

    def _refuse_twice(
        self, pending: _Pending, messages: Sequence[OutgoingMessage]
    ) -> None:
        added: set[tuple[Outbox, UUID]] = set()
        for message in messages:
            key = (self, message.event_id)
            if key in pending.known or key in added:
                raise ValueError(
                    f"{message.event_type} {message.event_id} was added to the outbox "
                    "in this transaction already."
                )
            added.add(key)
        pending.known |= added

    def _send(
        self, session: Session, connection: Connection, messages: list[OutgoingMessage]
    ) -> None:
        """Write *messages*; on PostgreSQL wake a relay that sleeps."""
        now = self._now()
        # What is prepared for a second phase can't notify.
        found = self._inserts.get(connection.dialect.driver)
        for chunk in _chunks(messages):
            values = [values_of(message, now) for message in chunk]
            if found is None:
                connection.execute(self._insert, [_named(row) for row in values])
            else:
                sql, parameters = found.of(values, notify=not session.twophase)
                connection.exec_driver_sql(sql, parameters).close()


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    named = dict(zip(WRITTEN, values, strict=True))
    return named | {"headers": json.loads(named["headers"])}


def _chunks(messages: list[OutgoingMessage]) -> Iterator[list[OutgoingMessage]]:
    """All at once, unless it is very much."""
    chunk: list[OutgoingMessage] = []
    size = 0
    for message in messages:
        chunk.append(message)
        size += len(message.body)
        if len(chunk) == _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _transaction_of(session: Session) -> SessionTransaction:
    transaction = session.get_nested_transaction() or session.get_transaction()
    if transaction is None:
        if not session.autobegin:
            raise RuntimeError(
                "An event can be added to the outbox in a transaction only: "
                "call session.begin() before."
            )
        # As session.add() does.
        transaction = session.begin()
    return transaction


def _pending_of(session: Session) -> _Pending:
    pending: _Pending | None = session.info.get(_KEY)
    if pending is None:
        pending = session.info[_KEY] = _Pending()
    return pending


def _insert(session: Session, pending: _Pending) -> None:
    """Write all that is remembered, in the order in which it was added."""
    entries, pending.entries = pending.entries, []
    pending.known.clear()
    outboxes = dict.fromkeys(entry.outbox for entry in entries)
    for outbox in outboxes:
        messages = [entry.message for entry in entries if entry.outbox is outbox]
        connection = session.connection(bind_arguments={"clause": outbox.table})
        outbox._send(session, connection, messages)
    pending.written.update(outboxes)


_hooked: Final = threading.Lock()


def _hook_sessions() -> None:
    with _hooked:
        if not event.contains(Session, "before_commit", _before_commit):
            event.listen(Session, "before_commit", _before_commit)
            event.listen(Session, "after_commit", _after_commit)
            event.listen(Session, "after_transaction_end", _after_end)


def _before_commit(session: Session) -> None:
    """Write the events at the commit of the outermost transaction.

    SQLAlchemy calls this for the release of a savepoint too, without saying so. While a
    savepoint is open it is the release, unless it is called again before that ended:
    then the first call was for the transaction around it, which is committed with it.
    """
    pending = _pending_of(session)
    savepoint = session.get_nested_transaction()
    if savepoint is not None and pending.prepared is not savepoint:
        pending.prepared = savepoint
        return
    # The commit would do it after this: then locks would come after positions, and
    # what listeners to the flush add would be too late.
    session.flush()
    if pending.entries:
        _insert(session, pending)
    pending.committing = savepoint is None


def _after_commit(session: Session) -> None:
    """Hand the events of a savepoint that is released to what is around it."""
    pending: _Pending | None = session.info.get(_KEY)
    savepoint = session.get_nested_transaction()
    if pending is None or savepoint is None:
        return
    around = savepoint.parent
    while around is not None and not around.nested and around.parent is not None:
        around = around.parent  # a flush
    for entry in reversed(pending.entries):
        if entry.transaction is not savepoint or around is None:
            break
        entry.transaction = around


def _after_end(session: Session, transaction: SessionTransaction) -> None:
    """Forget what a transaction or savepoint leaves behind: it was rolled back."""
    if transaction.parent is None:
        pending: _Pending | None = session.info.pop(_KEY, None)
        if pending is not None:
            for outbox in pending.written:
                for wake in list(outbox._wakers):
                    wake()
    elif transaction.nested and (pending := session.info.get(_KEY)) is not None:
        while pending.entries and pending.entries[-1].transaction is transaction:
            entry = pending.entries.pop()
            pending.known.discard((entry.outbox, entry.message.event_id))
