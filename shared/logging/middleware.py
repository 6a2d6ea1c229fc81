"""One access line per request, and a correlation id for all the lines in between.

Pure ASGI: works in front of any framework and imports none.

    app.add_middleware(RequestLogMiddleware)     # Starlette, FastAPI
    app = RequestLogMiddleware(app)              # anything; outside its 500 page too

The line has ``method``, ``route``, ``status`` and ``duration_ms``. ``route`` is the
template (``/users/{id}``): a path holds people's ids and one-time links, a query string
holds tokens, and a 404 can be asked for under any name, so none of them is logged.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from os import urandom
from time import perf_counter
from typing import Any, TypeAlias

from shared.logging import (
    correlation_id_var,
    parse_traceparent,
    trace_context_var,
)
from shared.logging._quick import QuickLine

__all__ = ["Observer", "RequestLogMiddleware", "route_template"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Observer: TypeAlias = Callable[[Scope, str, int, float], None]
"""Is told of each request or websocket at its end: scope, route, status, seconds."""

_CORRELATION_ID = b"x-correlation-id"
_REQUEST_ID = b"x-request-id"
_valid_id = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch

_UNMATCHED = "unmatched"
_CLIENT_LEFT = 499  # nginx's number for a client that did not wait for the answer

_SEEN = "shared.logging.middleware"

_log = logging.getLogger(__name__)


class RequestLogMiddleware:
    """Gives each request its correlation id, and writes its access line.

    The id is ``X-Correlation-ID``, else ``X-Request-ID``, if it is made of at most 128
    letters, digits, ``.``, ``_`` and ``-``; else a new UUID. It is in
    ``correlation_id_var`` and ``scope["state"]["correlation_id"]`` while the request
    runs, and goes back in the same header. A valid ``traceparent`` sets
    ``trace_context_var``.

    ``status`` is what the client was sent; 500 if the application raised before it
    answered, 499 if the client left before. ``error`` names the exception's class and
    ``disconnected`` is true if either came before the answer was complete. A websocket
    has status 101 (or what refused it), its ``close_code``, and one line at its end.

    After an exception the two variables stay set: the server's own report of it, in the
    same task, is part of this request.

    Args:
        app: The application.
        quiet_paths: Paths without an access line as long as the status is below 400,
            such as ``("/health",)``.
        observe: Is called when the access line is due, for quiet paths too, with what
            stands on the line. It must neither wait nor raise.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        quiet_paths: Iterable[str] = (),
        observe: Observer | None = None,
    ) -> None:
        self.app = app
        self._quiet = frozenset(quiet_paths)
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for one request, websocket or lifespan."""
        if scope["type"] not in ("http", "websocket") or _SEEN in scope:
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._quiet, self._observe)
        scope[_SEEN] = True  # the same middleware further in has nothing to add
        scope.setdefault("state", {})["correlation_id"] = exchange.correlation_id
        id_token = correlation_id_var.set(exchange.correlation_id)
        trace_token = trace_context_var.set(exchange.trace)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.finish(error)
            raise
        exchange.finish()
        trace_context_var.reset(trace_token)
        correlation_id_var.reset(id_token)


class _Exchange:
    """One request and its answer, or one websocket."""

    __slots__ = (
        "_close_code",
        "_disconnected",
        "_finished",
        "_headers",
        "_observe",
        "_quiet",
        "_receive",
        "_scope",
        "_send",
        "_started",
        "_status",
        "correlation_id",
        "trace",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        quiet: frozenset[str],
        observe: Observer | None,
    ) -> None:
        self._started = perf_counter()
        self._scope = scope
        self._receive = receive
        self._send = send
        self._quiet = quiet
        self._observe = observe
        self._status: int | None = None
        self._close_code: int | None = None
        self._disconnected = False
        self._finished = False
        headers = dict(scope["headers"])
        names = [_CORRELATION_ID]
        value = headers.get(_CORRELATION_ID, b"")
        if not _valid_id(value):
            value = headers.get(_REQUEST_ID, b"")
            if _valid_id(value):
                names.append(_REQUEST_ID)
            else:
                value = _new_id()
        self._headers = [(name, value) for name in names]
        self.correlation_id = value.decode()
        parent = headers.get(b"traceparent")
        self.trace = parse_traceparent(parent.decode("latin-1")) if parent else None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._disconnected = True
        elif message["type"] == "websocket.disconnect":
            self._close_code = self._close_code or message.get("code")
            self._disconnected = self._status is None
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._status = message["status"]
            message = self._with_id(message)
        elif kind == "websocket.accept":
            self._status = 101
            message = self._with_id(message)
        elif kind == "websocket.close":
            self._status = self._status or 403  # refused: the server answers for us
            self._close_code = message.get("code", 1000)
        try:
            await self._send(message)
        except OSError:  # the server's way to say so, ASGI 2.4
            self._disconnected = True
            raise
        if kind == "http.response.pathsend" or (
            kind == "http.response.body" and not message.get("more_body")
        ):
            self.finish()  # background tasks are not the client's business

    def _with_id(self, message: Message) -> Message:
        names = [name for name, _ in self._headers]
        others = [h for h in message.get("headers", ()) if h[0] not in names]
        return {**message, "headers": others + self._headers}

    def finish(self, error: BaseException | None = None) -> None:
        """Write the access line, once."""
        if self._finished:
            return
        self._finished = True
        scope, status = self._scope, self._status
        if status is None:
            cancelled = error is not None and not isinstance(error, Exception)
            status = _CLIENT_LEFT if self._disconnected or cancelled else 500
        seconds = perf_counter() - self._started
        quiet = status < 400 and error is None and scope["path"] in self._quiet
        if quiet and self._observe is None:
            return
        route = route_template(scope)
        if self._observe is not None:
            self._observe(scope, route, status, seconds)
        if quiet:
            return
        line: dict[str, object] = {
            "method": scope.get("method", "WEBSOCKET"),
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
        }
        if scope["type"] == "websocket":
            line["close_code"] = self._close_code
        if self._disconnected:
            line["disconnected"] = True
        if error is not None:
            line["error"] = type(error).__name__
        (_request if scope["type"] == "http" else _websocket).log(line)


_request = QuickLine(_log, "request", _Exchange.finish.__code__)
_websocket = QuickLine(_log, "websocket", _Exchange.finish.__code__)


def _new_id() -> bytes:
    """Return a random UUID (RFC 9562, section 5.4) in a third of uuid4()'s time."""
    digits = urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) % 4]
    text = (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{variant}{digits[17:20]}-{digits[20:]}"
    )
    return text.encode()


def route_template(scope: Scope) -> str:
    """Return the route that a router chose, as ``/users/{id}``, or ``unmatched``."""
    try:
        return _route(scope)
    except Exception:  # these are other packages' objects, and this is but a log line
        return _UNMATCHED


def _route(scope: Scope) -> str:
    """Return the template of the path, from what the framework's router left behind."""
    route = scope.get("route")
    if "app_root_path" in scope:  # Starlette's trace of a mounted application
        mount = _mount(scope) or "/{mount}"
        return mount + (_template(scope, route) or "/*")
    if route is None and _is_constant(scope):
        return scope["path"].removeprefix(scope.get("root_path", "")) or "/"
    return _template(scope, route) or _UNMATCHED


def _template(scope: Scope, route: Any) -> str | None:
    """Return the route's own template, with the prefixes of FastAPI's routers."""
    if route is None or hasattr(route, "routes"):  # a mount is not the end of the way
        return None
    included = scope.get("fastapi", {}).get("effective_route_context")
    if getattr(included, "original_route", None) is route:
        route = included.starlette_route or included
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    return template if isinstance(template, str) else None


def _is_constant(scope: Scope) -> bool:
    """Say whether a route without parameters matched, so that its path is a template.

    FastAPI does not name plain Starlette routes, such as ``/docs``.
    """
    return scope.get("path_params") == {} and hasattr(scope.get("endpoint"), "__name__")


def _mount(scope: Scope) -> str:
    """Return the template of the mounts that the request went through."""
    left = scope["root_path"].removeprefix(scope["app_root_path"])
    routes = getattr(scope.get("router"), "routes", ())
    template = ""
    while left:
        for route in routes:
            regex = getattr(route, "path_regex", None)
            match = regex and hasattr(route, "routes") and regex.match(left + "/")
            if match:
                template += route.path_format.removesuffix("/{path}")
                left = match["path"].rstrip("/")
                left = left and f"/{left}"
                routes = route.routes
                break
        else:
            return ""
    return template
