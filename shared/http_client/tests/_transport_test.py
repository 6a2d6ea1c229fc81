from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.http_client import Fault, FaultKind, OutgoingRequest, Reply, ServiceClient
from shared.http_client._options import ClientLimits, ClientTimeouts
from shared.http_client._transport import (
    FAULTS,
    HttpTransport,
    asgi_transport,
    fault_of,
    mapped,
)
from shared.http_client.tests.upstream import FakeUpstream, answer, hang, text
from shared.resilience import DeadlineExceededError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def exceptions_of_httpx2() -> list[type[Exception]]:
    """Return every exception that the library exports."""
    found = vars(httpx2).values()
    return [cls for cls in found if inspect.isclass(cls) and issubclass(cls, Exception)]


def request(url: str) -> OutgoingRequest:
    """Return a GET of *url*."""
    host = url.removeprefix("http://").partition("/")[0]
    return OutgoingRequest("GET", url, [("host", host)], b"", ClientTimeouts(), 10**6)


@pytest.mark.parametrize("cls", exceptions_of_httpx2())
def test_every_error_of_the_library_is_mapped(cls: type[Exception]) -> None:
    """A release that adds one without a parent known here fails this test."""
    error = cls.__new__(cls)
    fault = fault_of(error)

    assert isinstance(fault.kind, FaultKind)
    assert fault.__cause__ is error


def test_there_are_errors() -> None:
    """The list above is not empty by mistake."""
    assert len(exceptions_of_httpx2()) > 20


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx2.ConnectError("a"), FaultKind.NO_CONNECTION),
        (httpx2.ConnectTimeout("a"), FaultKind.NO_CONNECTION),
        (httpx2.PoolTimeout("a"), FaultKind.POOL_FULL),
        (httpx2.ReadTimeout("a"), FaultKind.TIMED_OUT),
        (httpx2.WriteTimeout("a"), FaultKind.TIMED_OUT),
        (httpx2.ReadError("a"), FaultKind.BROKEN),
        (httpx2.WriteError("a"), FaultKind.BROKEN),
        (httpx2.RemoteProtocolError("a"), FaultKind.BROKEN),
        (httpx2.DecodingError("a"), FaultKind.UNDECODABLE),
        (httpx2.TooManyRedirects("a"), FaultKind.INTERNAL),
        (ConnectionRefusedError("a"), FaultKind.NO_CONNECTION),
        (TimeoutError("a"), FaultKind.TIMED_OUT),
        (ConnectionResetError("a"), FaultKind.BROKEN),
        (ssl.SSLError("a"), FaultKind.BROKEN),
        (socket.gaierror("a"), FaultKind.BROKEN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_errors_mean(error: Exception, kind: FaultKind) -> None:
    """Above all, whether the request may have arrived."""
    assert fault_of(error).kind is kind


def test_the_special_come_first() -> None:
    """No class stands behind one that it is a kind of, where it would not be found."""
    classes = [cls for cls, _ in FAULTS]
    hidden = [
        (cls, earlier)
        for place, cls in enumerate(classes)
        for earlier in classes[:place]
        if issubclass(cls, earlier)
    ]

    assert hidden == []


def test_one_module_knows_the_library() -> None:
    """Changing it touches one file."""
    package = Path(inspect.getfile(fault_of)).parent
    sources = package.glob("*.py")
    knowing = [path.name for path in sources if "httpx2" in path.read_text()]

    assert knowing == ["_transport.py"]


async def test_transports_of_tests() -> None:
    """Errors of a network mean the same when a test raises them; others are let be."""

    def raising(error: Exception) -> Callable[[OutgoingRequest], Awaitable[Reply]]:
        async def send(request: OutgoingRequest) -> Reply:
            raise error

        return mapped(send)

    with pytest.raises(Fault, match="broken connection: ConnectionResetError"):
        await raising(ConnectionResetError())(request("http://a"))
    with pytest.raises(DeadlineExceededError, match="in time"):
        await raising(DeadlineExceededError())(request("http://a"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        await raising(ZeroDivisionError("a bug"))(request("http://a"))


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer with the path, as an ASGI application."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = f'["{scope["path"]}"]'.encode()
    await send({"type": "http.response.body", "body": body})


async def test_applications() -> None:
    """A service is called in the test's own process."""
    async with ServiceClient(
        "a", "http://a/base", transport=asgi_transport(app)
    ) as client:
        assert await client.get("/b") == ["/base/b"]


async def test_nothing_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No proxy and no certificate that happens to be set there."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/does/not/exist")
    with FakeUpstream(answer([1])) as upstream:
        async with ServiceClient("a", upstream.url) as client:
            assert await client.get("/a") == [1]


async def test_proxies_that_are_asked_for() -> None:
    """The request goes there, with the whole URL."""
    with FakeUpstream(answer([1])) as upstream:
        async with ServiceClient(
            "a", "http://internal.invalid", proxy=upstream.url
        ) as client:
            assert await client.get("/a") == [1]

    (received,) = upstream.requests
    assert received.target == "http://internal.invalid/a"


@pytest.mark.parametrize(
    "proxy",
    ["", "s3cret", "socks5://u:s3cret@a", "http://u:s3cret@", "http://a:s3cret"],
)
def test_proxies_that_are_none(proxy: str) -> None:
    """They are refused when the client is made, and not shown."""
    with pytest.raises(ValueError, match="proxy must be") as raised:
        ServiceClient("a", "http://a", proxy=proxy)

    assert "s3cret" not in str(raised.value)
    assert raised.value.__context__ is None


async def test_no_cookies_are_kept() -> None:
    """One user's session never reaches another's call."""
    with FakeUpstream(answer([1], headers={"set-cookie": "a=b"})) as upstream:
        async with ServiceClient("a", upstream.url) as client:
            for _ in range(2):
                await client.get("/a")

    assert all("cookie" not in one.headers for one in upstream.requests)


async def test_servers_are_verified(unused_tcp_port_factory: Callable[[], int]) -> None:
    """A server that does not speak TLS, or has no certificate, gets no request."""
    with FakeUpstream(text("a")) as upstream:
        url = f"https://127.0.0.1:{upstream.port}/a"
        transport = HttpTransport(ClientLimits(), tls=None, proxy=None)
        outgoing = request("http://a")._replace(
            url=url, timeouts=ClientTimeouts(connect=0.5)
        )
        with pytest.raises(Fault, match="no connection"):
            await transport(outgoing)
        await transport.aclose()

    assert upstream.requests == []


async def test_closed_while_it_waits() -> None:
    """Who still waits for an answer gets a fault, and nothing hangs."""
    with FakeUpstream(hang) as upstream:
        transport = HttpTransport(ClientLimits(), tls=None, proxy=None)
        waiting = asyncio.create_task(transport(request(f"{upstream.url}/a")))
        async with asyncio.timeout(30):
            while not upstream.requests:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
            await transport.aclose()
            with pytest.raises(Fault, match="broken connection"):
                await waiting
