"""Targets on real sockets, and those that nobody ever connects to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook as Receiver

from services.api_platform.delivery import TargetTransport
from services.api_platform.models import DeliveryState
from services.api_platform.tests.delivery_scene import BODY, Scene, scene_on
from shared.crypto import generate_webhook_secret
from shared.http_client import AddressNotPublicError, Resolve

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
Meet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PENDING, DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED


def finds(*addresses: str) -> Resolve:
    """A name server that knows every name, by these addresses."""

    async def resolve(host: str, port: int) -> Iterable[str]:
        return addresses

    return resolve


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A database."""
    async with scene_on(f"sqlite:///{tmp_path}/test.db") as scene:
        yield scene


class Listener:
    """A server that notes what comes, and says what it is told to."""

    def __init__(self, say: bytes) -> None:
        self.say = say
        self.connections = 0
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    async def meet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Meet one connection."""
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            lines = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in lines}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append((headers, body))
            writer.write(self.say)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    say: bytes = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
) -> AsyncIterator[Listener]:
    """A listener on a free port of this machine."""
    listener = Listener(say)
    server = await asyncio.start_server(listener.meet, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


@asynccontextmanager
async def sending(transport: TargetTransport) -> AsyncIterator[TargetTransport]:
    """A transport that is closed."""
    try:
        yield transport
    finally:
        await transport.aclose()


async def test_a_receiver_verifies_what_it_gets(scene: Scene) -> None:
    """Over TCP, with the public library, byte for byte."""
    secret = generate_webhook_secret()
    async with listening() as receiver, sending(TargetTransport(allow=LOOPBACK)) as to:
        url = f"http://127.0.0.1:{receiver.port}/in?x=1"
        [event_id] = await scene.deliver(
            await scene.webhook(secret=secret, target_url=url)
        )
        await scene.finish(scene.make_worker(transport=to))

    [(headers, body)] = receiver.requests
    assert (body, headers["webhook-id"]) == (BODY, str(event_id))
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    Receiver(secret).verify(body, headers)
    assert await scene.states() == [DELIVERED]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.0.0.7", "::1", "::ffff:169.254.169.254"],
)
async def test_a_name_that_leads_inside_is_never_connected_to(
    scene: Scene, address: str
) -> None:
    """There is a code for it, and no connection, though somebody listens."""
    async with (
        listening() as receiver,
        sending(TargetTransport(resolve=finds(address))) as transport,
    ):
        url = f"https://hooks.example:{receiver.port}/latest/meta-data"
        await scene.deliver(await scene.webhook(target_url=url))
        await scene.finish(scene.make_worker(transport=transport))

    assert receiver.connections == 0
    [attempt] = await scene.attempts()
    assert (attempt.error_code, attempt.status_code) == ("address_not_allowed", None)
    assert await scene.states() == [PENDING]


async def test_a_redirect_inside_is_not_followed(scene: Scene) -> None:
    """It is a failure like any other."""
    async with listening() as inside:
        moved = f"http://127.0.0.1:{inside.port}/"
        say = f"HTTP/1.1 307 Moved\r\nlocation: {moved}\r\ncontent-length: 0\r\n\r\n"
        async with (
            listening(say.encode()) as receiver,
            sending(TargetTransport(allow=LOOPBACK)) as transport,
        ):
            url = f"http://127.0.0.1:{receiver.port}/"
            await scene.deliver(await scene.webhook(target_url=url))
            await scene.finish(scene.make_worker(transport=transport))

    assert (receiver.connections, inside.connections) == (1, 0)
    [attempt] = await scene.attempts()
    assert (attempt.error_code, attempt.status_code) == ("redirect", 307)


def film() -> bytes:
    """A success with more behind it than anybody reads."""
    size = 10_000_000
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
    return head.encode() + b"x" * 200_000


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", None),
        (film(), None),
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "server_error"),
        (b"220 mail.example ESMTP\r\n\r\n", "connection_broken"),
        (b"", "connection_broken"),
    ],
    ids=["ok", "film", "error", "mail", "nothing"],
)
async def test_what_a_server_says_has_its_code(
    scene: Scene, say: bytes, code: str | None
) -> None:
    """As what it says comes over a wire."""
    async with (
        listening(say) as receiver,
        sending(TargetTransport(allow=LOOPBACK)) as transport,
    ):
        url = f"http://127.0.0.1:{receiver.port}/"
        await scene.deliver(await scene.webhook(target_url=url))
        await scene.finish(scene.make_worker(transport=transport))

    [attempt] = await scene.attempts()
    assert attempt.error_code == code


def for_ever(*, head: bytes, piece: bytes, pause: float) -> Meet:
    """Say *head*, and then *piece* after *piece*."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return meet


@asynccontextmanager
async def meeting(meet: Meet) -> AsyncIterator[int]:
    """A server whose connections are met like that; its port."""
    over: list[asyncio.Task[None]] = []

    async def to_the_end(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        over.append(task)
        try:
            with suppress(ConnectionError):
                await meet(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(to_the_end, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for task in over:
        task.cancel()
    await asyncio.gather(*over, return_exceptions=True)
    await asyncio.sleep(0)  # which closes the sockets of what was aborted


async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    writer.transport.abort()


_OK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_NO = b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("meet", "code"),
    [
        (for_ever(head=b"", piece=b"", pause=0.01), "timed_out"),
        (for_ever(head=b"HTTP/1.1 200 OK\r\nx: ", piece=b"x", pause=0.01), "timed_out"),
        (for_ever(head=_OK, piece=b"1\r\nx\r\n", pause=0.01), "timed_out"),
        (for_ever(head=b"", piece=_GO_ON, pause=0.001), "timed_out"),
        (for_ever(head=_OK, piece=_CHUNK, pause=0.0), None),
        (for_ever(head=_NO, piece=_CHUNK, pause=0.0), "server_error"),
        (
            for_ever(head=b"HTTP/1.1 200 OK\r\nx: ", piece=_CHUNK, pause=0.0),
            "connection_broken",
        ),
        (cut, "connection_broken"),
    ],
    ids=[
        "hangs",
        "drips headers",
        "drips a body",
        "goes on and on",
        "film without end",
        "error without end",
        "headers without end",
        "resets",
    ],
)
async def test_who_means_harm_holds_nobody_up(
    scene: Scene, meet: Meet, code: str | None
) -> None:
    """Each attempt has its time, and what is read of an answer its size."""
    scene.pace = 0.02
    async with (
        meeting(meet) as port,
        listening() as receiver,
        sending(TargetTransport(allow=LOOPBACK)) as transport,
    ):
        for target in (port, receiver.port):
            url = f"http://127.0.0.1:{target}/"
            await scene.deliver(await scene.webhook(target_url=url))
        await scene.finish(scene.make_worker(transport=transport))

    assert len(receiver.requests) == 1
    by_delivery = {each.delivery_id: each for each in await scene.attempts()}
    first, second = await scene.deliveries()
    assert by_delivery[first.id].error_code == code
    assert by_delivery[second.id].error_code is None


async def test_a_name_that_moves_inside_is_looked_at_each_time(scene: Scene) -> None:
    """Also while a connection to where it was is open: rebinding gets nobody in."""
    found = ["127.0.0.1", "127.0.0.1", "127.0.0.1", "10.0.0.7"]

    async def resolve(host: str, port: int) -> list[str]:
        return [found.pop(0)]

    keeps = b"HTTP/1.1 204 No Content\r\n\r\n"
    transport = TargetTransport(allow=LOOPBACK, resolve=resolve)
    async with listening(keeps) as receiver, sending(transport):
        url = f"http://hooks.example:{receiver.port}/"
        await transport.check(url)
        await scene.deliver(await scene.webhook(target_url=url), 3)
        worker = scene.make_worker(transport=transport, per_endpoint=1)
        while await worker.round():
            pass

    assert len(receiver.requests) == 2
    codes = [attempt.error_code for attempt in await scene.attempts()]
    assert codes == [None, None, "address_not_allowed"]


async def test_the_largest_body_gets_there_whole(scene: Scene) -> None:
    """An event is a megabyte at most."""
    body = b'{"data":"' + b"x" * 1024**2 + b'"}'
    async with listening() as receiver, sending(TargetTransport(allow=LOOPBACK)) as to:
        url = f"http://127.0.0.1:{receiver.port}/"
        await scene.deliver(await scene.webhook(target_url=url), body=body)
        await scene.finish(scene.make_worker(transport=to))

    [(_, got)] = receiver.requests
    assert got == body


async def say_hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, and in plain text."""
    writer.write(b"220 mail.example ESMTP\r\n")
    writer.close()


async def test_who_speaks_no_tls_has_its_code(scene: Scene) -> None:
    """It is not the network that fails."""
    server = await asyncio.start_server(say_hello, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, sending(TargetTransport(allow=LOOPBACK)) as transport:
        url = f"https://127.0.0.1:{port}/"
        await scene.deliver(await scene.webhook(target_url=url))
        await scene.finish(scene.make_worker(transport=transport))

    [attempt] = await scene.attempts()
    assert attempt.error_code == "tls_failed"


async def test_who_is_not_there_has_its_code(scene: Scene) -> None:
    """The port is closed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with sending(TargetTransport(allow=LOOPBACK)) as transport:
        await scene.deliver(await scene.webhook(target_url=f"http://127.0.0.1:{port}/"))
        await scene.finish(scene.make_worker(transport=transport))

    [attempt] = await scene.attempts()
    assert attempt.error_code == "connection_failed"


def call(transport: TargetTransport, how: str) -> Callable[[str], Awaitable[object]]:
    """Look at a URL, or call it: both have the same rules."""

    async def post(url: str) -> object:
        return await transport.post(url, b"", headers={})

    return {"check": transport.check, "post": post}[how]


@pytest.mark.parametrize("how", ["check", "post"])
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://hooks.example/", "must be https://host"),
        ("HTTP://hooks.example/", "must be https://host"),
        ("https://hooks.example/", "public internet"),
        ("ftp://hooks.example/", "must be https://host"),
    ],
)
async def test_without_networks_only_https_is_called(
    how: str, url: str, message: str
) -> None:
    """And only on the public internet."""
    async with sending(TargetTransport(resolve=finds("10.0.0.1"))) as transport:
        with pytest.raises(AddressNotPublicError, match=message):
            await call(transport, how)(url)


@pytest.mark.parametrize("how", ["check", "post"])
@pytest.mark.parametrize("addresses", [("8.8.8.8",), ("127.0.0.1", "8.8.8.8")])
async def test_networks_that_are_allowed_are_all_that_goes_without_tls(
    how: str, addresses: tuple[str, ...]
) -> None:
    """Somebody on the way could read and change it elsewhere."""
    transport = TargetTransport(allow=LOOPBACK, resolve=finds(*addresses))
    async with sending(transport):
        with pytest.raises(AddressNotPublicError, match="must be https://host"):
            await call(transport, how)("http://hooks.example/")


async def test_a_network_that_is_allowed_may_be_registered() -> None:
    """With TLS and without."""
    async with sending(
        TargetTransport(allow=LOOPBACK, resolve=finds("127.0.0.1"))
    ) as to:
        await to.check("http://hooks.example/")
        await to.check("https://hooks.example/")


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "nowhere.invalid"])
async def test_a_name_that_is_none_is_an_error_of_the_system(host: str) -> None:
    """Also one that no name server could be asked for."""
    async with sending(TargetTransport()) as transport:
        with pytest.raises(OSError, match=r".+"):
            await transport.check(f"https://{host}/")


async def test_a_transport_can_be_used_again() -> None:
    """A service that was stopped may be started again."""
    transport = TargetTransport(allow=LOOPBACK)
    for _ in range(2):
        await transport.check("http://127.0.0.1/")
        await transport.aclose()
