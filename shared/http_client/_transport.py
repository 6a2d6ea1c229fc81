"""How requests get to a target and answers back. The one module that knows httpx2.

Its transports are used, not its clients: no redirects, no cookies, no proxies and no
credentials from the environment, which a service must not meet by surprise.

Private: import these names from ``shared.http_client``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import httpx2

from shared.errors import BaseAPIException
from shared.http_client._body import BodyReader
from shared.http_client._faults import Fault, FaultKind
from shared.http_client._options import ClientLimits, ClientTimeouts
from shared.http_client._reply import Reply

_MAX_ERROR: Final = 256 * 1024  # bytes that are read of an answer that is no success


class OutgoingRequest(NamedTuple):
    """One attempt, as it goes over the wire."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    """With ``Host`` and those that frame the body."""
    content: bytes | AsyncIterable[bytes]
    timeouts: ClientTimeouts
    max_response_bytes: int
    server_name: str | None = None
    """Whose certificate is expected, where the URL has an address instead."""


Transport: TypeAlias = Callable[[OutgoingRequest], Awaitable[Reply]]
"""Sends a request and reads the answer; a test passes a function of its own."""

# By class, the most special first: isinstance decides.
FAULTS: tuple[tuple[type[Exception], FaultKind], ...] = (
    (httpx2.ConnectTimeout, FaultKind.NO_CONNECTION),
    (httpx2.ConnectError, FaultKind.NO_CONNECTION),
    (httpx2.ProxyError, FaultKind.NO_CONNECTION),
    (httpx2.PoolTimeout, FaultKind.POOL_FULL),
    (httpx2.TimeoutException, FaultKind.TIMED_OUT),
    (httpx2.NetworkError, FaultKind.BROKEN),
    # Of the local side too: h11 says so when the other side answered and hung up
    # while a request was being written.
    (httpx2.ProtocolError, FaultKind.BROKEN),
    (httpx2.DecodingError, FaultKind.UNDECODABLE),
    # None of these is met by what this module does; were one, it is a fault of ours.
    (httpx2.HTTPError, FaultKind.INTERNAL),
    (httpx2.InvalidURL, FaultKind.INTERNAL),
    (httpx2.CookieConflict, FaultKind.INTERNAL),
    (httpx2.StreamError, FaultKind.INTERNAL),
    # What slips through below, and what a test's transport raises.
    (ConnectionRefusedError, FaultKind.NO_CONNECTION),
    (TimeoutError, FaultKind.TIMED_OUT),
    (OSError, FaultKind.BROKEN),
)
_FOREIGN = tuple(cls for cls, _ in FAULTS)


def fault_of(error: Exception) -> Fault:
    """What *error*, which httpx2 or a socket raised, means; chained to it."""
    kind = next(kind for cls, kind in FAULTS if isinstance(error, cls))
    text = str(error)
    # With quotes in it, it quotes what came: h11 does with a line that it refuses.
    plain = "" if "'" in text or '"' in text else text
    fault = Fault(kind, f"{type(error).__name__}: {plain}".rstrip(": "))
    fault.__cause__ = error
    return fault


class HttpTransport:
    """A pool of connections, in each event loop that asks.

    Connections belong to the loop that made them; a second loop, and the child of a
    fork, gets a pool of its own.
    """

    def __init__(
        self, limits: ClientLimits, *, tls: ssl.SSLContext | None, proxy: str | None
    ) -> None:
        self._limits = limits
        self._tls = tls
        self._proxy = None if proxy is None else _proxy(proxy)
        self._pools: dict[tuple[int, asyncio.AbstractEventLoop], _Pool] = {}
        self._latest: tuple[int, asyncio.AbstractEventLoop, _Pool] | None = None

    async def __call__(self, request: OutgoingRequest) -> Reply:
        """Send *request* and read the answer.

        Raises:
            Fault: There is no answer that could be read.
        """
        return await _exchange(self._pool(request.url), request)

    async def aclose(self) -> None:
        """Close the connections of this loop, and forget those of others."""
        pools, self._pools, self._latest = self._pools, {}, None
        pool = pools.get((os.getpid(), asyncio.get_running_loop()))
        if pool is not None:
            with contextlib.suppress(*_FOREIGN):
                await pool.aclose()

    def _pool(self, url: str) -> _Pool:
        loop, process = asyncio.get_running_loop(), os.getpid()
        latest = self._latest
        if latest is not None and latest[1] is loop and latest[0] == process:
            return latest[2]
        # Those of loops that have ended hold nothing but closed sockets.
        for key in [key for key in self._pools if key[1].is_closed()]:
            del self._pools[key]
        pool = self._pools.get((process, loop))
        if pool is None:
            pool = self._new_pool(url)
            self._pools[process, loop] = pool
        self._latest = (process, loop, pool)
        return pool

    def _new_pool(self, url: str) -> _Pool:
        if self._tls is None:
            # Certificates take 20 ms to load, so only where they are needed.
            encrypted = url.startswith("https:") or self._proxy is not None
            self._tls = _default_tls() if encrypted else _no_tls()
        return httpx2.AsyncHTTPTransport(
            verify=self._tls,
            trust_env=False,
            proxy=self._proxy,
            limits=httpx2.Limits(
                max_connections=self._limits.max_connections,
                max_keepalive_connections=self._limits.max_idle,
                keepalive_expiry=self._limits.idle_seconds,
            ),
        )


_Pool: TypeAlias = httpx2.AsyncBaseTransport


def _proxy(url: str) -> httpx2.Proxy:
    """The proxy at *url*.

    Raises:
        ValueError: It is none. The message does not repeat it: it may hold a password.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        parsed = httpx2.URL("")
    # Out of the except block, whose error quotes it.
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("A proxy must be http://host:port (value hidden).")
    return httpx2.Proxy(parsed)


@lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


@lru_cache(maxsize=1)
def _no_tls() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def asgi_transport(app: Callable[..., Awaitable[None]]) -> Transport:
    """A transport that calls an ASGI application in this process, for tests.

    An exception that the application lets through is raised in the test, save those of
    a network, which mean what they do there.
    """
    pool = httpx2.ASGITransport(app=app)

    async def send(request: OutgoingRequest) -> Reply:
        return await _exchange(pool, request)

    return send


def mapped(transport: Transport) -> Transport:
    """*transport*, of which every error of a network is a `Fault`."""

    async def send(request: OutgoingRequest) -> Reply:
        try:
            return await transport(request)
        except BaseAPIException:  # a DeadlineExceededError is an OSError too
            raise
        except _FOREIGN as error:
            raise fault_of(error) from error

    return send


async def _exchange(pool: _Pool, request: OutgoingRequest) -> Reply:
    outgoing = _to_httpx2(request)
    try:
        response = await pool.handle_async_request(outgoing)
        stream: Any = response.stream
        try:
            return await _read(response, request)
        finally:
            # What was not read to its end closes its connection.
            await stream.aclose()
    except BaseAPIException:  # an application behind asgi_transport let it through
        raise
    except _FOREIGN as error:
        pieces = outgoing.stream
        if isinstance(pieces, _Pieces) and pieces.error is error:
            raise  # of the caller's own file, not of the network
        raise fault_of(error) from error


def _to_httpx2(request: OutgoingRequest) -> httpx2.Request:
    content = request.content
    timeouts = request.timeouts
    expected = {"sni_hostname": request.server_name} if request.server_name else {}
    return httpx2.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=httpx2.ByteStream(content)
        if isinstance(content, bytes)
        else _Pieces(content),
        extensions={
            "timeout": {
                "connect": timeouts.connect,
                "read": timeouts.read,
                "write": timeouts.write,
                "pool": timeouts.pool,
            },
            **expected,
        },
    )


class _Pieces(httpx2.AsyncByteStream):
    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces:
                yield piece
        except Exception as error:
            self.error = error
            raise


async def _read(response: httpx2.Response, request: OutgoingRequest) -> Reply:
    status, headers = response.status_code, _headers(response)
    limit = request.max_response_bytes
    if 200 <= status < 300:
        content = await _body(response, request, headers, limit)
    else:
        try:
            content = await _body(response, request, headers, min(limit, _MAX_ERROR))
        except Fault:
            # The status says enough, and what is behind it goes on to our own caller.
            content = b""
    return Reply(status, headers, content)


async def _body(
    response: httpx2.Response,
    request: OutgoingRequest,
    headers: dict[str, str],
    limit: int,
) -> bytes:
    bodiless = request.method == "HEAD"
    reader = BodyReader(
        headers.get("content-encoding", ""),
        "" if bodiless else headers.get("content-length", ""),
        limit=limit,
    )
    stream: Any = response.stream
    async for piece in stream:
        reader.feed(piece)
    return reader.finish()


def _headers(response: httpx2.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
