"""The outer wall of a service: how large, how long, and with which headers.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BaseAPIException, PayloadTooLargeException
from shared.resilience import (
    DEADLINE_HEADER,
    Deadline,
    DeadlineExceededError,
    deadline_scope,
)

Refuse = Callable[[Scope, Receive, Send, BaseAPIException], Awaitable[None]]

_TIMER: Final = "shared.app.timer"
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


class Gateway:
    """Middleware around the whole application, its answers to errors included.

    Args:
        app: The application.
        refuse: Answers a request with an error, as the application would.
        headers: Are put on each reply that does not have them.
        max_body_bytes: A larger body is answered with 413 as soon as that is known.
        timeout: Seconds from the request's head to the end of its reply. A caller may
            ask for fewer in ``X-Request-Timeout-Ms``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        refuse: Refuse,
        headers: Iterable[tuple[bytes, bytes]],
        max_body_bytes: int,
        timeout: float,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._headers = tuple(headers)
        self._max_body_bytes = max_body_bytes
        self._timeout = timeout
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = wish = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == _DEADLINE_HEADER:
                wish = value
        exchange = _Exchange(receive, send, self._headers, self._max_body_bytes)
        deadline = wish and Deadline.from_header(
            wish.decode("latin-1"), at_most=self._timeout
        )
        if not deadline:
            deadline = Deadline.after(self._timeout)
        error: BaseAPIException
        self.active += 1
        try:
            if length is not None and exceeds(length, self._max_body_bytes):
                # Nobody will read the rest, so the connection is of no further use.
                error = too_large(self._max_body_bytes, {"Connection": "close"})
                await self._refuse(scope, receive, exchange.send, error)
            elif deadline.expired:
                error = DeadlineExceededError("The request came too late.")
                await self._refuse(scope, receive, exchange.send, error)
            else:
                await self._limited(scope, exchange, deadline)
        finally:
            self.active -= 1

    async def _limited(
        self, scope: Scope, exchange: _Exchange, deadline: Deadline
    ) -> None:
        timer = asyncio.timeout(deadline.remaining())
        scope[_TIMER] = exchange.timer = timer
        try:
            async with timer:
                with deadline_scope(deadline):
                    await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError as late:
            if not timer.expired():  # it is the application's own
                raise
            error = DeadlineExceededError("The request was not answered in time.")
            if exchange.started:  # half an answer: the server cuts the connection
                raise error from late
            exchange.timer = None
            await self._refuse(scope, exchange.receive, exchange.send, error)


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_extra", "_left", "_limit", "_receive", "_send", "started", "timer")

    def __init__(
        self,
        receive: Receive,
        send: Send,
        headers: tuple[tuple[bytes, bytes], ...],
        max_body_bytes: int,
    ) -> None:
        self._receive = receive
        self._send = send
        self._extra = headers
        self._limit = self._left = max_body_bytes
        self.started = False
        self.timer: asyncio.Timeout | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                # Of Starlette's class: FastAPI makes a 400 of any other error that
                # comes up while it reads a body.
                error = too_large(self._limit, {"Connection": "close"})
                raise HTTPException(413, error.detail, error.headers)
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.started = True
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [extra for extra in self._extra if extra[0] not in names]
            message = {**message, "headers": headers}
        await self._send(message)
        if kind == "http.response.pathsend" or (
            kind == "http.response.body" and not message.get("more_body")
        ):
            # The answer is out. Background tasks have as long as they need.
            if self.timer is not None and not self.timer.expired():
                self.timer.reschedule(None)
            deadline_scope(None).__enter__()


def lift_deadline(connection: HTTPConnection) -> None:
    """Let the answer to this request take as long as it will.

    For a stream without an end, such as server-sent events. Calls that the handler
    makes still see the deadline; ``deadline_scope(None)`` lifts it for them.
    """
    timer = connection.scope.get(_TIMER)
    if timer is not None and not timer.expired():
        timer.reschedule(None)


def exceeds(content_length: bytes, limit: int) -> bool:
    """Say whether a length is over the limit; one that is no number is not."""
    return content_length.isdigit() and int(content_length[:20]) > limit


def too_large(limit: int, headers: dict[str, str]) -> PayloadTooLargeException:
    """The error for a body over *limit*."""
    return PayloadTooLargeException(
        f"The body must not exceed {limit} bytes.", headers=headers
    )
