from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.testing.tcp_proxy import TcpProxy


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """A proxy in front of a server that answers each piece with itself."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with TcpProxy(host, port) as proxy:
            yield proxy


class Client:
    """Asks through the proxy."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes) -> bytes:
        """Return the answer; nothing, if the connection is cut."""
        self.writer.write(data)
        try:
            return await self.reader.read(100)
        except ConnectionResetError:
            return b""


Connect = Callable[[TcpProxy], Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return what makes a client, which is closed after the test."""
    clients: list[Client] = []

    async def connect(proxy: TcpProxy) -> Client:
        streams = await asyncio.open_connection(proxy.host, proxy.port)
        clients.append(Client(*streams))
        return clients[-1]

    yield connect
    for client in clients:
        client.writer.transport.abort()


async def test_it_passes_on(proxy: TcpProxy, connect: Connect) -> None:
    """There and back, for several clients."""
    clients = [await connect(proxy) for _ in range(2)]

    assert [await client.ask(b"a") for client in clients] == [b"a", b"a"]
    assert proxy.replies == 2


async def test_a_client_that_is_done(proxy: TcpProxy, connect: Connect) -> None:
    """The server hears of it, and its last words arrive."""
    client = await connect(proxy)
    assert await client.ask(b"a") == b"a"
    client.writer.write_eof()

    assert await client.reader.read(100) == b""


async def test_replies_can_be_held(proxy: TcpProxy, connect: Connect) -> None:
    """The server has answered, and nobody knows until they are released."""
    client = await connect(proxy)
    proxy.hold_replies()
    answer = asyncio.create_task(client.ask(b"a"))
    async with asyncio.timeout(30):
        while not proxy.replies:  # noqa: ASYNC110 - nothing tells when it is passed
            await asyncio.sleep(0.001)
    assert not answer.done()
    proxy.release()

    assert await answer == b"a"


async def test_a_reply_can_be_cut_off(proxy: TcpProxy, connect: Connect) -> None:
    """The server has done what was asked, and the client does not hear of it, once."""
    first = await connect(proxy)
    await first.ask(b"a")
    proxy.cut_next_reply()

    assert await first.ask(b"b") == b""
    assert proxy.replies == 2
    assert await (await connect(proxy)).ask(b"c") == b"c"


async def test_all_can_be_cut_off(proxy: TcpProxy, connect: Connect) -> None:
    """At once, whether they wait or not."""
    client = await connect(proxy)
    await client.ask(b"a")
    proxy.cut()

    assert await client.ask(b"b") == b""


async def test_a_server_that_is_not_there(
    unused_tcp_port: int, connect: Connect
) -> None:
    """The connection is made, and ends."""
    async with TcpProxy("127.0.0.1", unused_tcp_port) as proxy:
        client = await connect(proxy)

        assert await client.ask(b"a") == b""


async def test_leaving_ends_what_is_held(proxy: TcpProxy, connect: Connect) -> None:
    """A test that fails in between does not hang."""
    async with TcpProxy(proxy.host, proxy.port) as outer:
        client = await connect(outer)
        outer.hold_replies()
        client.writer.write(b"a")
        async with asyncio.timeout(30):
            while not outer.replies:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)

    assert await client.ask(b"b") == b""
