"""A proxy that does to a connection what networks do: swallow, delay, cut.

::

    async with TcpProxy("127.0.0.1", 6379) as proxy:
        client = Redis(host=proxy.host, port=proxy.port)
        proxy.hold_replies()
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

__all__ = ["TcpProxy"]

_CHUNK: Final = 65536


class TcpProxy:
    """Listens on a free port of this machine and passes on to *host* and *port*.

    Attributes:
        host: Where it listens.
        port: Where it listens, once it is entered.
        replies: How many pieces the server has sent, passed on or not.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.replies = 0
        self._upstream = (host, port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut_next_reply = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()

    def hold_replies(self) -> None:
        """Let requests through, and keep what the server answers until ``release``."""
        self._flowing.clear()

    def release(self) -> None:
        """Pass on what was held."""
        self._flowing.set()

    def cut_next_reply(self) -> None:
        """Let a request through, and cut all connections instead of its reply."""
        self._cut_next_reply = True

    def cut(self) -> None:
        """Cut all connections, at once and in both directions."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        self._connections.add(task)
        self._writers.add(writer)
        try:
            from_server, to_server = await asyncio.open_connection(*self._upstream)
            self._writers.add(to_server)
            await asyncio.gather(
                self._requests(reader, to_server), self._pass_back(from_server, writer)
            )
        except (OSError, asyncio.CancelledError):
            pass  # either side is gone, or we are leaving
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _requests(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> None:
        while data := await client.read(_CHUNK):
            server.write(data)
        server.close()

    async def _pass_back(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        while data := await server.read(_CHUNK):
            self.replies += 1
            await self._flowing.wait()
            if self._cut_next_reply:
                self._cut_next_reply = False
                self.cut()
                return
            client.write(data)
        client.close()
