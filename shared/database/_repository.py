"""Repositories: what a service does with the rows of one model.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Select, exists, func, insert, inspect, select
from sqlalchemy.orm import Session

from shared.database._errors import RecordLockedException, StaleRecordException
from shared.database._filters import conditions
from shared.database._mixins import SoftDeleteMixin
from shared.database._models import LIMIT, facts_of
from shared.database._paging import RowPage
from shared.database._types import utc_now
from shared.database._upsert import upsert_statement
from shared.errors import BadRequestException, NotFoundError

M = TypeVar("M")

MAX_LIMIT: Final = 1000
Filters = Mapping[str, object]
Where = ColumnElement[bool]
Rows = list  # the repositories have a method of the name


class SyncRepository(Generic[M]):
    """The rows of one model, in a `Session`.

    Everything is flushed at once, so that what the database refuses is raised here;
    nothing is committed.

    Args:
        session: Whose transaction everything is part of.
        model: The class of the rows.
        clock: What time it is, for soft deletion.
    """

    def __init__(
        self,
        session: Session,
        model: type[M],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.session = session
        self.model = model
        self._clock = clock
        self._facts = facts_of(cast(Hashable, model))

    def get(self, ident: object, *, include_deleted: bool = False) -> M:
        """The row with this primary key.

        Raises:
            NotFoundError: There is none, or it is hidden.
        """
        row = self.get_or_none(ident, include_deleted=include_deleted)
        if row is None:
            raise self._missing(ident)
        return row

    def get_or_none(self, ident: object, *, include_deleted: bool = False) -> M | None:
        """The row with this primary key, or None."""
        facts = self._facts
        key = facts.key_of(ident)
        if key is None:
            return None
        # As Session.get, but with a statement that is made once.
        row: M | None = self.session.identity_map.get(
            facts.mapper.identity_key_from_primary_key(key)
        )
        if row is None or inspect(row).expired or row in self.session.deleted:
            row = self._one(facts.by_key, key)
        return row if include_deleted or not _hidden(row) else None

    def get_for_update(
        self, ident: object, *, skip_locked: bool = False, include_deleted: bool = False
    ) -> M:
        """The row as it is now, locked until the transaction ends.

        On SQLite the transaction itself is the lock: there is one writer.

        Args:
            ident: The primary key.
            skip_locked: Don't wait for somebody else's lock.
            include_deleted: Take a hidden row too.

        Raises:
            NotFoundError: There is none, or it is hidden.
            RecordLockedException: With *skip_locked*, somebody else has the lock. The
                transaction can go on.
        """
        key = self._facts.key_of(ident)
        row: M | None = None
        if key is not None:
            locking = self._facts.by_key.with_for_update(
                skip_locked=skip_locked, of=self.model
            )
            row = self._one(locking.execution_options(populate_existing=True), key)
            if row is None and skip_locked and self._one(self._facts.by_key, key):
                raise RecordLockedException
        if row is None or (_hidden(row) and not include_deleted):
            raise self._missing(ident)
        return row

    def list(
        self,
        *where: Where,
        filters: Filters | None = None,
        order_by: Sequence[str] = (),
        limit: int = 50,
        cursor: str | None = None,
        include_deleted: bool = False,
    ) -> RowPage[M]:
        """A page of the rows that fulfil all conditions.

        Args:
            where: Conditions of SQLAlchemy: ``Subject.level > Subject.minimum``.
            filters: A value for a field, or `OneOf`, `Range`, `Contains`, `IsNot`.
            order_by: Fields, with a minus in front for descending: ``["-created_at"]``.
                The primary key decides among equals.
            limit: The most rows of the page, from 1 to 1000.
            cursor: ``next_cursor`` of the page before.
            include_deleted: Show hidden rows too.

        Raises:
            BadRequestException: An unknown field, a value of another type, a limit out
                of range, or (`InvalidCursorException`) a cursor of no such list.
        """
        _check_limit(limit)
        names = tuple(order_by)
        order = self._facts.order(names)
        statement = self._where(
            self._facts.sorted(names, include_deleted), where, filters
        )
        if cursor is not None:
            statement = statement.where(order.behind(cursor))
        rows = self._all(statement, limit + 1)
        more = len(rows) > limit
        if more:
            rows.pop()
        return RowPage(rows, order.cursor(rows[-1]) if more else None)

    def list_for_update(
        self,
        *where: Where,
        filters: Filters | None = None,
        order_by: Sequence[str] = (),
        limit: int = 50,
        skip_locked: bool = True,
    ) -> Rows[M]:
        """Lock the first rows that fulfil all conditions, except those others hold.

        So several workers take jobs from one table. On SQLite they wait for each other.
        """
        _check_limit(limit)
        statement = self._where(
            self._facts.sorted(tuple(order_by), False), where, filters
        )
        return self._all(
            statement.with_for_update(skip_locked=skip_locked, of=self.model),
            limit,
            populate_existing=True,
        )

    def find(
        self,
        *where: Where,
        filters: Filters | None = None,
        include_deleted: bool = False,
    ) -> M | None:
        """The one row that fulfils all conditions, or None.

        Raises:
            sqlalchemy.exc.MultipleResultsFound: There are several.
        """
        statement = self._select(where, filters, include_deleted).limit(2)
        return self.session.scalars(statement).one_or_none()

    def count(
        self,
        *where: Where,
        filters: Filters | None = None,
        include_deleted: bool = False,
    ) -> int:
        """How many rows fulfil all conditions."""
        statement = self._select(where, filters, include_deleted).with_only_columns(
            func.count(), maintain_column_froms=True
        )
        return self.session.scalar(statement) or 0

    def exists(
        self,
        *where: Where,
        filters: Filters | None = None,
        include_deleted: bool = False,
    ) -> bool:
        """Whether a row fulfils all conditions."""
        statement = self._select(where, filters, include_deleted)
        return bool(self.session.scalar(select(exists(statement.limit(1)))))

    def add(self, row: M) -> M:
        """Insert a row.

        Raises:
            ConflictException: One with the same unique values exists, or it refers to
                one that does not.
            ValidationError: A value is missing, or breaks a rule of the table.
        """
        self.session.add(row)
        self.session.flush()
        return row

    def add_many(self, rows: Iterable[M]) -> Rows[M]:
        """Insert rows, many to a statement; all of them or none."""
        added = [*rows]
        self.session.add_all(added)
        self.session.flush()
        return added

    def insert_many(self, values: Iterable[Mapping[str, object]]) -> None:
        """Insert rows by their fields, without making objects of them.

        For loads: it costs half of `add_many`. All of them or none.

        Raises:
            BadRequestException: An unknown field.
            ConflictException: As for `add`.
            ValidationError: As for `add`.
        """
        rows = [dict(row) for row in values]
        for name in {name for row in rows for name in row}:
            self._known(name)
        if rows:
            self.session.flush()
            self.session.execute(insert(self.model), rows)

    def update(
        self,
        target: M | object,
        values: Mapping[str, object],
        *,
        expected_version: int | None = None,
    ) -> M:
        """Change fields of a row.

        Args:
            target: The row, or its primary key.
            values: The fields to change, by name. Key and version can't be.
            expected_version: The version that the change was made for.

        Raises:
            NotFoundError: There is no such row.
            StaleRecordException: It has another version, or gets one meanwhile.
            BadRequestException: An unknown field, or one that can't be changed.
        """
        facts = self._facts
        for name in values:
            if name not in facts.fields or name in facts.fixed:
                raise BadRequestException(
                    f"{self.model.__name__} has no field {name!r} to change."
                )
        row = self._row(target)
        self._expect(row, expected_version)
        for name, value in values.items():
            setattr(row, name, value)
        self.session.flush()
        return row

    def delete(
        self,
        target: M | object,
        *,
        expected_version: int | None = None,
        permanently: bool = False,
    ) -> None:
        """Remove a row; with `SoftDeleteMixin` hide it, unless *permanently*.

        Raises:
            NotFoundError: There is no such row.
            StaleRecordException: It has another version, or gets one meanwhile.
            ReferenceConflictException: Other rows refer to it.
        """
        row = self._row(target, include_deleted=permanently)
        self._expect(row, expected_version)
        if isinstance(row, SoftDeleteMixin) and not permanently:
            row.deleted_at = self._clock()
        else:
            self.session.delete(row)
        self.session.flush()

    def restore(self, target: M | object) -> M:
        """Show a hidden row again.

        Raises:
            NotFoundError: There is no such row.
            TypeError: Rows of this model are not hidden.
        """
        row = self._row(target, include_deleted=True)
        if not isinstance(row, SoftDeleteMixin):
            raise TypeError(f"{self.model.__name__} has no SoftDeleteMixin.")
        row.deleted_at = None
        self.session.flush()
        return row

    def upsert(self, values: Mapping[str, object], *, by: Sequence[str]) -> M:
        """Insert a row, or change the one that has the same values of *by*.

        One statement, so two callers can't both insert. A row that exists keeps its
        primary key, gets a new version, and is shown again if it was hidden.

        Args:
            values: The fields of the row, by name.
            by: The fields of a unique constraint, all of them in *values*.

        Raises:
            BadRequestException: An unknown field.
            ConflictException: Another unique constraint refuses the row.
        """
        facts = self._facts
        for name in (*values, *by):
            self._known(name)
        if not by or not set(by) <= set(values):
            raise ValueError(
                "upsert needs the unique fields in `by`, with their values."
            )
        self.session.flush()
        dialect = self.session.get_bind().dialect.name
        row: M = self.session.scalars(
            upsert_statement(facts, dialect, values, by),
            execution_options={"populate_existing": True},
        ).one()
        return row

    def _one(self, statement: Select[Any], key: Sequence[object]) -> M | None:
        parameters = {f"key_{place}": value for place, value in enumerate(key)}
        row: M | None = self.session.execute(statement, parameters).scalar_one_or_none()
        return row

    def _all(self, statement: Select[Any], limit: int, **options: object) -> Rows[M]:
        return [
            *self.session.scalars(statement, {LIMIT: limit}, execution_options=options)
        ]

    def _select(
        self, where: Sequence[Where], filters: Filters | None, include_deleted: bool
    ) -> Select[Any]:
        statement = self._facts.select(include_deleted=include_deleted)
        return self._where(statement, where, filters)

    def _where(
        self, statement: Select[Any], where: Sequence[Where], filters: Filters | None
    ) -> Select[Any]:
        if not where and not filters:
            return statement
        return statement.where(
            *where, *conditions(self.model, self._facts.fields, filters)
        )

    def _row(self, target: M | object, *, include_deleted: bool = False) -> M:
        if isinstance(target, self.model):
            return target
        return self.get(target, include_deleted=include_deleted)

    def _expect(self, row: M, version: int | None) -> None:
        if version is None:
            return
        if self._facts.version is None:
            raise TypeError(f"{self.model.__name__} has no version: add VersionMixin.")
        if getattr(row, self._facts.version) != version:
            raise StaleRecordException

    def _known(self, name: str) -> None:
        if name not in self._facts.fields:
            raise BadRequestException(f"{self.model.__name__} has no field {name!r}.")

    def _missing(self, ident: object) -> NotFoundError:
        return NotFoundError(self.model.__name__, ident)


def _hidden(row: object) -> bool:
    return isinstance(row, SoftDeleteMixin) and row.deleted_at is not None


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestException(f"limit must be from 1 to {MAX_LIMIT} (got {limit}).")
