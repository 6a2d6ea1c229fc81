"""A service to call in tests: it answers, fails and remembers as it is told.

::

    with FakeService() as subjects:  # or: async with
        subjects.on("GET", "/api/v1/subjects/{id}").reply(json={"id": 7})
        ...  # call subjects.url with any client
        subjects.assert_requested("GET", "/api/v1/subjects/{id}", times=1)

Real connections on a port of this machine, so whatever clients do with time-outs, pools
and broken connections is what they do elsewhere. It needs the standard library alone.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from shared.errors import BaseAPIException
from shared.testing._fake_request import (
    Headers,
    MalformedRequestError,
    RecordedRequest,
    read_request,
)
from shared.testing._fake_route import (
    Answer,
    AnswerFunction,
    Behaviour,
    Exchange,
    FakeReply,
    Route,
    no_such_route,
)

__all__ = [
    "Answer",
    "AnswerFunction",
    "FakeReply",
    "FakeService",
    "Headers",
    "RecordedRequest",
    "Route",
]

_LINE: Final = 1 << 20  # the longest line of a request
_SHOWN: Final = 20  # requests in the message of a failed assertion
_JOIN_SECONDS: Final = 30.0
_BACKLOG: Final = 1024


class FakeService:
    """An HTTP/1.1 server in a thread, for the time of a ``with``.

    A request for which there is no route, or whose route is used up, is answered with a
    404 problem of code ``no_such_route``, and shown by the assertions.

    Its methods may be called from any thread and any event loop.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._routes: list[Route] = []
        self._requests: list[RecordedRequest] = []
        self._errors: list[BaseException] = []
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._most_connections = 0

    # Life

    def __enter__(self) -> Self:
        self.go_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.go_down()
        if error is None and self._errors:
            raise self._errors[0]

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, traceback)

    def go_up(self) -> None:
        """Listen; again at the same port, after `go_down`.

        Raises:
            RuntimeError: It does.
            OSError: Somebody took the port meanwhile.
        """
        if self._thread is not None:
            raise RuntimeError("The fake service listens already.")
        listener = socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG)
        self._port = listener.getsockname()[1]
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, listening)),
            name=f"fake service {self._port}",
            daemon=True,  # a test that is killed does not wait for it
        )
        self._thread.start()
        listening.wait()

    def go_down(self) -> None:
        """Refuse connections and cut those that are open; what it knows is kept."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(_JOIN_SECONDS)
        if thread.is_alive():
            raise RuntimeError("A function of the fake service does not end.")

    def cut_connections(self) -> None:
        """Close the connections that are open, as a server that restarts does."""
        if self._loop is not None and self._thread is not None:
            done = asyncio.run_coroutine_threadsafe(self._cut(), self._loop)
            done.result(_JOIN_SECONDS)

    # What it does

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        if not self._port:
            raise RuntimeError("The fake service has no URL before it is entered.")
        return f"http://127.0.0.1:{self._port}"

    def on(self, method: str, path: str) -> Route:
        """Say what happens to requests; of two routes that match, the newer counts.

        Args:
            method: The HTTP method.
            path: Without a query; ``{name}`` stands for one segment.

        Raises:
            ValueError: *path* is none.
        """
        route = Route(method, path)
        with self._condition:
            self._routes.insert(0, route)
        return route

    # What it was asked

    @property
    def requests(self) -> list[RecordedRequest]:
        """All requests so far, in the order in which they were complete."""
        with self._condition:
            return list(self._requests)

    @property
    def unmatched(self) -> list[RecordedRequest]:
        """The requests that no route answered."""
        return [request for request in self.requests if not request.matched]

    @property
    def open_connections(self) -> int:
        """Connections that neither side has ended."""
        with self._condition:
            return len(self._connections)

    @property
    def most_connections(self) -> int:
        """The most that were open at a time."""
        with self._condition:
            return self._most_connections

    def requests_to(self, method: str, path: str) -> list[RecordedRequest]:
        """The requests of this method and path, a template or a path as it was sent."""
        wanted = Route(method, path)
        return [
            r for r in self.requests if wanted.match(r.method, r.target) is not None
        ]

    def forget(self) -> None:
        """Forget the requests, not the routes."""
        with self._condition:
            self._requests.clear()

    def wait_for_requests(self, count: int = 1, *, timeout: float = 30.0) -> None:
        """Block until so many have come; from a coroutine with ``asyncio.to_thread``.

        Raises:
            AssertionError: They have not within *timeout* seconds.
        """
        with self._condition:
            if not self._condition.wait_for(
                lambda: len(self._requests) >= count, timeout
            ):
                raise AssertionError(self._told(f"{count} requests or more", "any"))

    def wait_until_idle(self, *, timeout: float = 30.0) -> None:
        """Block until no connection is open: callers have closed theirs.

        Raises:
            AssertionError: One still is, after *timeout* seconds.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: not self._connections, timeout):
                raise AssertionError(
                    f"{len(self._connections)} connections to the fake service are "
                    "still open."
                )

    # What should have been asked

    def assert_requested(
        self,
        method: str,
        path: str,
        *,
        times: int | None = None,
        where: Callable[[RecordedRequest], bool] | None = None,
        query: Mapping[str, str] | None = None,
        json: object = ...,
        headers: Mapping[str, str] | None = None,
    ) -> list[RecordedRequest]:
        """Check that it was asked for this, and return these requests.

        Args:
            method: The HTTP method.
            path: A template, or a path as it was sent.
            times: How often; else at least once.
            where: Says which requests count.
            query: Values that the query must have.
            json: The body.
            headers: Values that headers must have.

        Raises:
            AssertionError: It was not. The message has all requests, without queries,
                headers and bodies.
        """

        def counts(request: RecordedRequest) -> bool:
            return (
                (where is None or where(request))
                and (query is None or query.items() <= request.query.items())
                and (json is ... or _has_json(request, json))
                and all(request.headers.get(n) == v for n, v in (headers or {}).items())
            )

        asked = self.requests_to(method, path)
        found = [request for request in asked if counts(request)]
        if len(found) != times if times is not None else not found:
            wanted = "at least one request" if times is None else f"{times} requests"
            but = f"{len(found)}"
            if len(asked) > len(found):
                but += f" ({len(asked) - len(found)} more were not as asked for)"
            raise AssertionError(self._told(wanted, f"{method} {path}", but))
        return found

    def assert_all_matched(self) -> None:
        """Check that a route answered each request.

        Raises:
            AssertionError: None did.
        """
        if self.unmatched:
            raise AssertionError(self._told("no request without a route", "any"))

    def _told(self, wanted: str, whose: str, but: str = "other") -> str:
        with self._condition:
            requests, routes = list(self._requests), list(self._routes)
        lines = [f"Expected {wanted} of {whose}, got {but}. It was asked:"]
        for request in requests[-_SHOWN:]:
            lines.append(f"  {request}" + ("" if request.matched else "  (no route)"))
        if len(requests) > _SHOWN:
            lines.insert(1, f"  ... {len(requests) - _SHOWN} more before")
        if not requests:
            lines.append("  nothing")
        lines.append("It has: " + (", ".join(map(str, routes)) or "no routes"))
        return "\n".join(lines)

    # In its own thread

    async def _serve(self, listener: socket.socket, up: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(
            self._accept, sock=listener, limit=_LINE, backlog=_BACKLOG
        )
        up.set()
        await self._stopping.wait()
        server.close()
        await asyncio.sleep(0)  # what was accepted in this moment begins, and is seen
        while self.open_connections:
            await self._cut()

    async def _cut(self) -> None:
        with self._condition:
            connections = dict(self._connections)
        for task, writer in connections.items():
            writer.transport.abort()
            task.cancel()
        if connections:
            await asyncio.wait(connections)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        with self._condition:
            self._connections[task] = writer
            self._most_connections = max(self._most_connections, len(self._connections))
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.CancelledError):
            pass  # the caller is gone, or we are leaving
        finally:
            writer.close()
            with self._condition:
                del self._connections[task]
                self._condition.notify_all()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        try:
            request = await read_request(reader, writer)
        except MalformedRequestError:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return False
        if request is None:
            return False
        request, delay, behave = self._record(request)
        if delay and await _leaves(reader, within=delay):
            return False
        exchange = Exchange(request, reader, writer)
        try:
            stays = await behave(exchange)
        except ConnectionError:
            return False
        except Exception as error:  # of the test's own function: it is told at the end
            self._errors.append(error)
            await exchange.answer(BaseAPIException())
            return False
        return stays and request.headers.get("connection", "").lower() != "close"

    def _record(
        self, request: RecordedRequest
    ) -> tuple[RecordedRequest, float, Behaviour]:
        """Remember it, and say with which delay it is answered how."""
        with self._condition:
            delay: float = 0
            behave: Behaviour = no_such_route
            for route in self._routes:
                params = route.match(request.method, request.target)
                step = None if params is None else route.take()
                if params is not None and step is not None:
                    delay, behave = step
                    request = replace(request, path_params=params, matched=True)
                    break
            self._requests.append(request)
            self._condition.notify_all()
        return request, delay, behave


async def _leaves(reader: asyncio.StreamReader, *, within: float) -> bool:
    """Wait so long, unless the caller ends the connection first."""
    # No client of today sends a further request before it has the answer to this one.
    watching = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait([watching], timeout=within)
        return watching.done()
    finally:
        watching.cancel()


def _has_json(request: RecordedRequest, wanted: object) -> bool:
    try:
        return bool(request.json() == wanted)
    except ValueError:
        return False
