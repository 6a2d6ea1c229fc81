"""The last stop of an error that no handler knows: it is logged once and answered.

Starlette has two places for that, and both lose something. A handler for ``Exception``
lands in ServerErrorMiddleware, outside of all middleware (no access log, no correlation
header), which raises the error again, so that the server logs it a second time. A
handler for ``BaseException`` would land inside, but ExceptionMiddleware accepts only
classes of ``Exception``. Hence a middleware of ours, the innermost one.

Private: used by ``shared.errors.handlers`` only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect, WebSocketState

_log = logging.getLogger("shared.errors")

# Not registered, but what nginx and others write into their access logs.
CLIENT_CLOSED_REQUEST: Final = 499

_LAST_WORDS: Final = frozenset({"websocket.close", "websocket.http.response.start"})

Answer = Callable[[HTTPConnection, Exception, WebSocketState], ASGIApp]


class ErrorBoundary:
    """Middleware that lets an error out only when nothing more can be sent.

    The server then cuts the connection, so that a client does not take half an answer
    for a whole one, and logs the error.

    Args:
        app: The application to guard.
        answer: Logs an error and makes the reply for it, given the state in which a
            WebSocket is (CONNECTING for a request that is not answered yet).
    """

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            # Before sending: a limit on bodies can refuse the first message, after
            # having sent a reply of its own.
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            _log.info("The client left before it was answered.")
            if not started:
                # For the access log; nobody is there to receive it.
                await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Exception as error:
            if started:
                raise
            state = WebSocketState.CONNECTING
            reply = self._answer(HTTPConnection(scope), error, state)
            await reply(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = WebSocketState.CONNECTING

        async def watched_receive() -> Message:
            nonlocal state
            message = await receive()
            if message["type"] == "websocket.disconnect":
                state = WebSocketState.DISCONNECTED
            return message

        async def watched_send(message: Message) -> None:
            nonlocal state
            if message["type"] in _LAST_WORDS:
                state = WebSocketState.RESPONSE
            elif message["type"] == "websocket.accept":
                state = WebSocketState.CONNECTED
            await send(message)

        try:
            await self._app(scope, watched_receive, watched_send)
        except WebSocketDisconnect:
            _log.info("The client left a WebSocket.")
        except Exception as error:
            if state in (WebSocketState.RESPONSE, WebSocketState.DISCONNECTED):
                raise
            reply = self._answer(HTTPConnection(scope), error, state)
            await reply(scope, receive, send)
