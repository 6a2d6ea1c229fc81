"""FastAPI with layers outside of everything that a service adds to it.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.app._openapi import described
from shared.app._resources import StartError

Layer = Callable[[ASGIApp], ASGIApp]


class ServiceApp(FastAPI):
    """An application that is wrapped in *layers*, the first of them outermost.

    ``add_middleware`` puts each new one around those that are there, and the answer to
    an error of a middleware comes from outside of all. What has to see every reply, for
    its log line or its headers, stands here.
    """

    def __init__(self, layers: list[Layer], **kwargs: Any) -> None:
        self.layers = layers
        super().__init__(**kwargs)

    def openapi(self) -> dict[str, Any]:
        """Return the document, with what every service has."""
        return described(super().openapi())

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application as the server calls it."""
        stack = super().build_middleware_stack()
        for layer in reversed(self.layers):
            stack = layer(stack)
        return _PlainWords(stack)


class _PlainWords:
    """Middleware that tells the server why the start failed, in one line.

    Starlette would send the traceback.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: list[Message] = []

        async def held(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, held)
        except StartError as error:
            for message in failed:
                await send({**message, "message": str(error)})
            raise
        except BaseException:
            for message in failed:
                await send(message)
            raise
