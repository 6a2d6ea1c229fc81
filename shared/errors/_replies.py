"""Errors as ASGI replies: an HTTP problem, or the end of a WebSocket.

Private: used by ``shared.errors.handlers`` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose, WebSocketState

from shared.errors._exceptions import BaseAPIException
from shared.errors._headers import merge_headers
from shared.errors._openapi import PROBLEM_MEDIA_TYPE
from shared.logging import correlation_id_var

_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CORRELATION_HEADER: Final = "X-Correlation-ID"

# What describes a body describes ours, whatever the error brings along.
_OF_THE_BODY: Final = frozenset(
    {"content-encoding", "content-length", "content-type", "transfer-encoding"}
)


def correlation_id_of(conn: HTTPConnection) -> str:
    """The id of this request; a fresh one if no middleware gave it any."""
    for known in (
        getattr(conn.state, "correlation_id", None),
        correlation_id_var.get(),
    ):
        if isinstance(known, str) and _CORRELATION_ID.fullmatch(known):
            return known
    conn.state.correlation_id = fresh = str(uuid4())
    return fresh


def path_of(conn: HTTPConnection) -> str:
    """The path of the request as a URI reference, without the query."""
    path: str = conn.scope["path"]
    return quote(path, safe="/:@!$&'()*+,;=~", errors="replace")


def problem_response(
    conn: HTTPConnection,
    error: BaseAPIException,
    *,
    type_base: str | None,
    instance: str | None,
) -> Response:
    """*error* as ``application/problem+json``; without the body for a HEAD request."""
    correlation_id = correlation_id_of(conn)
    headers = {**error.headers, _CORRELATION_HEADER: correlation_id}
    response = JSONResponse(
        error.to_problem(
            instance=instance, correlation_id=correlation_id, type_base=type_base
        ),
        status_code=error.status_code,
        headers=safe_headers(headers),
        media_type=PROBLEM_MEDIA_TYPE,
    )
    if conn.scope.get("method") == "HEAD":
        response.body = b""  # the length stays that of the answer to GET
    return response


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """*headers* that can be sent with a body of ours; see `merge_headers`."""
    return {
        name: value
        for name, value in merge_headers({}, headers).items()
        if name.lower() not in _OF_THE_BODY
    }


def websocket_end(
    scope: Scope, state: WebSocketState, denial: Response, *, reason: str
) -> ASGIApp:
    """What ends a WebSocket in *state* as *denial* would end a request.

    Before the handshake is answered that is *denial* itself, if the server can send it
    (ASGI's WebSocket Denial Response), else a close, which servers turn into a bare
    403. After it, a close with *reason*: 1013 (try again later) for 429 and 503, 1011
    (internal error) for other 5xx, 1008 (policy violation) for the rest.
    """
    if state is WebSocketState.CONNECTING:
        if "websocket.http.response" in scope.get("extensions", {}):
            return denial
    elif state is not WebSocketState.CONNECTED:
        return _silence
    return WebSocketClose(_close_code(denial.status_code), reason)


def _close_code(status: int) -> int:
    if status in (429, 503):
        return 1013
    return 1011 if status >= 500 else 1008


async def _silence(scope: Scope, receive: Receive, send: Send) -> None:
    """The connection has ended already."""
