"""Connections that stay open for the next request to the same name.

A pool knows connections by the address that they go to. Where the address of a request
was chosen before, its pool must hold connections of one name only: else it could hand
one that was made for the certificate of another name. So each name has a pool.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.http_client._faults import Fault, FaultKind
from shared.http_client._options import ClientLimits
from shared.http_client._reply import Reply
from shared.http_client._transport import HttpTransport, OutgoingRequest, Transport

_MOST_NAMES: Final = 64

_Key: TypeAlias = tuple[str, str]
"""A scheme and a name."""


@dataclass(slots=True, eq=False)
class _Pool:
    transport: HttpTransport
    users: int = 0
    answered: bool = False
    """Only then may there be a connection that was used before."""
    left: float = 0.0
    """When its last user left, by the clock of the loop."""


class KeptConnections:
    """Sends requests that have a ``server_name``, on connections that are kept.

    Args:
        fresh: Sends on new connections: what is sent again, and what there is no pool
            for.
        seconds: How long an idle connection stays open, at least; twice that at most.
        max_connections: Of each pool.
        tls: Whom we trust; else the public certificate authorities.
    """

    def __init__(
        self,
        fresh: Transport,
        *,
        seconds: float,
        max_connections: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._fresh = fresh
        self._seconds = seconds
        self._tls = tls
        self._limits = ClientLimits(
            max_connections=max_connections,
            # A name may be that of many endpoints, and soon each is closed anyway.
            max_idle=max_connections,
            idle_seconds=seconds,
        )
        self._pools: dict[_Key, _Pool] = {}  # the longest unused first
        self._sweeping: asyncio.Task[None] | None = None

    async def __call__(self, request: OutgoingRequest) -> Reply:
        """Send *request* and read the answer.

        Raises:
            Fault: There is no answer that could be read.
        """
        pool = await self._enter(request)
        if pool is None:
            return await self._fresh(request)
        try:
            return await self._send(pool, request)
        finally:
            pool.users -= 1
            pool.left = asyncio.get_running_loop().time()
            self._sweep_later()

    async def aclose(self) -> None:
        """Close what is open. It may be used again."""
        task, self._sweeping = self._sweeping, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.transport.aclose()

    async def _send(self, pool: _Pool, request: OutgoingRequest) -> Reply:
        try:
            reply = await pool.transport(request)
        except Fault as fault:
            if fault.kind is not FaultKind.BROKEN or not pool.answered:
                raise
        else:
            pool.answered = True
            return reply
        # The target closed it while it was idle, and its word of that and our request
        # met on the way.
        return await self._fresh(request)

    async def _enter(self, request: OutgoingRequest) -> _Pool | None:
        key = request.url.partition(":")[0], request.server_name or ""
        pool = self._pools.pop(key, None)
        if pool is None:
            if len(self._pools) >= _MOST_NAMES and not await self._make_room():
                return None
            # While room was made another request may have come.
            pool = self._pools.pop(key, None) or self._new()
        self._pools[key] = pool
        pool.users += 1
        return pool

    def _new(self) -> _Pool:
        return _Pool(HttpTransport(self._limits, tls=self._tls, proxy=None))

    async def _make_room(self) -> bool:
        for key, pool in self._pools.items():
            if not pool.users:
                del self._pools[key]
                await pool.transport.aclose()
                return True
        return False

    def _sweep_later(self) -> None:
        loop, task = asyncio.get_running_loop(), self._sweeping
        if task is None or task.done() or task.get_loop() is not loop:
            self._sweeping = loop.create_task(self._sweep(), name="idle connections")

    async def _sweep(self) -> None:
        """Close what was not used for long: a pool by itself closes nothing."""
        now = asyncio.get_running_loop().time
        while self._pools:
            await asyncio.sleep(self._seconds)
            old = [
                key
                for key, pool in self._pools.items()
                if not pool.users and pool.left <= now() - self._seconds
            ]
            for pool in [self._pools.pop(key) for key in old]:
                await pool.transport.aclose()
