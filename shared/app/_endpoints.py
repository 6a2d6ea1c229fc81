"""The paths that every service answers itself, as one entry of its route table.

One, since a router asks its entries in turn: seven would cost each request seven
regular expressions.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

_METHODS = ("GET", "HEAD")


class Endpoint:
    """What a router leaves behind for who asks which route was taken."""

    def __init__(self, path: str, handler: Handler) -> None:
        self.path = self.path_format = path
        self.handler = handler


class Endpoints(BaseRoute):
    """Exact paths, each with what answers a GET of it."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._endpoints = {path: Endpoint(path, h) for path, h in handlers.items()}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the path is one of ours."""
        path = scope["path"]
        if root := scope.get("root_path", ""):
            path = path.removeprefix(root)
        endpoint = self._endpoints.get(path)
        if endpoint is None or scope["type"] != "http":
            return Match.NONE, {}
        return Match.FULL, {
            "endpoint": endpoint.handler,
            "path_params": {},
            "route": endpoint,
        }

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["method"] not in _METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(_METHODS)})
        response = await scope["endpoint"](Request(scope, receive))
        if scope["method"] == "HEAD":
            response.body = b""  # the length stays that of the answer to GET
        await response(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """These routes have no names."""
        raise NoMatchFound(name, path_params)
