"""How large, how long, and with which headers."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from typing import Any

import pytest
from fastapi import BackgroundTasks, Request, WebSocket
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient

from shared.app import Service, lift_deadline
from shared.app._gateway import SECURITY_HEADERS, Exchange, Gateway, Timers
from shared.errors import BaseAPIException
from shared.resilience import (
    DEADLINE_HEADER,
    DeadlineExceededError,
    current_deadline,
)
from shared.testing import FakeClock, captured_logs, is_problem

Message = MutableMapping[str, Any]
Make = Callable[..., Service]
SOON = {"request_timeout": 0.01}


class Note(BaseModel):
    """A body."""

    text: str


# Size


@pytest.fixture
def notes(make: Make) -> TestClient:
    """A service that takes bodies of up to a hundred bytes."""
    service = make(server={"max_body_bytes": 100})

    @service.app.post("/notes")
    async def note(note: Note) -> int:
        return len(note.text)

    @service.app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    return TestClient(service.app)


class Parts:
    """A body without a Content-Length, in parts of ten bytes."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"x" * 10] * self._count)


@pytest.mark.parametrize("path", ["/notes", "/raw"])
@pytest.mark.parametrize(
    "body", [b"x" * 101, Parts(11)], ids=["content-length", "chunked"]
)
def test_a_body_that_is_too_large(notes: TestClient, path: str, body: Any) -> None:
    """A 413 problem, whether the length is told or counted, and no word of the body."""
    headers = {"Content-Type": "application/json"}
    reply = notes.post(path, content=body, headers=headers)

    assert reply == is_problem(status=413, code="payload_too_large")
    assert reply.json()["detail"] == "The body must not exceed 100 bytes."
    assert reply.headers["Connection"] == "close"
    assert reply.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("body", [b"x" * 100, Parts(10)])
def test_a_body_of_just_that_size(notes: TestClient, body: Any) -> None:
    """The limit itself is allowed."""
    assert notes.post("/raw", content=body).json() == 100


def test_a_length_that_is_none(notes: TestClient) -> None:
    """It is the server's to refuse; what comes is counted all the same."""
    headers = {"Content-Length": "a lot"}

    assert notes.post("/raw", content=b"x" * 50, headers=headers).json() == 50
    assert notes.post("/raw", content=b"x" * 101, headers=headers) == is_problem(
        status=413
    )


async def test_a_length_that_lies(make: Make) -> None:
    """More bytes than were announced count too."""
    service = make(server={"max_body_bytes": 10})

    @service.app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    sent = await exchange(service.app, b"x" * 11, (b"content-length", b"3"))

    assert sent[0]["status"] == 413


async def exchange(
    app: Any, body: bytes = b"", *headers: tuple[bytes, bytes], path: str = "/raw"
) -> list[Message]:
    """Ask without a server, and return what was sent."""
    sent: list[Message] = []
    incoming = [body]

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()  # the client stays
        return {"type": "http.request", "body": incoming.pop()}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": list(headers),
    }
    await app(scope, receive, send)
    return sent


@given(sizes=st.lists(st.integers(0, 50), max_size=8), limit=st.integers(1, 120))
def test_parts_count_together(sizes: list[int], limit: int) -> None:
    """Refused exactly when the sum is over the limit, however it is cut."""
    waiting = iter(sizes)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * next(waiting), "more_body": True}

    async def send(message: Message) -> None:
        """Nobody listens."""

    async def all_of_it() -> bool:
        incoming = Exchange(receive, send, (), frozenset(), limit)
        try:
            for _ in sizes:
                await incoming.receive()
        except Exception as error:
            return getattr(error, "status_code", None) == 413
        return False

    assert asyncio.run(all_of_it()) == (sum(sizes) > limit)


# Time


@pytest.fixture
def slow(make: Make) -> tuple[TestClient, list[str]]:
    """A service whose handlers do not end by themselves, and what they noticed."""
    service = make(server=SOON)
    noticed: list[str] = []
    app = service.app

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            noticed.append("cancelled")
            raise

    @app.get("/waits")
    async def waits() -> None:
        await forever()

    @app.get("/ignores")
    async def ignores() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "on my own terms"

    return TestClient(app, raise_server_exceptions=False), noticed


def test_a_request_that_takes_too_long(slow: tuple[TestClient, list[str]]) -> None:
    """A 504 problem; the handler is cancelled, so that its `finally` runs."""
    client, noticed = slow
    with captured_logs("shared.errors") as logs:
        reply = client.get("/waits")

    assert reply == is_problem(status=504, code="deadline_exceeded")
    assert reply.json()["detail"] == "The request was not answered in time."
    assert noticed == ["cancelled"]
    assert logs.messages == ["Answered deadline_exceeded."]


def test_a_handler_that_answers_all_the_same(
    slow: tuple[TestClient, list[str]],
) -> None:
    """It has ignored its cancellation; its answer is as good as any."""
    client, noticed = slow

    assert client.get("/ignores").json() == "on my own terms"
    assert noticed == ["cancelled"]


def test_a_timeout_of_the_handlers_own(make: Make) -> None:
    """It is an error like others, and not the request's deadline."""
    service = make()

    @service.app.get("/own")
    async def own() -> None:
        raise TimeoutError("a call of its own")

    client = TestClient(service.app, raise_server_exceptions=False)

    assert client.get("/own") == is_problem(status=500, code="internal_error")


def test_a_thread_is_not_waited_for(make: Make) -> None:
    """A plain `def` can't be cancelled; the caller gets its answer in time."""
    service = make(server=SOON)
    release = threading.Event()

    @service.app.get("/thread")
    def thread() -> None:
        release.wait()

    with TestClient(service.app) as client:
        reply = client.get("/thread")
        release.set()

    assert reply == is_problem(status=504)


class Hour:
    """An hour that passes at once in the running event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._clock = FakeClock()
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", self._clock.monotonic)

    async def passes(self) -> None:
        self._clock.advance(3600)
        for _ in range(5):  # timer, cancellation, end
            await asyncio.sleep(0)


async def test_half_an_answer_is_cut(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error goes on to the server, which ends the connection."""
    service, hour = make(), Hour(monkeypatch)

    @service.app.post("/raw")
    async def half() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            await hour.passes()
            await asyncio.Event().wait()

        return StreamingResponse(pieces())

    with pytest.raises(DeadlineExceededError, match="not answered in time"):
        await exchange(service.app)


async def test_a_stream_may_lift_its_deadline(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Server-sent events have no end to wait for."""
    service, hour = make(), Hour(monkeypatch)

    @service.app.post("/raw")
    async def stream(request: Request) -> StreamingResponse:
        lift_deadline(request)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one "
            await hour.passes()
            yield b"two"

        return StreamingResponse(pieces())

    sent = await exchange(service.app)

    assert b"".join(m.get("body", b"") for m in sent) == b"one two"


class Connection:
    """A request that knows its scope, as the one of a server does."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/raw",
            "raw_path": b"/raw",
            "query_string": b"",
            "headers": [],
            "client": None,
            "server": None,
            "scheme": "http",
            "http_version": "1.1",
        }

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        pass


async def test_a_request_leaves_nothing_to_the_garbage_collector(make: Make) -> None:
    """Under load it would stop all requests for a while, several times a second."""
    service = make()

    @service.app.get("/raw")
    async def raw() -> str:
        return "done"

    connection = Connection()
    gone = weakref.ref(connection)
    gc.disable()
    try:
        await service.app(connection.scope, connection.receive, connection.send)
        del connection

        assert gone() is None
    finally:
        gc.enable()


def test_there_is_nothing_to_lift_outside_of_a_service() -> None:
    """A handler may be tested alone."""
    lift_deadline(Request({"type": "http", "headers": []}))


async def test_background_tasks_have_no_deadline(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is out before they begin."""
    service, hour = make(), Hour(monkeypatch)
    noticed: list[object] = []

    @service.app.post("/raw")
    async def background(tasks: BackgroundTasks) -> str:
        async def later() -> None:
            noticed.append(current_deadline())
            await hour.passes()
            noticed.append("done")

        tasks.add_task(later)
        return "answered"

    sent = await exchange(service.app)

    assert sent[1]["body"] == b'"answered"'
    assert noticed == [None, "done"]


async def test_another_cancellation_counts(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stops in the moment when the time is up: nobody is answered."""
    service, hour = make(), Hour(monkeypatch)
    begun = asyncio.Event()

    @service.app.post("/raw")
    async def waits() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(exchange(service.app))
    await begun.wait()
    asyncio.get_running_loop().call_soon(task.cancel)
    await hour.passes()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def told(make: Make) -> TestClient:
    """A service that says how much time it has, at most a hundred seconds."""
    service = make(server={"request_timeout": 100})

    @service.app.get("/left")
    async def left() -> float:
        deadline = current_deadline()
        assert deadline is not None
        return deadline.remaining()

    return TestClient(service.app)


@pytest.mark.parametrize(
    ("sent", "at_most"),
    [(None, 100), ("50000", 50), ("999999", 100), ("soon", 100), ("-1", 100)],
)
def test_the_sooner_deadline_counts(
    told: TestClient, sent: str | None, at_most: float
) -> None:
    """The service's own or the caller's; what is no number is ignored."""
    headers = {} if sent is None else {DEADLINE_HEADER: sent}
    left = told.get("/left", headers=headers).json()

    assert at_most - 30 < left <= at_most


def test_a_caller_whose_time_is_up(told: TestClient) -> None:
    """Nothing is begun."""
    reply = told.get("/left", headers={DEADLINE_HEADER: "0"})

    assert reply == is_problem(status=504, code="deadline_exceeded")
    assert reply.json()["detail"] == "The request came too late."


def test_a_caller_with_little_time(make: Make) -> None:
    """Its few milliseconds count, not the service's hour."""
    service = make(server={"request_timeout": 3600})

    @service.app.get("/waits")
    async def waits() -> None:
        await asyncio.Event().wait()

    client = TestClient(service.app)

    assert client.get("/waits", headers={DEADLINE_HEADER: "5"}) == is_problem(
        status=504
    )


async def test_a_request_that_is_cancelled_from_outside(make: Make) -> None:
    """The server gives up: that is no deadline, and nobody is answered."""
    service = make()
    begun = asyncio.Event()

    @service.app.post("/raw")
    async def waits() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(exchange(service.app))
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_timer_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are due in the order in which they came, each at its own time."""
    clock = FakeClock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.monotonic)
    timers = Timers(60)
    over: list[int] = []

    async def request(number: int, *, finishes: bool = False) -> None:
        one = Exchange(None, None, (), frozenset(), 1)  # type: ignore[arg-type]
        timers.start(one)
        try:
            if not finishes:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            over.append(number)
        finally:
            one.stop_timer()

    async def after(seconds: float) -> list[int]:
        clock.advance(seconds)
        for _ in range(5):  # timer, cancellation, end
            await asyncio.sleep(0)
        return list(over)

    tasks = [asyncio.create_task(request(1))]
    tasks.append(asyncio.create_task(request(2, finishes=True)))
    seen = [await after(0), await after(10)]
    tasks.append(asyncio.create_task(request(3)))
    seen += [await after(0), await after(50), await after(9), await after(1)]
    tasks.append(asyncio.create_task(request(4)))
    seen += [await after(0), await after(60)]
    await asyncio.gather(*tasks)

    assert seen == [[], [], [], [1], [1], [1, 3], [1, 3], [1, 3, 4]]


async def _no_refusal(*_: Any) -> None:
    raise AssertionError("nothing is to be refused")


@pytest.mark.parametrize("kind", ["http.response.body", "http.response.pathsend"])
async def test_the_end_of_an_answer_stops_the_timer(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the server sends is an end too."""
    hour = Hour(monkeypatch)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": kind})
        await hour.passes()

    gateway = Gateway(app, refuse=_no_refusal, headers=(), max_body_bytes=1, timeout=60)

    assert len(await exchange(gateway)) == 2


def test_active_requests_are_counted(make: Make) -> None:
    """Each from its head to its end, failed ones too."""
    service = make()

    def active() -> float | None:
        return service.metrics.registry.get_sample_value("http_server_active_requests")

    seen: list[float | None] = []

    @service.app.get("/")
    async def index() -> None:
        seen.append(active())
        raise BaseAPIException

    client = TestClient(service.app)
    client.get("/")
    client.get("/")

    assert (seen, active()) == ([1.0, 1.0], 0.0)


# Headers


def test_security_headers_are_on_every_reply(make: Make) -> None:
    """On errors of all kinds too."""
    service = make(server={"max_body_bytes": 1})

    @service.app.get("/error")
    async def error() -> None:
        raise RuntimeError

    client = TestClient(service.app, raise_server_exceptions=False)
    replies = [
        client.get("/info"),
        client.get("/unknown"),
        client.get("/error"),
        client.post("/info"),
        client.post("/info", content=b"too long"),
        client.get("/info", headers={DEADLINE_HEADER: "0"}),
    ]

    assert [r.status_code for r in replies] == [200, 404, 500, 405, 413, 504]
    for reply in replies:
        sent = {name.lower(): value for name, value in reply.headers.raw}
        assert {name: sent.get(name) for name, _ in SECURITY_HEADERS} == dict(
            SECURITY_HEADERS
        )


def test_a_reply_keeps_its_own(make: Make) -> None:
    """A handler that may be cached, or framed, says so."""
    service = make()

    @service.app.get("/logo")
    async def logo() -> Response:
        return Response(b"", headers={"Cache-Control": "public, max-age=60"})

    reply = TestClient(service.app).get("/logo")

    assert reply.headers.get_list("Cache-Control") == ["public, max-age=60"]
    assert reply.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("environment", "expected"), [("development", False), ("staging", False)]
)
def test_https_is_demanded_in_production_only(
    make: Make, environment: str, expected: bool
) -> None:
    """A browser that has once seen the header never again talks to http://localhost."""
    service = make(config={"environment": environment})
    reply = TestClient(service.app, base_url="https://testserver").get("/info")

    assert ("Strict-Transport-Security" in reply.headers) is expected


def test_websockets_pass(make: Make) -> None:
    """They have neither a body nor an end."""
    service = make(server=SOON)

    @service.app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    with TestClient(service.app).websocket_connect("/ws") as socket:
        socket.send_text("hello")

        assert socket.receive_text() == "hello"


# Other origins

ORIGIN = "https://app.example"
CORS = {"cors": {"allow_origins": (ORIGIN,)}}
SECURITY = [(name.decode(), value.decode()) for name, value in SECURITY_HEADERS]


def test_pages_of_an_allowed_origin(make: Make) -> None:
    """They may read errors too, and preflight requests are answered."""
    client = TestClient(make(server={"max_body_bytes": 1}, config=CORS).app)
    origin = {"Origin": ORIGIN}
    asked = origin | {"Access-Control-Request-Method": "GET"}
    replies = [
        client.get("/info", headers=origin),
        client.get("/unknown", headers=origin),
        client.post("/info", content=b"too long", headers=origin),
        client.options("/info", headers=asked),
    ]

    assert [r.status_code for r in replies] == [200, 404, 413, 200]
    assert {r.headers["Access-Control-Allow-Origin"] for r in replies} == {ORIGIN}


def test_what_pages_may_read(make: Make) -> None:
    """Every field with which the kernel's packages answer."""
    client = TestClient(make(config=CORS).app)

    reply = client.get("/info", headers={"Origin": ORIGIN})

    exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed == [
        "ETag",
        "Idempotency-Replayed",
        "Location",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "X-Correlation-ID",
    ]


PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}


def test_replies_to_preflight_requests_are_guarded(make: Make) -> None:
    """They have the headers of all replies, once, and say by what they vary."""
    client = TestClient(make(config=CORS).app)

    reply = client.options("/info", headers=PREFLIGHT)

    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {name: reply.headers.get_list(name) for name, _ in SECURITY} == {
        name: [value] for name, value in SECURITY
    }
    (vary,) = reply.headers.get_list("Vary", split_commas=False)
    assert vary.startswith("Origin, Access-Control-Request-Method")


def test_a_preflight_request_that_is_refused(make: Make) -> None:
    """It gets a problem that says what is not allowed, and no permission."""
    client = TestClient(make(config=CORS).app)
    asked = PREFLIGHT | {
        "Origin": "https://evil.example",
        "Access-Control-Request-Headers": "X-Other",
    }

    reply = client.options("/info", headers=asked)

    assert reply == is_problem(status=400, code="bad_request")
    assert reply.json()["detail"] == "Disallowed CORS origin, headers."
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert "Authorization" in reply.headers["Access-Control-Allow-Headers"]


def test_a_page_may_read_why_it_was_refused(make: Make) -> None:
    """A page of an allowed origin gets the problem, with what is allowed."""
    client = TestClient(make(config=CORS).app)
    asked = PREFLIGHT | {"Access-Control-Request-Method": "BREW"}

    reply = client.options("/info", headers=asked)

    assert reply == is_problem(status=400, code="bad_request")
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "GET" in reply.headers["Access-Control-Allow-Methods"]


def test_pages_of_other_origins(make: Make) -> None:
    """They get no permission; without a setting, nobody does."""
    headers = {"Origin": "https://evil.example"}
    replies = [
        TestClient(make(config=config).app).get("/info", headers=headers)
        for config in (CORS, {})
    ]

    assert not any("Access-Control-Allow-Origin" in r.headers for r in replies)


def test_caches_are_told_that_replies_vary(make: Make) -> None:
    """A reply to nobody in particular must not be served to a page of an origin."""
    service = make(config=CORS)

    @service.app.get("/own")
    async def own() -> Response:
        return Response(b"", headers={"Vary": "Accept-Encoding", "X-Frame-Options": ""})

    reply = TestClient(service.app).get("/own")

    assert reply.headers.get_list("Vary") == ["Accept-Encoding", "Origin"]
