"""A database in a service: checked, counted, and closed at the end.

::

    service = create_service("my-service", config)
    database = add_database(service)

    Session = Annotated[AsyncSession, Depends(get_db_dependency(database))]

    @service.app.get("/subjects")
    async def subjects(session: Session) -> list[Subject]: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from shared.app import DegradedError, PoolState, Service
from shared.database import Database, PoolExhaustedException, get_database

__all__ = ["add_database"]


def add_database(
    service: Service,
    database: Database | None = None,
    *,
    name: str = "database",
    connect: bool = True,
    timeout: float = 2.0,
    cache_seconds: float = 1.0,
) -> Database:
    """Give *service* a database.

    It is asked for an answer when the service starts, and in each health check. A pool
    of which every connection is in use is a warning there, as long as the server takes
    another one. Its pools stand in the metrics: ``database``, and ``database_sync`` for
    code without ``async``. When the service stops its connections are closed.

    Args:
        service: The service.
        database: Else the one of the service's settings, ``get_database(name)``.
        name: In messages, health replies and metrics.
        connect: Do not start without it. False starts, and is not ready, until it is
            there.
        timeout: Seconds within which it must answer.
        cache_seconds: As in ``Service.add_check``.
    """
    found = get_database(service.name) if database is None else database

    @asynccontextmanager
    async def connected() -> AsyncIterator[Database]:
        try:
            if connect:
                await found.check(timeout=timeout)
            yield found
        finally:
            await found.dispose()

    async def check() -> None:
        try:
            # In line with the requests we would learn nothing of the server. No other
            # task runs between this look and the pool's.
            if _full(found.pool):
                await _ask_beside(found.engine)
                raise PoolExhaustedException
            await found.check(timeout=timeout)
        except PoolExhaustedException as busy:
            raise DegradedError(busy.code) from busy

    def pool_state() -> PoolState:
        return _state(found.pool)

    def sync_pool_state() -> PoolState:
        return _state(found.sync_pool)

    service.add_resource(name, connected)
    # A little more, so that its own error, with its cause, comes first.
    service.add_check(name, check, timeout=timeout + 0.5, cache_seconds=cache_seconds)
    service.metrics.observe_pool(name, pool_state)
    service.metrics.observe_pool(f"{name}_sync", sync_pool_state)
    return found


def _state(pool: QueuePool | None) -> PoolState:
    if pool is None:  # nobody used it yet, and a scrape is no reason to make it
        return PoolState(idle=0, used=0, maximum=0)
    # SQLAlchemy tells the size, and the room beyond it only here.
    most = pool.size() + pool._max_overflow
    return PoolState(idle=pool.checkedin(), used=pool.checkedout(), maximum=most)


def _full(pool: QueuePool | None) -> bool:
    state = _state(pool)
    return pool is not None and state.used >= state.maximum


async def _ask_beside(engine: AsyncEngine) -> None:
    """Ask on a connection of its own, which is closed afterwards."""
    pool = engine.pool.recreate()
    own = AsyncEngine(Engine(pool, engine.dialect, engine.url, hide_parameters=True))
    try:
        async with own.connect() as connection:
            await connection.execute(text("SELECT 1"))
    finally:
        await own.dispose()
