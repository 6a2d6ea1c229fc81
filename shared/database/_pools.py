"""Connection pools that raise our errors: a full pool, an unreachable server.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection, QueuePool

from shared.database._translate import translate


class _Translating(QueuePool):
    # Here and not in an event: drivers raise bare OSErrors while they connect, and the
    # pool's own time-out passes no event at all.
    def connect(self) -> PoolProxiedConnection:
        try:
            return super().connect()
        except Exception as error:
            ours = translate(error, connecting=True)
            if ours is None:
                raise
            raise ours from error


# SQLAlchemy calls a pool's logger by the module of its class, and keeps those of its
# own at WARNING. Ours would tell of each start and stop.
_QUIET: Final = QueuePool.__module__


class SyncPool(_Translating):
    """For threads."""

    __module__ = _QUIET


class AsyncPool(_Translating, AsyncAdaptedQueuePool):
    """For tasks of an event loop."""

    __module__ = _QUIET
