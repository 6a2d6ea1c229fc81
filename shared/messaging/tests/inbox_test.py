"""The inbox on SQLite, and what needs no database."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, assert_type

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.messaging import InMemoryBus
from shared.messaging.inbox import Inbox, idempotent, inbox_table
from shared.messaging.tests.inbox_contract import (
    NOTES,
    REGISTRY,
    InboxContract,
    InvoicePaid,
    paid,
)
from shared.testing import captured_logs
from shared.testing.databases import sqlite_database


class TestSqlite(InboxContract):
    """All of it on SQLite."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a file."""
        return sqlite_database()


@pytest.fixture
def inbox() -> Inbox:
    """An inbox without its table."""
    database = Database(DatabaseConfig(url="sqlite://"), service_name="accounts")
    return Inbox(NOTES, database)


async def on_paid(event: InvoicePaid, session: AsyncSession) -> int:
    """Handle it."""
    return len(event.payload.invoice_id)


class Books:
    """With a handler."""

    async def on_paid(self, event: InvoicePaid, session: AsyncSession) -> None:
        """Handle it."""


def test_types_are_kept(inbox: Inbox) -> None:
    """The event is that of the handler, and the session is not asked for."""
    function = idempotent(inbox)(on_paid)
    method = idempotent(inbox, consumer="books")(Books.on_paid)

    assert_type(function, Callable[[InvoicePaid], Coroutine[Any, Any, int | None]])
    assert_type(method, Callable[[Books, InvoicePaid], Coroutine[Any, Any, None]])
    InMemoryBus("accounts", registry=REGISTRY).subscribe(InvoicePaid, function)


def test_the_function_is_still_the_handler(inbox: Inbox) -> None:
    """Its name is that of the queue, and its text that of the documentation."""
    function: Any = idempotent(inbox)(on_paid)

    assert (function.__name__, function.__doc__) == ("on_paid", "Handle it.")
    assert function.__wrapped__ is on_paid
    assert list(inspect.signature(function).parameters) == ["event"]
    assert inspect.iscoroutinefunction(function)


def test_the_bus_names_the_queue_after_it(inbox: Inbox) -> None:
    """As it does with a function that is not decorated."""
    bus = InMemoryBus("accounts", registry=REGISTRY)

    subscription = bus.subscribe(InvoicePaid, idempotent(inbox)(on_paid))

    assert subscription.consumer == "accounts.on_paid"


async def _no_session(event: InvoicePaid) -> None: ...
async def _too_many(event: InvoicePaid, session: AsyncSession, more: int) -> None: ...
async def _keyword(event: InvoicePaid, *, session: AsyncSession) -> None: ...
async def _method(self: object, event: InvoicePaid) -> None: ...


@pytest.mark.parametrize(
    ("handler", "takes"),
    [
        (_no_session, r"takes \(event\)"),
        (_too_many, r"takes \(event, session, more\)"),
        (_keyword, r"takes \(event, session\)"),
        (_method, r"takes \(self, event\)"),
    ],
)
def test_a_handler_of_something_else_is_refused(
    inbox: Inbox, handler: Any, takes: str
) -> None:
    """When it is decorated, and not when the first event comes."""
    with pytest.raises(TypeError, match=takes):
        idempotent(inbox)(handler)


def test_a_handler_that_is_not_async_is_refused(inbox: Inbox) -> None:
    """It would have ended before its transaction is."""

    def handler(event: InvoicePaid, session: AsyncSession) -> None: ...

    with pytest.raises(TypeError, match="is not async"):
        idempotent(inbox)(handler)  # type: ignore[arg-type]


def test_what_has_no_name_is_refused(inbox: Inbox) -> None:
    """The note says who handled it."""
    with pytest.raises(TypeError, match="idempotent is for functions"):
        idempotent(inbox)(object())  # type: ignore[call-overload]


def test_the_parentheses_can_not_be_left_out() -> None:
    """Whoever writes @idempotent alone is told which function, and what is missing."""

    async def book(event: InvoicePaid, session: AsyncSession) -> None:
        """Book it."""

    with pytest.raises(TypeError, match=r"@idempotent\(inbox\) \(got .*book\)"):
        idempotent(book)  # type: ignore[arg-type]


def test_an_empty_name_is_refused(inbox: Inbox) -> None:
    """An empty setting is a mistake, and must not be everybody's name."""
    with pytest.raises(ValueError, match="consumer must not be empty"):
        idempotent(inbox, consumer="")


def test_a_retention_of_nothing_is_refused() -> None:
    """Every duplicate would run."""
    database = Database(DatabaseConfig(url="sqlite://"), service_name="accounts")
    with pytest.raises(ValueError, match=r"retention must be positive \(got 0:00:00\)"):
        Inbox(NOTES, database, retention=timedelta())


async def test_a_batch_of_nothing_is_refused(inbox: Inbox) -> None:
    """It would go on for ever."""
    with pytest.raises(ValueError, match=r"batch must be positive \(got 0\)"):
        await inbox.clean(batch=0)
    with pytest.raises(ValueError, match="every and batch must be positive"):
        await inbox.keep_clean(batch=0)
    with pytest.raises(ValueError, match="every and batch must be positive"):
        async with inbox.cleaning(every=timedelta()):
            pass


async def test_cleaning_outlives_the_database(inbox: Inbox) -> None:
    """What goes wrong is told, and tried again next time."""
    again = asyncio.Event()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            again.set()
            await asyncio.Event().wait()

    with captured_logs("shared.messaging") as logs:
        async with inbox.cleaning(sleep=sleep), asyncio.timeout(30):
            await again.wait()
    await inbox.database.dispose()

    assert [line["message"] for line in logs] == 2 * ["The inbox could not be cleaned."]


async def test_a_missing_table_is_an_error(inbox: Inbox) -> None:
    """And no event that counts as handled."""
    with pytest.raises(Exception, match="no such table: inbox"):
        await idempotent(inbox)(on_paid)(paid())
    await inbox.database.dispose()

    assert (inbox.handled, inbox.skipped) == (0, 0)


def test_the_table_is_in_the_metadata_of_the_service() -> None:
    """So ``create_all`` and Alembic see it, with the names of its constraints."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)

    table = inbox_table(metadata)

    assert metadata.tables["inbox"] is table
    assert table.primary_key.columns.keys() == ["event_id", "consumer"]
    assert table.primary_key.name == "pk_inbox"
    assert {index.name for index in table.indexes} == {"ix_inbox_handled_at"}
    assert inbox_table(MetaData(), name="paid").name == "paid"
