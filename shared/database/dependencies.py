"""FastAPI dependencies: a session for each request.

::

    DbSession = Annotated[AsyncSession, Depends(get_db_dependency("subject-service"))]

    @app.post("/subjects", status_code=201)
    async def create(db: DbSession, ...): ...

The transaction is committed when the endpoint has returned and *before* the reply
leaves, so a commit that fails becomes an error reply. Any exception that leaves the
endpoint, an ``HTTPException`` too, rolls back; returning an error response commits.

What runs after that has no session of the request any more, and using it raises: the
generator behind a ``StreamingResponse``, background tasks, and what a generator
dependency of yours does behind its ``yield``, unless that is declared with
``Depends(..., scope="function")`` too. They open a session of their own with
``async with database.session():``.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.database import Database, get_database

__all__ = ["get_db_dependency", "get_sync_db_dependency"]

Dependency = Callable[..., Coroutine[Any, Any, AsyncSession]]
SyncDependency = Callable[..., Coroutine[Any, Any, Session]]

_ASYNC: Final = f"{__name__}:async"
_SYNC: Final = f"{__name__}:sync"

# Same service, same function: that is how FastAPI shares one session in a request, and
# how a test finds what it overrides.
_by_service: Final[dict[tuple[str, str], Any]] = {}


def get_db_dependency(service: str | Database) -> Dependency:
    """Return a dependency whose value is the `AsyncSession` of the request.

    Args:
        service: A database, or the name of the service whose configuration says which;
            that is read by the first request.
    """
    dependency: Dependency = _cached(service, _ASYNC, _make)
    return dependency


def get_sync_db_dependency(service: str | Database) -> SyncDependency:
    """The same with a `Session`, for endpoints that are plain functions."""
    dependency: SyncDependency = _cached(service, _SYNC, _make_sync)
    return dependency


def _cached(
    service: str | Database, kind: str, make: Callable[[Callable[[], Database]], Any]
) -> Any:
    if isinstance(service, Database):
        # Beside it, and not in a table of ours, where it could never be freed.
        if kind not in service.beside:
            service.beside[kind] = make(lambda: service)
        return service.beside[kind]
    key = (kind, service)
    if key not in _by_service:
        _by_service[key] = make(lambda: get_database(service))
    return _by_service[key]


def _make(database: Callable[[], Database]) -> Dependency:
    async def open_session() -> AsyncIterator[AsyncSession]:
        async with database().session() as session:
            yield session

    # Not the generator itself: its scope would be the caller's to write, and the
    # default is to end, and so to commit, after the reply.
    async def db_session(
        session: Annotated[AsyncSession, Depends(open_session, scope="function")],
    ) -> AsyncSession:
        return session

    return db_session


def _make_sync(database: Callable[[], Database]) -> SyncDependency:
    def open_session() -> Iterator[Session]:
        with database().sync_session() as session:
            yield session

    async def db_session(
        session: Annotated[Session, Depends(open_session, scope="function")],
    ) -> Session:
        return session

    return db_session
