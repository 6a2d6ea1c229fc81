"""More on access lines while `enableVerboseApiLogging` is on: headers and sizes.

The access log writes its line through `logging`, which lets a filter add to it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api_platform.parts import Parts
from services.api_platform.toggles import VERBOSE, FeatureToggles, VerboseSettings

ACCESS_LOG: Final = "shared.logging.middleware"

_API: Final = "/api/"
_LONGEST: Final = 200
_MOST: Final = 50
_REDACTED: Final = "[REDACTED]"
# Of any other field only the name is logged: what a client calls its secrets is not
# ours to guess.
_SHOWN: Final = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "cache-control"),
        *("connection", "content-encoding", "content-length", "content-type"),
        *("host", "ratelimit", "ratelimit-policy", "retry-after", "traceparent"),
        *("transfer-encoding", "user-agent", "vary", "x-correlation-id"),
        *("x-request-timeout-ms",),
    }
)

_Headers = Iterable[tuple[bytes, bytes]]


class _Details:
    """What is known of a request and its reply so far."""

    def __init__(self, headers: _Headers) -> None:
        self.request_headers = redacted(headers)
        self.response_headers: dict[str, str] = {}
        self.request_bytes = 0
        self.response_bytes = 0


_details: ContextVar[_Details | None] = ContextVar("verbose_details", default=None)


def add_verbose_logging(parts: Parts) -> None:
    """Let the access lines of the server have headers and sizes while that is on."""
    parts.service.add_layer(lambda app: _Verbose(app, parts.toggles))

    @asynccontextmanager
    async def filtering() -> AsyncIterator[None]:
        log = logging.getLogger(ACCESS_LOG)
        log.addFilter(_add_details)
        try:
            yield
        finally:
            log.removeFilter(_add_details)

    parts.service.add_resource("verbose access log", filtering)


def redacted(headers: _Headers) -> dict[str, str]:
    """Header fields as they may be logged: values of a few harmless ones."""
    shown: dict[str, str] = {}
    for raw_name, raw_value in list(headers)[:_MOST]:
        name = raw_name.decode("latin-1").lower()[:_LONGEST]
        value = _REDACTED
        if name in _SHOWN:
            value = raw_value.decode("latin-1")[:_LONGEST]
        shown[name] = value
    return shown


def _add_details(record: logging.LogRecord) -> bool:
    details = _details.get()
    if details is not None:
        record.__dict__.update(vars(details))
    return True


class _Verbose:
    """Middleware right inside of the access log."""

    def __init__(self, app: ASGIApp, toggles: FeatureToggles) -> None:
        self._app = app
        self._toggles = toggles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Probes must not wait for the database, where the toggles are.
        asked = scope["type"] == "http" and scope["path"].startswith(_API)
        on = asked and await self._toggles.get(VERBOSE, VerboseSettings)
        # Left as it is behind the request: after an error the line comes later.
        details = _Details(scope["headers"]) if on else None
        _details.set(details)
        if details is None:
            await self._app(scope, receive, send)
            return

        async def counting_receive() -> Message:
            message = await receive()
            details.request_bytes += len(message.get("body", b""))
            return message

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                details.response_headers = redacted(message.get("headers", ()))
            details.response_bytes += len(message.get("body", b""))
            await send(message)

        await self._app(scope, counting_receive, counting_send)
