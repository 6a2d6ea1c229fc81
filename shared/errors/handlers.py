"""Answers of a FastAPI application when something went wrong.

::

    app = FastAPI()
    register_exception_handlers(app)

Every error then leaves as ``application/problem+json`` (RFC 9457) with the request's
correlation id; a WebSocket is refused with one, or closed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketState

from shared.errors._boundary import CLIENT_CLOSED_REQUEST, ErrorBoundary
from shared.errors._by_status import from_status
from shared.errors._exceptions import BaseAPIException, ValidationException
from shared.errors._jsonable import jsonable
from shared.errors._openapi import with_problems
from shared.errors._replies import (
    correlation_id_of,
    path_of,
    problem_response,
    safe_headers,
    websocket_end,
)
from shared.errors._request_errors import request_items
from shared.logging import correlation_id_var

__all__ = ["register_exception_handlers"]

_log = logging.getLogger("shared.errors")


def register_exception_handlers(app: FastAPI, *, type_base: str | None = None) -> None:
    """Make *app* answer every error with a problem, and say so in its OpenAPI document.

    - Errors of ``shared.errors``: their detail, facts and headers.
    - A refused request: 422 with ``errors[]``, which never repeats a rejected value.
    - ``HTTPException``, raised by the framework (404, 405, ...) or by code: its detail
      and headers. A dict as detail becomes members of the problem, a list ``errors[]``.
    - Anything else: a 500 that says nothing but its correlation id.

    Errors with a status of 500 and more are logged, with their traceback. An error in a
    middleware is answered in the same way but logged by the server, to which Starlette
    hands it on. A mounted application has handlers of its own to register.

    Call it once the application is made, before or after adding middleware; calling it
    again changes nothing.

    Args:
        app: The application.
        type_base: Where the codes are documented, such as ``https://docs.example/e/``;
            see `BaseAPIException.to_problem`.

    Raises:
        RuntimeError: The application has started to serve.
    """
    installed: list[object] = [middleware.cls for middleware in app.user_middleware]
    if ErrorBoundary in installed:
        return
    if app.middleware_stack is not None:
        raise RuntimeError("Register the exception handlers before the app is started.")
    answers = _Answers(type_base=type_base)
    app.add_exception_handler(BaseAPIException, answers.api_error)
    app.add_exception_handler(HTTPException, answers.http_exception)
    app.add_exception_handler(RequestValidationError, answers.refused)
    app.add_exception_handler(WebSocketRequestValidationError, answers.refused)
    app.add_exception_handler(Exception, answers.outside)
    # add_middleware makes the outermost; the end of this list is the innermost.
    app.user_middleware.append(Middleware(ErrorBoundary, answer=answers.unknown))
    _document_problems(app)


class _Answers:
    """The handlers, with what they are configured by."""

    def __init__(self, *, type_base: str | None) -> None:
        self._type_base = type_base

    async def api_error(self, conn: HTTPConnection, exc: Exception) -> Response:
        error = cast("BaseAPIException", exc)
        return await self._reply(conn, error, raised=exc)

    async def http_exception(self, conn: HTTPConnection, exc: Exception) -> Response:
        error = cast("HTTPException", exc)
        if isinstance(error.__cause__, ClientDisconnect):  # FastAPI reads the body
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        if not 400 <= error.status_code <= 599:  # a redirect, not modified, ...
            headers = safe_headers(error.headers or {})
            return Response(status_code=error.status_code, headers=headers)
        return await self._reply(conn, _from_http_exception(error), raised=exc)

    async def refused(self, conn: HTTPConnection, exc: Exception) -> Response:
        refusal = cast("RequestValidationError | WebSocketRequestValidationError", exc)
        errors = refusal.errors()
        items = request_items(errors, getattr(refusal, "body", None))
        detail = "The request does not fit the schema."
        if len(items) < len(errors):
            detail += f" The first {len(items)} of {len(errors)} errors are listed."
        # The path would repeat the value that was refused.
        in_path = any(item["pointer"].startswith("/@path") for item in items)
        error = ValidationException(items, detail)
        return await self._reply(conn, error, raised=exc, show_path=not in_path)

    async def outside(self, conn: HTTPConnection, exc: Exception) -> Response:
        """An error of a middleware; Starlette raises it again, for the server's log."""
        known = _known(exc)
        # Not reset: the server's own log line comes after us, in the same context.
        correlation_id_var.set(correlation_id_of(conn))
        error = known or BaseAPIException()
        return self._problem(conn, error, show_path=known is not None)

    def unknown(
        self, conn: HTTPConnection, exc: Exception, state: WebSocketState
    ) -> ASGIApp:
        error = BaseAPIException()
        _log_failure(conn, "Unhandled error.", exc, level=logging.ERROR)
        problem = self._problem(conn, error, show_path=False)
        if conn.scope["type"] == "http":
            return problem
        return websocket_end(conn.scope, state, problem, reason=error.code)

    async def _reply(
        self,
        conn: HTTPConnection,
        error: BaseAPIException,
        *,
        raised: Exception,
        show_path: bool = True,
    ) -> Response:
        if error.status_code >= 500:
            level = logging.ERROR if error.status_code == 500 else logging.WARNING
            _log_failure(conn, f"Answered {error.code}.", raised, level=level)
        problem = self._problem(conn, error, show_path=show_path)
        if not isinstance(conn, WebSocket):
            return problem
        state = conn.application_state
        if conn.client_state is WebSocketState.DISCONNECTED:
            state = conn.client_state
        end = websocket_end(conn.scope, state, problem, reason=error.code)
        await end(conn.scope, conn.receive, conn.send)
        # Starlette sends what a handler returns, older versions only for requests.
        return cast("Response", None)

    def _problem(
        self, conn: HTTPConnection, error: BaseAPIException, *, show_path: bool
    ) -> Response:
        return problem_response(
            conn,
            error,
            type_base=self._type_base,
            instance=path_of(conn) if show_path else None,
        )


def _known(exc: Exception) -> BaseAPIException | None:
    if isinstance(exc, BaseAPIException):
        return exc
    if isinstance(exc, HTTPException) and 400 <= exc.status_code <= 599:
        return _from_http_exception(exc)
    return None


def _from_http_exception(exc: HTTPException) -> BaseAPIException:
    # FastAPI's own allows anything JSON as detail.
    detail: object = exc.detail
    text: str | None = None
    extra: dict[str, Any] = {}
    if isinstance(detail, str):
        text = detail
    elif isinstance(detail, Mapping):
        extra = dict(detail)
        for name in ("detail", "message"):
            if isinstance(extra.get(name), str):
                text = extra.pop(name)
                break
    elif isinstance(detail, list):
        extra = {"errors": detail}
    else:
        text = str(jsonable(detail))  # what JSON can't hold is not quoted
    return from_status(exc.status_code, text, extra=extra, headers=exc.headers or {})


def _log_failure(
    conn: HTTPConnection, message: str, exc: Exception, *, level: int
) -> None:
    # The line carries the id that the reply shows, also without our middleware.
    token = correlation_id_var.set(correlation_id_of(conn))
    try:
        _log.log(level, message, exc_info=exc)
    finally:
        correlation_id_var.reset(token)


def _document_problems(app: FastAPI) -> None:
    original = app.openapi

    def openapi() -> dict[str, Any]:
        return with_problems(original())

    # FastAPI's documented way to extend its document.
    app.openapi = openapi  # type: ignore[method-assign]
