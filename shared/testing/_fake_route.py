"""What a fake service answers, and how it fails to.

Private: import these names from ``shared.testing.fake_service``.
"""

from __future__ import annotations

import asyncio
import inspect
import json as json_module
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import unquote

from shared.errors import PROBLEM_MEDIA_TYPE, BaseAPIException
from shared.testing._fake_request import RecordedRequest

_NOTHING: Final = object()
_CHUNK: Final = 65536
_NO_BODY: Final = frozenset({204, 304})
_OF_THE_BODY: Final = frozenset({"content-length", "transfer-encoding"})


@dataclass(frozen=True, kw_only=True)
class FakeReply:
    """An answer.

    Args:
        status: The HTTP status.
        json: The body as JSON; with its ``Content-Type``, unless *headers* has one.
        body: The body as it is.
        headers: Further fields.

    Raises:
        ValueError: There are two bodies, or a header is the server's to set.
    """

    status: int = 200
    json: object = field(default=_NOTHING, repr=False)
    body: bytes | str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError(f"status must be from 200 to 599 (got {self.status}).")
        if self.json is not _NOTHING and self.body is not None:
            raise ValueError("A reply has json= or body=, not both.")
        if mine := _OF_THE_BODY.intersection(name.lower() for name in self.headers):
            raise ValueError(f"The header {min(mine)} is the fake server's to set.")

    def content(self) -> bytes:
        """The body as bytes.

        Raises:
            TypeError: *json* is nothing that has JSON.
        """
        if self.json is not _NOTHING:
            return json_module.dumps(self.json).encode()
        body = self.body or b""
        return body.encode() if isinstance(body, str) else body

    def fields(self) -> dict[str, str]:
        """The headers, with the type of the body."""
        if self.json is _NOTHING or any(
            n.lower() == "content-type" for n in self.headers
        ):
            return dict(self.headers)
        return {"Content-Type": "application/json", **self.headers}


Answer = FakeReply | BaseAPIException
AnswerFunction = Callable[[RecordedRequest], Answer | Awaitable[Answer]]


class Exchange:
    """One request and the connection that its answer goes to."""

    def __init__(
        self,
        request: RecordedRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.request = request
        self.reader = reader
        self.writer = writer

    async def answer(self, answer: Answer) -> None:
        """Send it whole."""
        reply = as_reply(answer, self.request)
        body = reply.content()
        sent = b"" if self.request.method == "HEAD" else body
        self.begin(reply, length=len(body), body=sent)
        await self.writer.drain()

    def begin(self, reply: FakeReply, *, length: int | None, body: bytes = b"") -> None:
        """Send status and headers, and *body* or the beginning of it.

        Args:
            reply: Whose status and headers.
            length: That the body has; None for a body in chunks.
            body: What is sent at once.
        """
        fields = reply.fields()
        if (correlation_id := self.request.correlation_id) is not None:
            fields.setdefault("X-Correlation-ID", correlation_id)
        if length is None:
            fields["Transfer-Encoding"] = "chunked"
        elif reply.status not in _NO_BODY:
            fields["Content-Length"] = str(length)
        try:
            phrase = HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.writer.write(head + body)

    def reset(self) -> None:
        """End the connection with a RST, as the kernel does for a killed process."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def as_reply(answer: object, request: RecordedRequest) -> FakeReply:
    """*answer* as it goes over the wire.

    Raises:
        TypeError: It is none.
    """
    if isinstance(answer, BaseAPIException):
        problem = answer.to_problem(
            instance=request.path, correlation_id=request.correlation_id
        )
        headers = {**answer.headers, "Content-Type": PROBLEM_MEDIA_TYPE}
        return FakeReply(status=answer.status_code, json=problem, headers=headers)
    if not isinstance(answer, FakeReply):
        raise TypeError(
            "An answer is a FakeReply or an error of shared.errors "
            f"(got {type(answer).__name__})."
        )
    return answer


# Whether the connection may be used again.
Behaviour = Callable[[Exchange], Awaitable[bool]]


@dataclass
class _Step:
    behave: Behaviour
    left: int | None


class Route:
    """What happens to requests of one method and path, told step by step.

    Each step is for so many requests (``times=``); the one behind it comes next. One
    without ``times`` is the last. When all are used up, the route is as if it were not
    there, and one that was added before it for the same path answers again.

    A route that was told nothing answers 204.
    """

    def __init__(self, method: str, path: str) -> None:
        if not path.startswith("/") or "?" in path:
            raise ValueError(f"A path starts with / and has no query (got {path!r}).")
        self.method = method.upper()
        self.path = path
        self._template = path.split("/")
        self._lock = threading.Lock()
        self._steps: list[_Step] = []
        self._told = False
        self._delay = 0.0
        self._delays_left: int | None = 0

    # What it answers

    def reply(
        self,
        status: int = 200,
        *,
        json: object = _NOTHING,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> Self:
        """Answer, as `FakeReply` says."""
        reply = FakeReply(status=status, json=json, body=body, headers=headers or {})
        reply.content()  # what has no JSON is the test's mistake, so it shows here
        return self._answers(reply, times)

    def reply_problem(
        self, error: BaseAPIException, *, times: int | None = None
    ) -> Self:
        """Answer as a service does that raises *error*."""
        return self._answers(error, times)

    def sequence(self, answers: Iterable[Answer]) -> Self:
        """Answer each once, in this order."""
        for answer in answers:
            self._answers(answer, 1)
        return self

    def call(self, function: AnswerFunction, *, times: int | None = None) -> Self:
        """Answer what *function* returns for the request.

        It runs in the thread of the fake, one at a time; an ``async`` one may wait.
        What it raises is answered with 500, and raised when the fake is left.
        """

        async def behave(exchange: Exchange) -> bool:
            answer = function(exchange.request)
            if inspect.isawaitable(answer):
                answer = await answer
            await exchange.answer(answer)
            return True

        return self._add(behave, times)

    def delay(self, seconds: float, *, times: int | None = None) -> Self:
        """Let requests wait before whatever else this route does."""
        with self._lock:
            self._delay, self._delays_left = seconds, times
        return self

    # How it fails

    def hang(self, *, times: int | None = None) -> Self:
        """Never answer, and keep the connection until the caller ends it."""

        async def behave(exchange: Exchange) -> bool:
            while await exchange.reader.read(_CHUNK):
                pass
            return False

        return self._add(behave, times)

    def reset(self, *, times: int | None = None) -> Self:
        """Cut the connection (RST) instead of an answer."""

        async def behave(exchange: Exchange) -> bool:
            exchange.reset()
            return False

        return self._add(behave, times)

    def hang_up(self, *, times: int | None = None) -> Self:
        """Close the connection (FIN) instead of an answer."""

        async def behave(exchange: Exchange) -> bool:
            return False

        return self._add(behave, times)

    def half_body(
        self, body: bytes = b'{"id": 1, "name": "x"}', *, times: int | None = None
    ) -> Self:
        """Promise all of *body*, send half of it, and close the connection."""

        async def behave(exchange: Exchange) -> bool:
            half = body[: len(body) // 2]
            exchange.begin(_json_head(), length=len(body), body=half)
            await exchange.writer.drain()
            return False

        return self._add(behave, times)

    def drip(
        self,
        body: bytes = b'{"id": 1, "name": "x"}',
        *,
        seconds: float = 0.05,
        times: int | None = None,
    ) -> Self:
        """Send *body* a byte at a time, with so many seconds before each."""

        async def behave(exchange: Exchange) -> bool:
            exchange.begin(_json_head(), length=len(body))
            for byte in body:
                await exchange.writer.drain()
                await asyncio.sleep(seconds)
                exchange.writer.write(bytes([byte]))
            await exchange.writer.drain()
            return True

        return self._add(behave, times)

    def endless_body(
        self, *, declared: int | None = None, times: int | None = None
    ) -> Self:
        """Send zeros until the caller ends the connection.

        Args:
            declared: Say in ``Content-Length`` that it is so many bytes, and stop
                there; else it has no length and no end.
            times: For so many requests.
        """

        async def behave(exchange: Exchange) -> bool:
            exchange.begin(_json_head(), length=declared)
            sent = 0
            while declared is None or sent < declared:
                size = _CHUNK if declared is None else min(_CHUNK, declared - sent)
                piece = bytes(size)
                exchange.writer.write(
                    piece if declared is not None else b"%x\r\n%s\r\n" % (size, piece)
                )
                sent += size
                await exchange.writer.drain()
                await asyncio.sleep(0)  # drain() does not let others run
            return True

        return self._add(behave, times)

    def redirect_loop(self, status: int = 307, *, times: int | None = None) -> Self:
        """Send the caller to where he is."""

        async def behave(exchange: Exchange) -> bool:
            location = {"Location": exchange.request.target}
            await exchange.answer(FakeReply(status=status, headers=location))
            return True

        return self._add(behave, times)

    def garbage(
        self, data: bytes = b"\x00\xffnot HTTP\r\n\r\n", *, times: int | None = None
    ) -> Self:
        """Answer with something that is not HTTP."""

        async def behave(exchange: Exchange) -> bool:
            exchange.writer.write(data)
            await exchange.writer.drain()
            return False

        return self._add(behave, times)

    # What the fake asks

    def match(self, method: str, target: str) -> dict[str, str] | None:
        """The values of the ``{names}``, or None if the request is another one."""
        if method != self.method:
            return None
        sent = target.partition("?")[0].split("/")
        if len(sent) != len(self._template):
            return None
        found: dict[str, str] = {}
        for ours, theirs in zip(self._template, map(unquote, sent), strict=True):
            if ours.startswith("{") and ours.endswith("}"):
                if not theirs:
                    return None
                found[ours[1:-1]] = theirs
            elif ours != theirs:
                return None
        return found

    def take(self) -> tuple[float, Behaviour] | None:
        """The delay and the behaviour for the next request; None if used up."""
        with self._lock:
            behave = self._next()
            if behave is None:
                return None
            if self._delays_left == 0:
                return 0.0, behave
            if self._delays_left is not None:
                self._delays_left -= 1
            return self._delay, behave

    def _next(self) -> Behaviour | None:
        if not self._told:
            return _no_content
        for step in self._steps:
            if step.left is None:
                return step.behave
            if step.left:
                step.left -= 1
                return step.behave
        return None

    def _answers(self, answer: Answer, times: int | None) -> Self:
        if not isinstance(answer, FakeReply | BaseAPIException):
            raise TypeError(
                "An answer is a FakeReply or an error of shared.errors "
                f"(got {type(answer).__name__})."
            )

        async def behave(exchange: Exchange) -> bool:
            await exchange.answer(answer)
            return True

        return self._add(behave, times)

    def _add(self, behave: Behaviour, times: int | None) -> Self:
        if times is not None and times < 1:
            raise ValueError(f"times must be 1 or more (got {times}).")
        with self._lock:
            if self._steps and self._steps[-1].left is None:
                raise ValueError(
                    f"{self} goes on forever, so nothing behind it is reached: say "
                    "times= before, or call on() again to answer otherwise."
                )
            self._steps.append(_Step(behave, times))
            self._told = True
        return self

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


async def no_such_route(exchange: Exchange) -> bool:
    """Answer a request that nobody expected."""
    problem = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"The fake service has no answer to {exchange.request}.",
        "code": "no_such_route",
    }
    headers = {"Content-Type": PROBLEM_MEDIA_TYPE}
    await exchange.answer(FakeReply(status=404, json=problem, headers=headers))
    return True


async def _no_content(exchange: Exchange) -> bool:
    await exchange.answer(FakeReply(status=204))
    return True


def _json_head() -> FakeReply:
    return FakeReply(headers={"Content-Type": "application/json"})
