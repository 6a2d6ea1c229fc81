"""One table from the errors of four drivers to ours.

PostgreSQL is read by SQLSTATE, SQLite by the name of its extended result code. What the
caller sees names constraints and columns, never a value; the driver's own error is the
cause, for the log, without the lines in which PostgreSQL quotes the row.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import exc
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.event import listen

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
from shared.errors import BaseAPIException, ValidationError, json_pointer

_KEY: Final = re.compile(r"Key \((.*?)\)=\(", re.DOTALL)
_SQLITE_SUBJECT: Final = re.compile(r"constraint failed: (.+)")
_WORD: Final = re.compile(r"\w+")
_DETAIL: Final = re.compile(r"\nDETAIL:")
# Where a driver's sentence about a value ends and the value may begin.
_QUOTED: Final = re.compile(r"[:\"'\n]")

# How long a caller does well to wait, in seconds.
_SOON: Final = 1
_LATER: Final = 5


class _Facts:
    """What the driver says about an error, wherever it keeps it."""

    def __init__(self, error: BaseException) -> None:
        self.chain = list(_chain(error))
        self.message = str(self.chain[-1])

    def first(self, *names: str) -> str | None:
        for error in self.chain:
            for name in names:
                if isinstance(value := getattr(error, name, None), str) and value:
                    return value
        return None

    @property
    def sqlstate(self) -> str | None:
        return self.first("sqlstate", "pgcode")

    @property
    def sqlite(self) -> str | None:
        return self.first("sqlite_errorname")

    def diagnosis(self, asyncpg: str, psycopg: str) -> str | None:
        if found := self.first(asyncpg):
            return found
        for error in self.chain:
            value = getattr(getattr(error, "diag", None), psycopg, None)
            if isinstance(value, str) and value:
                return value
        return None

    @property
    def constraint(self) -> str | None:
        if self.sqlite == "SQLITE_CONSTRAINT_CHECK":
            return self._sqlite_subject()
        return self.diagnosis("constraint_name", "constraint_name")

    @property
    def fields(self) -> list[str]:
        if self.sqlite:
            subject = self._sqlite_subject() or ""
            # "table.column, table.column", or "index 'name'" of an expression
            parts = [part.strip().rpartition(".")[2] for part in subject.split(",")]
            return [part for part in parts if _WORD.fullmatch(part)]
        if column := self.diagnosis("column_name", "column_name"):
            return [column]
        detail = self.diagnosis("detail", "message_detail") or ""
        found = _KEY.search(detail)
        columns = (
            [part.strip().strip('"') for part in found[1].split(",")] if found else []
        )
        return [column for column in columns if _WORD.fullmatch(column)]

    def _sqlite_subject(self) -> str | None:
        found = _SQLITE_SUBJECT.search(self.message)
        return found[1].strip() if found else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # Not __context__: that may be an error that somebody is handling just now.
        error = getattr(error, "orig", None) or error.__cause__


def _named(facts: _Facts) -> dict[str, Any]:
    named: dict[str, Any] = {}
    if fields := facts.fields:
        named["fields"] = fields
    if constraint := facts.constraint:
        named["constraint"] = constraint
    return named


def _duplicate(facts: _Facts) -> BaseAPIException:
    named = _named(facts)
    fields = named.get("fields")
    detail = (
        f"A record with the same {' and '.join(fields)} already exists."
        if fields
        else None
    )
    return DuplicateException(detail, **named)


def _reference(facts: _Facts) -> BaseAPIException:
    return ReferenceConflictException(None, **_named(facts))


def _not_null(facts: _Facts) -> BaseAPIException:
    fields = facts.fields
    return ValidationError(
        f"{fields[0]} must have a value." if fields else "A value is missing.",
        [
            {
                "pointer": json_pointer(name),
                "code": "required",
                "detail": "A value is required.",
            }
            for name in fields
        ],
    )


def _check(facts: _Facts) -> BaseAPIException:
    name = facts.constraint
    return ValidationError(
        f"The record breaks the rule {name}." if name else "The record breaks a rule."
    )


def _data(_: _Facts) -> BaseAPIException:
    return ValidationError("A value does not fit its column.")


def _unavailable(_: _Facts) -> BaseAPIException:
    return DatabaseUnavailableException(retry_after=_LATER)


def _busy(_: _Facts) -> BaseAPIException:
    return PoolExhaustedException(retry_after=_SOON)


def _slow(_: _Facts) -> BaseAPIException:
    return StatementTimeoutException(retry_after=_LATER)


def _collision(_: _Facts) -> BaseAPIException:
    return TransactionConflictException(retry_after=_SOON)


def _locked(_: _Facts) -> BaseAPIException:
    return RecordLockedException()


def _full(_: _Facts) -> BaseAPIException:
    return StorageFullException(retry_after=60)


_Make = Callable[[_Facts], BaseAPIException]

# The longest matching beginning counts.
_BY_SQLSTATE: Final[dict[str, _Make]] = {
    "08": _unavailable,  # connection exceptions
    "22": _data,  # too long, out of range, not text of the encoding
    "23": _check,  # any other constraint
    "23001": _reference,  # restrict
    "23502": _not_null,
    "23503": _reference,
    "23505": _duplicate,
    "23514": _check,
    "23P01": _duplicate,  # exclusion
    "28": _unavailable,  # wrong user or password
    "3D000": _unavailable,  # no such database
    "40001": _collision,  # serialisation failure
    "40P01": _collision,  # deadlock
    "53": _unavailable,  # out of memory
    "53100": _full,
    "53300": _busy,  # too many connections
    "55P03": _locked,  # NOWAIT, lock_timeout
    "57014": _slow,  # statement_timeout
    "57P": _unavailable,  # shut down, crashed, starting
    "58": _unavailable,  # the server's own disk
}

_BY_SQLITE: Final[dict[str, _Make]] = {
    "SQLITE_BUSY": _busy,
    "SQLITE_CANTOPEN": _unavailable,
    "SQLITE_CONSTRAINT": _check,
    "SQLITE_CONSTRAINT_FOREIGNKEY": _reference,
    "SQLITE_CONSTRAINT_NOTNULL": _not_null,
    "SQLITE_CONSTRAINT_PRIMARYKEY": _duplicate,
    "SQLITE_CONSTRAINT_ROWID": _duplicate,
    "SQLITE_CONSTRAINT_UNIQUE": _duplicate,
    "SQLITE_CORRUPT": _unavailable,
    "SQLITE_FULL": _full,
    "SQLITE_INTERRUPT": _slow,
    "SQLITE_IOERR": _unavailable,
    "SQLITE_LOCKED": _busy,
    "SQLITE_MISMATCH": _data,
    "SQLITE_NOTADB": _unavailable,
    "SQLITE_TOOBIG": _data,
}


def _longest(table: dict[str, _Make], key: str) -> _Make | None:
    matches = [start for start in table if key.startswith(start)]
    return table[max(matches, key=len)] if matches else None


def translate(
    error: BaseException, *, lost: bool = False, connecting: bool = False
) -> Exception | None:
    """Our error for one of a driver, or None for a mistake of the service.

    Args:
        error: The driver's, SQLAlchemy's, or the operating system's.
        lost: SQLAlchemy says that the connection is gone.
        connecting: It was raised while a connection was made.
    """
    if isinstance(error, BaseAPIException):
        return None
    facts = _Facts(error)
    make: _Make | None = None
    if code := facts.sqlstate:
        make = _longest(_BY_SQLSTATE, code)
    elif name := facts.sqlite:
        make = _longest(_BY_SQLITE, name)
    elif refused := _first(facts, RefusedValueError):
        # Out of SQLAlchemy's wrapping, which would quote the statement.
        return RefusedValueError(*refused.args)
    elif isinstance(error, exc.TimeoutError):
        make = _busy
    elif _first(facts, ConnectionError, TimeoutError) or (
        connecting and _first(facts, OSError)
    ):
        make = _unavailable
    elif _unfit(facts):
        make = _data
    if make is None and (
        lost or (connecting and not isinstance(error, exc.ArgumentError))
    ):
        make = _unavailable
    ours = make(facts) if make else None
    _hide_rows(facts)
    return ours


def _first(facts: _Facts, *types: type[BaseException]) -> BaseException | None:
    return next((error for error in facts.chain if isinstance(error, types)), None)


def _unfit(facts: _Facts) -> bool:
    """Whether a driver itself could not write a value: too large, or not text."""
    inner = facts.chain[-1]
    return isinstance(inner, OverflowError | UnicodeEncodeError) or any(
        type(error).__name__ == "DataError" for error in facts.chain
    )


def _hide_rows(facts: _Facts) -> None:
    """Drop what PostgreSQL quotes of the row: logs keep the cause with its text."""
    # What does not fit is quoted in the sentence itself.
    unfit = (facts.sqlstate or "").startswith("22") or _unfit(facts)
    end = _QUOTED if unfit else _DETAIL
    for error in facts.chain:
        if hasattr(error, "sqlstate") and hasattr(error, "detail"):
            error.detail = None  # asyncpg's, which its text is made of
        error.args = tuple(
            end.split(arg, maxsplit=1)[0] if isinstance(arg, str) else arg
            for arg in error.args
        )


def translate_errors(engine: Engine) -> None:
    """Have everything that runs on *engine* raise our errors."""

    def handle(context: ExceptionContext) -> None:
        if context.is_pre_ping:
            return  # the pool wants to see it, and connects again
        if not isinstance(context.original_exception, Exception):
            return  # cancelled, or the program ends: that is no error of the database
        ours = translate(
            context.sqlalchemy_exception or context.original_exception,
            lost=context.is_disconnect,
        )
        if ours is not None:
            if isinstance(ours, DatabaseUnavailableException):
                # Drivers know more ways to lose a connection than SQLAlchemy asks for.
                context.is_disconnect = True
            raise ours

    listen(engine, "handle_error", handle)
