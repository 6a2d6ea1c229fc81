"""The same repositories for ``async`` code.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.database._paging import RowPage
from shared.database._repository import Filters, Rows, SyncRepository, Where
from shared.database._types import utc_now

M = TypeVar("M")
R = TypeVar("R")
Reply = Coroutine[Any, Any, R]


class BaseRepository(Generic[M]):
    """The rows of one model, in an `AsyncSession`; each method is awaited.

    ::

        class SubjectRepository(BaseRepository[Subject]):
            def __init__(self, session: AsyncSession) -> None:
                super().__init__(session, Subject)

            async def named(self, name: str) -> Subject | None:
                return await self.find(filters={"name": name})

    In the `Session` of ``get_db_session`` the same methods return their results at
    once. A type checker believes in the awaited form only: typed code without ``async``
    takes `SyncRepository`, whose methods these are.
    """

    def __init__(
        self,
        session: AsyncSession | Session,
        model: type[M],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if not isinstance(session, AsyncSession | Session):
            raise TypeError(
                "A repository needs a session: the one of Database.session() or of "
                f"get_db_session() (got a {type(session).__name__})."
            )
        is_async = isinstance(session, AsyncSession)
        self.model = model
        self.session = cast(AsyncSession, session)
        self._core = SyncRepository(
            self.session.sync_session if is_async else cast(Session, session),
            model,
            clock=clock,
        )
        self._run: Callable[..., Coroutine[Any, Any, Any]] = (
            self._spawn if is_async else _call
        )

    def _spawn(self, method: Callable[..., R], *args: Any, **options: Any) -> Reply[R]:
        # One change of context for a method, however many statements it sends.
        return self.session.run_sync(_call_in, method, *args, **options)

    def get(self, ident: object, *, include_deleted: bool = False) -> Reply[M]:
        """See `SyncRepository.get`."""
        return self._run(self._core.get, ident, include_deleted=include_deleted)

    def get_or_none(
        self, ident: object, *, include_deleted: bool = False
    ) -> Reply[M | None]:
        """See `SyncRepository.get_or_none`."""
        return self._run(self._core.get_or_none, ident, include_deleted=include_deleted)

    def get_for_update(
        self, ident: object, *, skip_locked: bool = False, include_deleted: bool = False
    ) -> Reply[M]:
        """See `SyncRepository.get_for_update`."""
        return self._run(
            self._core.get_for_update,
            ident,
            skip_locked=skip_locked,
            include_deleted=include_deleted,
        )

    def list(
        self,
        *where: Where,
        filters: Filters | None = None,
        order_by: Sequence[str] = (),
        limit: int = 50,
        cursor: str | None = None,
        include_deleted: bool = False,
    ) -> Reply[RowPage[M]]:
        """See `SyncRepository.list`."""
        return self._run(
            self._core.list,
            *where,
            filters=filters,
            order_by=order_by,
            limit=limit,
            cursor=cursor,
            include_deleted=include_deleted,
        )

    def list_for_update(
        self,
        *where: Where,
        filters: Filters | None = None,
        order_by: Sequence[str] = (),
        limit: int = 50,
        skip_locked: bool = True,
    ) -> Reply[Rows[M]]:
        """See `SyncRepository.list_for_update`."""
        return self._run(
            self._core.list_for_update,
            *where,
            filters=filters,
            order_by=order_by,
            limit=limit,
            skip_locked=skip_locked,
        )

    def find(
        self,
        *where: Where,
        filters: Filters | None = None,
        include_deleted: bool = False,
    ) -> Reply[M | None]:
        """See `SyncRepository.find`."""
        return self._run(
            self._core.find, *where, filters=filters, include_deleted=include_deleted
        )

    def count(
        self,
        *where: Where,
        filters: Filters | None = None,
        include_deleted: bool = False,
    ) -> Reply[int]:
        """See `SyncRepository.count`."""
        return self._run(
            self._core.count, *where, filters=filters, include_deleted=include_deleted
        )

    def exists(
        self,
        *where: Where,
        filters: Filters | None = None,
        include_deleted: bool = False,
    ) -> Reply[bool]:
        """See `SyncRepository.exists`."""
        return self._run(
            self._core.exists, *where, filters=filters, include_deleted=include_deleted
        )

    def add(self, row: M) -> Reply[M]:
        """See `SyncRepository.add`."""
        return self._run(self._core.add, row)

    def add_many(self, rows: Iterable[M]) -> Reply[Rows[M]]:
        """See `SyncRepository.add_many`."""
        return self._run(self._core.add_many, rows)

    def insert_many(self, values: Iterable[Mapping[str, object]]) -> Reply[None]:
        """See `SyncRepository.insert_many`."""
        return self._run(self._core.insert_many, values)

    def update(
        self,
        target: M | object,
        values: Mapping[str, object],
        *,
        expected_version: int | None = None,
    ) -> Reply[M]:
        """See `SyncRepository.update`."""
        return self._run(
            self._core.update, target, values, expected_version=expected_version
        )

    def delete(
        self,
        target: M | object,
        *,
        expected_version: int | None = None,
        permanently: bool = False,
    ) -> Reply[None]:
        """See `SyncRepository.delete`."""
        return self._run(
            self._core.delete,
            target,
            expected_version=expected_version,
            permanently=permanently,
        )

    def restore(self, target: M | object) -> Reply[M]:
        """See `SyncRepository.restore`."""
        return self._run(self._core.restore, target)

    def upsert(self, values: Mapping[str, object], *, by: Sequence[str]) -> Reply[M]:
        """See `SyncRepository.upsert`."""
        return self._run(self._core.upsert, values, by=by)


def _call(method: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return method(*args, **options)


def _call_in(_: Session, method: Callable[..., R], *args: Any, **options: Any) -> R:
    return method(*args, **options)
