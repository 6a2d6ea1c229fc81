"""Connections to strangers' servers that are kept for the next request."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from shared.http_client import Fault, FaultKind
from shared.http_client import _kept as kept
from shared.http_client._public import PublicTransport, Resolve
from shared.http_client.tests.upstream import (
    Behaviour,
    FakeUpstream,
    answer,
    hang_up,
    reset,
)

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
LONG = 600.0


async def here(host: str, port: int) -> Iterable[str]:
    """Every name is this machine's."""
    return ["127.0.0.1"]


@asynccontextmanager
async def keeping(
    seconds: float = LONG, *, resolve: Resolve = here
) -> AsyncIterator[PublicTransport]:
    """A transport that keeps connections, and is closed."""
    send = PublicTransport(
        allow=LOOPBACK, schemes=["http"], resolve=resolve, idle_seconds=seconds
    )
    try:
        yield send
    finally:
        await send.aclose()


async def post(send: PublicTransport, upstream: FakeUpstream, host: str) -> int:
    """The status of an answer."""
    url = f"http://{host}:{upstream.port}/"
    return (await send.post(url, b"{}", headers={})).status_code


async def test_the_next_request_for_a_name_has_the_same_connection() -> None:
    """And one for another name has its own, though the address is the same."""
    with FakeUpstream(answer({})) as upstream:
        async with keeping() as send:
            for _ in range(3):
                assert await post(send, upstream, "hooks.example") == 200
            assert upstream.connections == 1
            assert await post(send, upstream, "other.example") == 200
            assert upstream.connections == 2


async def test_a_name_that_has_another_address_now_gets_another_connection() -> None:
    """Each request goes to an address that was looked at for it."""
    found = ["127.0.0.1", "127.0.0.1", "10.0.0.1"]

    async def resolve(host: str, port: int) -> list[str]:
        return [found.pop(0)]

    with FakeUpstream(answer({})) as upstream:
        async with keeping(resolve=resolve) as send:
            for _ in range(2):
                assert await post(send, upstream, "hooks.example") == 200
            with pytest.raises(ValueError, match="public internet"):
                await post(send, upstream, "hooks.example")
        assert (upstream.connections, len(upstream.requests)) == (1, 2)


@pytest.mark.parametrize("broken", [hang_up, reset])
async def test_a_connection_that_was_closed_meanwhile_fails_no_request(
    broken: Behaviour,
) -> None:
    """It is sent again on a new one, with the same body."""
    with FakeUpstream(answer({}), broken, answer({"id": 2})) as upstream:
        async with keeping() as send:
            for _ in range(2):
                assert await post(send, upstream, "hooks.example") == 200
        assert upstream.connections == 2
        assert [each.body for each in upstream.requests] == [b"{}"] * 3


async def test_who_never_answers_is_asked_once() -> None:
    """Nothing was kept that could have been closed."""
    with FakeUpstream(hang_up) as upstream:
        async with keeping() as send:
            with pytest.raises(Fault, match=r".+") as caught:
                await post(send, upstream, "hooks.example")
        assert caught.value.kind is FaultKind.BROKEN
        assert len(upstream.requests) == 1


async def test_who_hangs_up_again_and_again_is_asked_twice() -> None:
    """Once more, and not for ever."""
    with FakeUpstream(answer({}), hang_up) as upstream:
        async with keeping() as send:
            await post(send, upstream, "hooks.example")
            with pytest.raises(Fault, match=r".+"):
                await post(send, upstream, "hooks.example")
        assert len(upstream.requests) == 3


async def test_what_is_idle_is_closed_though_nobody_asks_any_more() -> None:
    """Else a socket would stay for each name that was ever called."""
    gone = asyncio.Event()

    async def meet(reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        out.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read()
        await reader.read()
        out.close()
        gone.set()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, keeping(0.01) as send:
        await send.post(f"http://hooks.example:{port}/", b"", headers={})
        async with asyncio.timeout(10):
            await gone.wait()


async def test_there_is_an_end_to_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was used longest ago makes room; in use, it is not closed."""
    monkeypatch.setattr(kept, "_MOST_NAMES", 2)
    with FakeUpstream(answer({})) as upstream:
        async with keeping() as send:
            for host in ("a.example", "b.example", "c.example", "b.example"):
                await post(send, upstream, host)
            assert upstream.connections == 3
            await post(send, upstream, "a.example")
            assert upstream.connections == 4
            statuses = await asyncio.gather(
                *[post(send, upstream, f"{n}.example") for n in range(6)]
            )
    assert statuses == [200] * 6


async def test_without_it_each_request_has_its_own() -> None:
    """Who does not ask for it does not get it."""
    with FakeUpstream(answer({})) as upstream:
        async with keeping(0.0) as send:
            for _ in range(2):
                await post(send, upstream, "hooks.example")
        assert upstream.connections == 2
