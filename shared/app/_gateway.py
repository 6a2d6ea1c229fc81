"""The outer wall of a service: how large, how long, and with which headers.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from time import monotonic
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import (
    BadRequestException,
    BaseAPIException,
    PayloadTooLargeException,
)
from shared.resilience import (
    DEADLINE_HEADER,
    Deadline,
    DeadlineExceededError,
    deadline_scope,
)

Refuse = Callable[[Scope, Receive, Send, BaseAPIException], Awaitable[None]]

_EXCHANGE: Final = "shared.app.exchange"
_DEADLINE_HEADER: Final = DEADLINE_HEADER.lower().encode()

# OWASP's cheat sheet of REST security, for replies that are data and no pages. A reply
# that sets one of them itself keeps its own.
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
# Two years: what browsers ask for to know the site before the first visit.
HSTS: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class Cors(CORSMiddleware):
    """Starlette's, whose refusal of a preflight request is plain text."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the permission.

        Raises:
            BadRequestException: There is none.
        """
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        kept = {
            name: value
            for name, value in response.headers.items()
            if name not in {"content-length", "content-type"}
        }
        raise BadRequestException(f"{bytes(response.body).decode()}.", headers=kept)


class Gateway:
    """Middleware around the whole application, its answers to errors included.

    Args:
        app: The application.
        refuse: Answers a request with an error, as the application would.
        headers: Are put on each reply that does not have them.
        max_body_bytes: A larger body is answered with 413 as soon as that is known.
        timeout: Seconds from the request's head to the end of its reply. A caller may
            ask for fewer in ``X-Request-Timeout-Ms``.
        cors: Wraps what answers pages of other origins. Only they pay for it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        refuse: Refuse,
        headers: Iterable[tuple[bytes, bytes]],
        max_body_bytes: int,
        timeout: float,
        cors: Callable[[ASGIApp], ASGIApp] | None = None,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._headers = tuple(headers)
        # A reply may vary by more than we know of.
        self._names = frozenset(name for name, _ in self._headers) - {b"vary"}
        self._max_body_bytes = max_body_bytes
        self._timeout = timeout
        self._timers = Timers(timeout)
        self._cors = cors and cors(self._guarded)
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.active += 1
        try:
            if self._cors is not None and _has_origin(scope):
                if _is_preflight(scope):
                    await self._preflight(self._cors, scope, receive, send)
                else:
                    await self._cors(scope, receive, send)
            else:
                await self._guarded(scope, receive, send)
        finally:
            self.active -= 1

    async def _preflight(
        self, cors: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        # It says itself by what it varies.
        headers = tuple(pair for pair in self._headers if pair[0] in self._names)
        answer = Exchange(receive, send, headers, self._names, self._max_body_bytes)
        try:
            await cors(scope, receive, answer.send)
        except BaseAPIException as error:
            await self._refuse(scope, receive, answer.send, error)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = wish = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == _DEADLINE_HEADER:
                wish = value
        exchange = Exchange(
            receive, send, self._headers, self._names, self._max_body_bytes
        )
        if length is not None and _exceeds(length, self._max_body_bytes):
            # Nobody will read the rest, so the connection is of no further use.
            error = _too_large(self._max_body_bytes)
            await self._refuse(scope, receive, exchange.send, error)
            return
        wished = wish and Deadline.from_header(
            wish.decode("latin-1"), at_most=self._timeout, clock=monotonic
        )
        scope[_EXCHANGE] = exchange
        if wished:
            if wished.expired:
                late = DeadlineExceededError("The request came too late.")
                await self._refuse(scope, receive, exchange.send, late)
                return
            self._timers.start(exchange, wished.remaining())
            deadline = wished
        else:
            self._timers.start(exchange)
            deadline = Deadline(monotonic() + self._timeout, clock=monotonic)
        await self._in_time(scope, exchange, deadline)

    async def _in_time(
        self, scope: Scope, exchange: Exchange, deadline: Deadline
    ) -> None:
        try:
            with deadline_scope(deadline):
                await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError as cancelled:
            if not exchange.expired or exchange.task_is_cancelled():
                raise
            error = DeadlineExceededError("The request was not answered in time.")
            if exchange.started:  # half an answer: the server cuts the connection
                raise error from cancelled
        else:
            if exchange.expired:  # and the application did not mind
                exchange.task_is_cancelled()
            return
        finally:
            exchange.stop_timer()
            # Each of them leads back to itself. What only the garbage collector frees
            # makes it stop all requests, several times a second under load.
            exchange.forget()
            del scope[_EXCHANGE]
        await self._refuse(scope, exchange.receive, exchange.send, error)


def _has_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])


def _is_preflight(scope: Scope) -> bool:
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


class Timers:
    """The timers of requests.

    All but a few have the same time, so the one that began first is due first, and one
    timer of the loop serves all. One each would be five times the price.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Exchange, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self, exchange: Exchange, seconds: float | None = None) -> None:
        """Cancel the current task after *seconds*, unless the timer is stopped."""
        loop = asyncio.get_running_loop()
        exchange.watch(asyncio.current_task(loop))
        if seconds is not None:
            handle = loop.call_later(seconds, exchange.expire)
            exchange.stop_timer = handle.cancel
            return
        if loop is not self._loop:  # tests run several, one after the other
            self._loop, self._handle, self._running = loop, None, {}
        self._running[exchange] = loop.time() + self._seconds
        exchange.stop_timer = partial(self._running.pop, exchange, None)
        if self._handle is None:
            self._handle = loop.call_later(self._seconds, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = None
        for exchange, due in list(self._running.items()):
            if due > loop.time():
                self._handle = loop.call_at(due, self._fire, loop)
                return
            del self._running[exchange]
            exchange.expire()


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_extra",
        "_left",
        "_limit",
        "_names",
        "_receive",
        "_requests",
        "_send",
        "_task",
        "expired",
        "started",
        "stop_timer",
    )

    def __init__(
        self,
        receive: Receive,
        send: Send,
        headers: tuple[tuple[bytes, bytes], ...],
        names: frozenset[bytes],
        max_body_bytes: int,
    ) -> None:
        self._receive = receive
        self._send = send
        self._extra = headers
        self._names = names
        self._limit = self._left = max_body_bytes
        self._task: asyncio.Task[object] | None = None
        self._requests = 0
        self.started = False
        self.expired = False
        self.stop_timer: Callable[[], object] = _nothing

    def watch(self, task: asyncio.Task[object] | None) -> None:
        """Remember the task, and how often somebody wants it cancelled already."""
        self._task = task
        self._requests = task.cancelling() if task else 0

    def forget(self) -> None:
        """Let go of task and timer, when both are over."""
        self._task = None
        self.stop_timer = _nothing

    def expire(self) -> None:
        """Time is up."""
        self.expired = True
        if self._task is not None:
            self._task.cancel()

    def task_is_cancelled(self) -> bool:
        """Take our own request to cancel back; say whether there are others."""
        return self._task is not None and self._task.uncancel() > self._requests

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                # Of Starlette's class: FastAPI makes a 400 of any other error that
                # comes up while it reads a body.
                error = _too_large(self._limit)
                raise HTTPException(413, error.detail, error.headers)
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.started = True
            headers = [*message.get("headers", ())]
            extra = self._extra
            for name, _ in headers:
                if name in self._names:
                    own = {name for name, _ in headers} & self._names
                    extra = tuple(pair for pair in extra if pair[0] not in own)
                    break
            headers += extra
            message = {**message, "headers": headers}
        await self._send(message)
        if kind == "http.response.pathsend" or (
            kind == "http.response.body" and not message.get("more_body")
        ):
            # The answer is out. Background tasks have as long as they need.
            self.stop_timer()
            deadline_scope(None).__enter__()


def _nothing() -> None:
    """Stand in for a timer."""


def lift_deadline(connection: HTTPConnection) -> None:
    """Let the answer to this request take as long as it will.

    For a stream without an end, such as server-sent events. Calls that the handler
    makes still see the deadline; ``deadline_scope(None)`` lifts it for them.
    """
    exchange = connection.scope.get(_EXCHANGE)
    if exchange is not None:
        exchange.stop_timer()


def _exceeds(content_length: bytes, limit: int) -> bool:
    """Whether a length is over the limit; one that is no number is not."""
    return content_length.isdigit() and int(content_length[:20]) > limit


def _too_large(limit: int) -> PayloadTooLargeException:
    """The error for a body over *limit*, of which the rest is not read."""
    return PayloadTooLargeException(
        f"The body must not exceed {limit} bytes.", headers={"Connection": "close"}
    )
