from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import exc

from shared.database._errors import (
    DatabaseUnavailableException,
    DuplicateException,
    PoolExhaustedException,
    RecordLockedException,
    ReferenceConflictException,
    RefusedValueError,
    StatementTimeoutException,
    StorageFullException,
    TransactionConflictException,
)
from shared.database._translate import translate
from shared.errors import NotFoundException, ValidationError


class ServerError(Exception):
    """As asyncpg's: the facts are attributes."""

    def __init__(self, sqlstate: str, **facts: str) -> None:
        super().__init__("it failed\nDETAIL:  Key (email)=(a@example.org) exists.")
        self.sqlstate = sqlstate
        self.detail: str | None = None
        vars(self).update(facts)


class FileError(sqlite3.Error):
    """As sqlite3's, with the name of the result code."""

    def __init__(self, name: str | None, message: str = "it failed") -> None:
        super().__init__(message)
        self.name = name

    @property
    def sqlite_errorname(self) -> str | None:  # type: ignore[override]
        return self.name


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("08006", DatabaseUnavailableException),
        ("22001", ValidationError),
        ("22P05", ValidationError),
        ("23000", ValidationError),
        ("23001", ReferenceConflictException),
        ("23502", ValidationError),
        ("23503", ReferenceConflictException),
        ("23505", DuplicateException),
        ("23514", ValidationError),
        ("23P01", DuplicateException),
        ("28P01", DatabaseUnavailableException),
        ("3D000", DatabaseUnavailableException),
        ("40001", TransactionConflictException),
        ("40P01", TransactionConflictException),
        ("53100", StorageFullException),
        ("53200", DatabaseUnavailableException),
        ("53300", PoolExhaustedException),
        ("55P03", RecordLockedException),
        ("57014", StatementTimeoutException),
        ("57P01", DatabaseUnavailableException),
        ("57P03", DatabaseUnavailableException),
        ("58030", DatabaseUnavailableException),
    ],
)
def test_codes_of_postgresql(code: str, ours: type[Exception]) -> None:
    """The table, by class and by code."""
    assert type(translate(ServerError(code))) is ours


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("SQLITE_BUSY", PoolExhaustedException),
        ("SQLITE_BUSY_SNAPSHOT", PoolExhaustedException),
        ("SQLITE_CANTOPEN", DatabaseUnavailableException),
        ("SQLITE_CONSTRAINT_CHECK", ValidationError),
        ("SQLITE_CONSTRAINT_FOREIGNKEY", ReferenceConflictException),
        ("SQLITE_CONSTRAINT_NOTNULL", ValidationError),
        ("SQLITE_CONSTRAINT_PRIMARYKEY", DuplicateException),
        ("SQLITE_CONSTRAINT_ROWID", DuplicateException),
        ("SQLITE_CONSTRAINT_TRIGGER", ValidationError),
        ("SQLITE_CONSTRAINT_UNIQUE", DuplicateException),
        ("SQLITE_CORRUPT", DatabaseUnavailableException),
        ("SQLITE_FULL", StorageFullException),
        ("SQLITE_INTERRUPT", StatementTimeoutException),
        ("SQLITE_IOERR_WRITE", DatabaseUnavailableException),
        ("SQLITE_LOCKED_SHAREDCACHE", PoolExhaustedException),
        ("SQLITE_MISMATCH", ValidationError),
        ("SQLITE_NOTADB", DatabaseUnavailableException),
        ("SQLITE_TOOBIG", ValidationError),
    ],
)
def test_codes_of_sqlite(name: str, ours: type[Exception]) -> None:
    """The table, by code and by extended code."""
    assert type(translate(FileError(name))) is ours


@pytest.mark.parametrize(
    "error",
    [
        ServerError("42P01"),  # no such table
        FileError("SQLITE_ERROR"),
        FileError(None),
        ValueError("a bug"),
        NotFoundException(),
    ],
)
def test_mistakes_of_the_service_stay_what_they_are(error: Exception) -> None:
    """Wrong SQL is a 500 with the driver's own words in the log."""
    assert translate(error) is None


def test_columns_are_named() -> None:
    """As the server says, quoted or not, but no expression and no value."""
    error = ServerError("23505", constraint_name="uq_x")
    error.detail = 'Key (email, "Team")=(a, b) already exists.'
    ours = translate(error)
    assert isinstance(ours, DuplicateException)
    assert ours.extra_info == {"fields": ["email", "Team"], "constraint": "uq_x"}

    error = ServerError("23505")
    error.detail = "Key (lower(email::text))=(a) already exists."
    ours = translate(error)
    assert isinstance(ours, DuplicateException)
    assert ours.extra_info == {}

    message = "UNIQUE constraint failed: index 'uq x'"
    ours = translate(FileError("SQLITE_CONSTRAINT_UNIQUE", message))
    assert isinstance(ours, DuplicateException)
    assert ours.extra_info == {}


@pytest.mark.parametrize("error", [ServerError("23502"), ServerError("23514")])
def test_columns_may_be_unknown(error: ServerError) -> None:
    """Then it is said without them."""
    ours = translate(error)

    assert isinstance(ours, ValidationError)
    assert ours.to_problem()["errors"] == []


def test_rows_are_dropped_from_the_cause() -> None:
    """A log keeps the driver's error, and PostgreSQL quotes the row in it."""
    error = ServerError("23505")
    error.detail = "Key (email)=(a@example.org) already exists."
    translate(error)

    assert "example" not in f"{error} {error.args} {vars(error)}"


@pytest.mark.parametrize("connecting", [False, True])
def test_errors_of_the_network(connecting: bool) -> None:
    """Drivers let those of the system through."""
    for error in (ConnectionResetError(), TimeoutError()):
        ours = translate(error, connecting=connecting)
        assert type(ours) is DatabaseUnavailableException


def test_errors_of_the_system_while_connecting() -> None:
    """A name that is not found is one; elsewhere it has nothing to do with us."""
    assert translate(OSError()) is None
    assert type(translate(OSError(), connecting=True)) is DatabaseUnavailableException
    assert type(translate(Exception(), connecting=True)) is DatabaseUnavailableException
    assert type(translate(Exception(), lost=True)) is DatabaseUnavailableException
    assert type(translate(exc.TimeoutError())) is PoolExhaustedException


def test_only_causes_are_looked_at() -> None:
    """An error raised while another one is handled is judged by itself."""
    try:
        try:
            raise ServerError("23505")
        except ServerError:
            raise ValueError("a bug") from None
    except ValueError as error:
        unrelated = error
    wrapped = RuntimeError()
    wrapped.__cause__ = ServerError("23505")

    assert translate(unrelated) is None
    assert type(translate(wrapped)) is DuplicateException


def test_refused_values_lose_their_wrapping() -> None:
    """SQLAlchemy would add the statement."""
    wrapped = exc.StatementError("x", "SELECT", None, RefusedValueError("no zone"))
    ours = translate(wrapped)

    assert isinstance(ours, RefusedValueError)
    assert str(ours) == "no zone"


def test_a_circle_of_causes_has_an_end() -> None:
    """Somebody may have tied one."""
    error = ValueError("a")
    error.__cause__ = other = ValueError("b")
    other.__cause__ = error

    assert translate(error) is None
