"""Connection pools that raise our errors: a full pool, an unreachable server.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

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


class SyncPool(_Translating):
    """For threads."""


class AsyncPool(_Translating, AsyncAdaptedQueuePool):
    """For tasks of an event loop."""
