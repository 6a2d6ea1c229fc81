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
from typing import cast

from sqlalchemy.pool import QueuePool

from shared.app import PoolState, Service
from shared.database import Database, get_database

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

    It is asked for an answer when the service starts, and in each health check. Its
    pool stands in the metrics. When the service stops its connections are closed.

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
        await found.check(timeout=timeout)

    def pool_state() -> PoolState:
        pool = cast("QueuePool", found.engine.pool)
        # SQLAlchemy tells the size, and the room beyond it only here.
        most = pool.size() + pool._max_overflow
        return PoolState(idle=pool.checkedin(), used=pool.checkedout(), maximum=most)

    service.add_resource(name, connected)
    # A little more, so that its own error, with its cause, comes first.
    service.add_check(name, check, timeout=timeout + 0.5, cache_seconds=cache_seconds)
    service.metrics.observe_pool(name, pool_state)
    return found
