"""Tests of access lines and correlation ids."""

import asyncio
import io
import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import WebSocketException
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from shared.logging import (
    TraceContext,
    configure_logging,
    correlation_id_var,
    trace_context_var,
)
from shared.logging.middleware import RequestLogMiddleware

pytestmark = pytest.mark.usefixtures("logging_restored")

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

log = logging.getLogger("app")


class Lines:
    """What was logged."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def access(self) -> list[dict[str, Any]]:
        return [e for e in self.all() if e["logger"] == "shared.logging.middleware"]

    def routes(self) -> list[tuple[str, int]]:
        return [(entry["route"], entry["status"]) for entry in self.access()]


@pytest.fixture
def lines(logging_restored: None) -> Lines:
    """Configure logging and return what is logged."""
    lines = Lines()
    configure_logging("svc", stream=lines.stream)
    for name in ("httpx", "httpx2", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return lines


@pytest.fixture(autouse=True)
def no_context() -> Iterator[None]:
    """Leave no id behind for the next test."""
    yield
    correlation_id_var.set(None)
    trace_context_var.set(None)


START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"x-correlation-id", b"app's own")],
}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b"hello"}


def http(*headers: tuple[bytes, bytes], path: str = "/secret-path") -> dict[str, Any]:
    """Return the scope of a request."""
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"token=hunter2",
        "headers": list(headers),
    }


async def exchange(
    app: App, scope: Message, received: list[Message] | None = None
) -> list[Message]:
    """Run one request or websocket and return what was sent."""
    incoming = iter(received or [])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def hello(scope: Message, receive: Any, send: Any) -> None:
    """Answer with a line in between."""
    log.info("inside")
    await send(START)
    await send(BODY)


async def test_an_access_line(lines: Lines) -> None:
    """It says method, route, status and time, and nothing of path or query."""
    await exchange(RequestLogMiddleware(hello), http())

    inside, access = lines.all()
    assert access["message"] == "request"
    assert access["level"] == "INFO"
    assert access["method"] == "GET"
    assert access["route"] == "unmatched"
    assert access["status"] == 200
    assert access["duration_ms"] >= 0
    assert access["correlation_id"] == inside["correlation_id"]
    assert "secret-path" not in lines.stream.getvalue()
    assert "hunter2" not in lines.stream.getvalue()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([(b"x-correlation-id", b"Az.9_-")], {b"x-correlation-id": b"Az.9_-"}),
        ([(b"x-correlation-id", b"a" * 128)], {b"x-correlation-id": b"a" * 128}),
        (
            [(b"x-request-id", b"r1")],
            {b"x-correlation-id": b"r1", b"x-request-id": b"r1"},
        ),
        (
            [(b"x-request-id", b"r1"), (b"x-correlation-id", b"c1")],
            {b"x-correlation-id": b"c1"},
        ),
        (
            [(b"x-request-id", b"r1"), (b"x-correlation-id", b"not valid")],
            {b"x-correlation-id": b"r1", b"x-request-id": b"r1"},
        ),
    ],
)
async def test_a_valid_id_is_taken_and_returned(
    sent: list[tuple[bytes, bytes]], expected: dict[bytes, bytes]
) -> None:
    """The id comes back in its header; the application's own is replaced."""
    seen: list[str | None] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.extend((correlation_id_var.get(), scope["state"]["correlation_id"]))
        await hello(scope, receive, send)

    start, body = await exchange(RequestLogMiddleware(app), http(*sent))

    headers = {b"content-type": b"text/plain"} | expected
    assert dict(start["headers"]) == headers
    assert len(start["headers"]) == len(headers)
    assert body == BODY
    assert seen == [expected[b"x-correlation-id"].decode()] * 2
    assert (b"x-correlation-id", b"app's own") in START["headers"]


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_other_id_is_replaced(value: bytes, traceparent: bytes) -> None:
    """Header garbage never reaches the log or the reply, and breaks nothing."""
    headers = [(b"x-correlation-id", b"\n" + value), (b"traceparent", traceparent)]

    sent = asyncio.run(exchange(RequestLogMiddleware(hello), http(*headers)))

    (chosen,) = [v for name, v in sent[0]["headers"] if name == b"x-correlation-id"]
    assert UUID4.fullmatch(chosen.decode())


async def test_the_trace_of_the_caller_is_on_the_lines(lines: Lines) -> None:
    """A valid ``traceparent`` is passed on, an invalid one is not."""
    seen: list[TraceContext | None] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append(trace_context_var.get())
        await hello(scope, receive, send)

    for header in (f"00-{TRACE}-{SPAN}-01".encode(), b"00-0-0-\xff"):
        await exchange(RequestLogMiddleware(app), http((b"traceparent", header)))

    assert seen == [TraceContext(TRACE, SPAN, "01"), None]
    assert [entry.get("trace_id") for entry in lines.all()] == [
        TRACE,
        TRACE,
        None,
        None,
    ]
    assert lines.all()[1]["span_id"] == SPAN


async def test_the_context_is_left_as_it_was() -> None:
    """After the answer the caller's own id is back."""
    correlation_id_var.set("outer")

    await exchange(RequestLogMiddleware(hello), http((b"x-correlation-id", b"inner")))

    assert correlation_id_var.get() == "outer"
    assert trace_context_var.get() is None


async def test_a_record_factory_is_asked(lines: Lines) -> None:
    """Who puts something on every record finds it on access lines as well."""
    factory = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        record.region = "eu"
        return record

    logging.setLogRecordFactory(make)
    try:
        await exchange(RequestLogMiddleware(hello), http())
    finally:
        logging.setLogRecordFactory(factory)
    await exchange(RequestLogMiddleware(hello), http())

    theirs, ours = lines.access()
    assert (theirs["region"], theirs["funcName"]) == ("eu", "finish")
    assert "region" not in ours
    assert (ours["message"], ours["module"]) == (theirs["message"], "middleware")


async def test_an_exception_before_the_answer(lines: Lines) -> None:
    """Status 500, and the server's own report of it still has the id."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        raise ValueError("token=hunter2")

    with pytest.raises(ValueError, match="token=hunter2"):
        await exchange(RequestLogMiddleware(app), http((b"x-request-id", b"r1")))
    log.error("Exception in ASGI application")

    access, report = lines.all()
    assert (access["status"], access["error"]) == (500, "ValueError")
    assert access["correlation_id"] == report["correlation_id"] == "r1"


async def test_an_exception_within_the_answer(lines: Lines) -> None:
    """The status is what the client was sent; the error is beside it."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(START)
        raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        await exchange(RequestLogMiddleware(app), http())

    (access,) = lines.access()
    assert (access["status"], access["error"]) == (200, "ValueError")


async def test_an_exception_after_the_answer(lines: Lines) -> None:
    """What a background task raises is not the request's: its line is out."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        raise ValueError("background")

    with pytest.raises(ValueError, match="background"):
        await exchange(RequestLogMiddleware(app), http())

    (access,) = lines.access()
    assert "error" not in access


async def test_no_answer_at_all(lines: Lines) -> None:
    """The server answers 500 for an application that does not."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        return

    await exchange(RequestLogMiddleware(app), http())

    assert lines.routes() == [("unmatched", 500)]


LEFT: list[Message] = [
    {"type": "http.request", "body": b""},
    {"type": "http.disconnect"},
]


@pytest.mark.parametrize(("answer", "status"), [([], 499), ([START], 200)])
async def test_the_client_leaves(
    answer: list[Message], status: int, lines: Lines
) -> None:
    """Before the answer that is status 499, within it the status it was sent."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        for message in answer:
            await send(message)
        await receive()

    await exchange(RequestLogMiddleware(app), http(), LEFT)

    (access,) = lines.access()
    assert (access["status"], access["disconnected"]) == (status, True)


async def test_the_client_leaves_after_the_answer(lines: Lines) -> None:
    """Then it has all it wanted."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await receive()
        await receive()

    await exchange(RequestLogMiddleware(app), http(), LEFT)

    assert "disconnected" not in lines.access()[0]


async def test_a_server_that_tells_by_oserror(lines: Lines) -> None:
    """ASGI 2.4: sending to a client that left raises OSError."""

    async def gone(message: Message) -> None:
        raise OSError("gone")

    async def never() -> Message:
        raise AssertionError

    with pytest.raises(OSError, match="gone"):
        await RequestLogMiddleware(hello)(http(), never, gone)

    (access,) = lines.access()
    assert (access["error"], access["disconnected"]) == ("OSError", True)


async def test_a_cancelled_request(lines: Lines) -> None:
    """Some servers cancel the task of a client that left."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(exchange(RequestLogMiddleware(app), http()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await task

    (access,) = lines.access()
    assert (access["status"], access["error"]) == (499, "CancelledError")


async def test_a_stream_is_one_line_at_its_end(lines: Lines) -> None:
    """The time covers the whole answer, however it is sent."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY | {"more_body": True})
        log.info("half")
        await send(BODY | {"more_body": False})
        log.info("background")

    await exchange(RequestLogMiddleware(app), http())

    assert [e["message"] for e in lines.all()] == ["half", "request", "background"]


async def test_a_file_sent_by_the_server_is_an_answer(lines: Lines) -> None:
    """The extension ``http.response.pathsend`` ends it as well."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.pathsend", "path": "/f"})
        log.info("after")

    await exchange(RequestLogMiddleware(app), http())

    assert [e["message"] for e in lines.all()] == ["request", "after"]


async def test_an_observer_is_told_of_each_request(lines: Lines) -> None:
    """Metrics count what the access line says, and the quiet requests too."""
    seen: list[tuple[str, str, int, bool]] = []

    def observe(scope: Message, route: str, status: int, seconds: float) -> None:
        seen.append((scope["path"], route, status, seconds >= 0))

    middleware = RequestLogMiddleware(hello, quiet_paths=["/health"], observe=observe)
    await exchange(middleware, http(path="/health"))
    await exchange(middleware, http(path="/orders/7"))

    assert seen == [
        ("/health", "unmatched", 200, True),
        ("/orders/7", "unmatched", 200, True),
    ]
    assert len(lines.access()) == 1


async def test_quiet_paths(lines: Lines) -> None:
    """A health check is logged when it fails, and only then."""

    async def failing(scope: Message, receive: Any, send: Any) -> None:
        await send(START | {"status": 503})
        await send(BODY)

    for app in (hello, failing):
        middleware = RequestLogMiddleware(app, quiet_paths=["/health"])
        for path in ("/health", "/healthy"):
            await exchange(middleware, http(path=path))

    assert [e["status"] for e in lines.access()] == [200, 503, 503]


async def test_nested_it_works_once(lines: Lines) -> None:
    """Around the application and inside it: one id, one line."""
    app = RequestLogMiddleware(RequestLogMiddleware(hello))

    start, _ = await exchange(app, http())

    assert len(lines.access()) == 1
    assert [name for name, _ in start["headers"]].count(b"x-correlation-id") == 1


async def test_lifespan_passes_through(lines: Lines) -> None:
    """What is neither request nor websocket is not touched."""
    scopes: list[Message] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send(await receive())

    startup: Message = {"type": "lifespan.startup"}
    sent = await exchange(RequestLogMiddleware(app), {"type": "lifespan"}, [startup])

    assert sent == [startup]
    assert scopes == [{"type": "lifespan"}]
    assert lines.all() == []


async def test_requests_at_the_same_time_keep_apart(lines: Lines) -> None:
    """Each task has its own id."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            log.info(scope["path"])
        await hello(scope, receive, send)

    middleware = RequestLogMiddleware(app)
    ids = [f"id-{n}" for n in range(20)]
    await asyncio.gather(
        *(
            exchange(middleware, http((b"x-request-id", i.encode()), path=i))
            for i in ids
        )
    )

    pairs = {(e["message"], e["correlation_id"]) for e in lines.all()}
    assert {pair for pair in pairs if pair[0].startswith("id-")} == {
        (i, i) for i in ids
    }


# -- websockets -----------------------------------------------------------------------

SOCKET: dict[str, Any] = {
    "type": "websocket",
    "path": "/ws",
    "headers": [(b"x-correlation-id", b"c1")],
}
ACCEPT: dict[str, Any] = {"type": "websocket.accept", "subprotocol": None}
HANG_UP: list[Message] = [{"type": "websocket.disconnect", "code": 1001}]


@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        ([ACCEPT, {"type": "websocket.close", "code": 4000}], [], (101, 4000)),
        ([ACCEPT, {"type": "websocket.close"}], [], (101, 1000)),
        ([ACCEPT], HANG_UP, (101, 1001)),
        ([ACCEPT, {"type": "websocket.close", "code": 4000}], HANG_UP, (101, 4000)),
        ([{"type": "websocket.close", "code": 1008}], [], (403, 1008)),
        ([{"type": "websocket.http.response.start", "status": 429}], [], (429, None)),
        ([], HANG_UP, (499, 1001)),
        ([], [], (500, None)),
    ],
)
async def test_a_websocket_is_one_line(
    answer: list[Message],
    received: list[Message],
    expected: tuple[int, int | None],
    lines: Lines,
) -> None:
    """The status says how it began, the close code how it ended."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        for message in answer:
            await send(message)
        for _ in received:
            await receive()

    await exchange(RequestLogMiddleware(app), dict(SOCKET), received)

    (access,) = lines.access()
    assert access["message"] == "websocket"
    assert access["method"] == "WEBSOCKET"
    assert (access["status"], access["close_code"]) == expected
    assert access["correlation_id"] == "c1"


async def test_a_websocket_s_handshake_has_the_id() -> None:
    """The id is a header of the accepting reply, and of a refusal by HTTP."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await send({"type": "websocket.send", "text": "hello"})

    accept, text = await exchange(RequestLogMiddleware(app), dict(SOCKET))

    assert accept["headers"] == [(b"x-correlation-id", b"c1")]
    assert text == {"type": "websocket.send", "text": "hello"}


# -- frameworks -----------------------------------------------------------------------


def text(request: Request) -> PlainTextResponse:
    """Answer in Starlette."""
    return PlainTextResponse("hello")


def fastapi_app() -> FastAPI:
    """Return an application with routers in routers and mounts."""
    inner = APIRouter(prefix="/inner")
    inner.add_api_route("/x/{id}", lambda id: id)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()

    inner.add_api_websocket_route("/ws/{room}", socket)
    sub = FastAPI()
    sub.add_api_route("/s/{q}", lambda q: q)
    sub.include_router(inner, prefix="/v2")
    app = FastAPI()
    app.include_router(inner, prefix="/outer/{tenant}")
    app.add_api_route("/files/{p:path}", lambda p: p)
    app.mount("/sub/{tenant}", sub)
    app.mount("/raw", PlainTextResponse("hello"))
    return app


@pytest.mark.parametrize("root_path", ["", "/api"])
@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/outer/t1/inner/x/3", "/outer/{tenant}/inner/x/{id}", 200),
        ("/files/a/b", "/files/{p}", 200),
        ("/sub/t1/s/4", "/sub/{tenant}/s/{q}", 200),
        ("/sub/t1/v2/inner/x/9", "/sub/{tenant}/v2/inner/x/{id}", 200),
        ("/sub/t1/nothing", "/sub/{tenant}/*", 404),
        ("/sub/t1/docs", "/sub/{tenant}/*", 200),
        ("/raw/any/thing", "/raw/*", 200),
        ("/openapi.json", "/openapi.json", 200),
        ("/nothing", "unmatched", 404),
    ],
)
def test_the_route_is_fastapi_s_template(
    root_path: str, path: str, route: str, status: int, lines: Lines
) -> None:
    """With the prefixes of routers and mounts, without what a client can vary."""
    app = fastapi_app()
    app.add_middleware(RequestLogMiddleware)

    TestClient(app, root_path=root_path).get(root_path + path)

    assert lines.routes() == [(route, status)]


@pytest.mark.parametrize(
    ("path", "host", "route", "status"),
    [
        ("/u/1", "t", "/u/{id}", 200),
        ("/m/1/q/2", "t", "/m/{id}/q/{id}", 200),
        ("/m/1/deep/q/2", "t", "/m/{id}/deep/q/{id}", 200),
        ("/m/1/nothing", "t", "/m/{id}/*", 404),
        ("/h/1", "a.test", "/h/{x}", 200),
        ("/secret", "a.test", "unmatched", 404),
        ("/nothing", "t", "unmatched", 404),
    ],
)
def test_the_route_is_starlette_s_template(
    path: str, host: str, route: str, status: int, lines: Lines
) -> None:
    """Also where a mount and a route have a parameter of the same name."""
    leaf = Route("/q/{id}", text)
    app = Starlette(
        routes=[
            Host("a.test", app=Router([Route("/h/{x}", text)])),
            Route("/u/{id}", text),
            Mount("/m/{id}", routes=[leaf, Mount("/deep", routes=[leaf])]),
        ]
    )

    TestClient(RequestLogMiddleware(app), base_url=f"http://{host}").get(path)

    assert lines.routes() == [(route, status)]


def test_methods_not_allowed_have_a_route(lines: Lines) -> None:
    """405 belongs to the template whose method was wrong."""
    client = TestClient(RequestLogMiddleware(fastapi_app()))

    client.post("/outer/t1/inner/x/3")

    assert lines.routes() == [("/outer/{tenant}/inner/x/{id}", 405)]


@pytest.mark.parametrize(
    ("scope", "route"),
    [
        ({}, "unmatched"),
        ({"route": "/text"}, "unmatched"),
        ({"route": type("R", (), {"path": "/p/{id}"})}, "/p/{id}"),
        ({"route": type("R", (), {"path": b"/p"})}, "unmatched"),
        ({"app_root_path": "", "root_path": "/m/1"}, "/{mount}/*"),
        ({"app_root_path": ""}, "unmatched"),
        ({"fastapi": None, "route": type("R", (), {"path": "/p"})}, "unmatched"),
        ({"path_params": {}, "endpoint": object()}, "unmatched"),
    ],
)
async def test_an_unknown_framework_breaks_nothing(
    scope: dict[str, Any], route: str, lines: Lines
) -> None:
    """Whatever lies in the scope, the answer is sent and a line written."""
    sent = await exchange(RequestLogMiddleware(hello), http() | scope)

    assert len(sent) == 2
    assert lines.routes() == [(route, 200)]


def test_fastapi_websocket(lines: Lines) -> None:
    """The template and the client's close code are on the line."""
    app = fastapi_app()
    app.add_middleware(RequestLogMiddleware)
    connection = TestClient(app).websocket_connect("/outer/t1/inner/ws/r1")

    with pytest.raises(WebSocketDisconnect, match="1001"), connection as socket:
        socket.close(1001)

    (access,) = lines.access()
    assert access["route"] == "/outer/{tenant}/inner/ws/{room}"
    assert (access["status"], access["close_code"]) == (101, 1001)
    assert access["error"] == "WebSocketDisconnect"


def test_a_refused_websocket(lines: Lines) -> None:
    """Closing before accepting is a 403 to the client."""
    app = FastAPI()

    @app.websocket("/ws")
    async def refuse(websocket: WebSocket) -> None:
        raise WebSocketException(1008)

    app.add_middleware(RequestLogMiddleware)
    connection = TestClient(app).websocket_connect("/ws")
    with pytest.raises(WebSocketDisconnect, match=r"^$") as refused:
        connection.__enter__()
    assert refused.value.code == 1008

    (access,) = lines.access()
    assert (access["status"], access["close_code"]) == (403, 1008)


def test_the_id_reaches_threads_tasks_and_streams(lines: Lines) -> None:
    """Thread pool, background tasks and streamed bodies are part of the request."""
    app = FastAPI()
    main = threading.current_thread()

    def in_background() -> None:
        log.info("background %s", threading.current_thread() is not main)

    @app.get("/thread")
    def thread(tasks: BackgroundTasks) -> str:
        tasks.add_task(in_background)
        log.info("thread %s", threading.current_thread() is not main)
        return "ok"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            await asyncio.to_thread(log.info, "to_thread")
            await asyncio.create_task(asyncio.sleep(0))
            log.info("stream")
            yield b"x"

        return StreamingResponse(body())

    app.add_middleware(RequestLogMiddleware)
    client = TestClient(app)
    client.get("/thread", headers={"X-Correlation-ID": "c1"})
    client.get("/stream", headers={"X-Correlation-ID": "c2"})

    said = {
        e["message"]: e["correlation_id"] for e in lines.all() if e["logger"] == "app"
    }
    assert said == {
        "thread True": "c1",
        "background True": "c1",
        "to_thread": "c2",
        "stream": "c2",
    }
    order = [entry["message"] for entry in lines.all()]
    assert order.index("request") < order.index("background True")


def test_a_500_keeps_the_id(lines: Lines) -> None:
    """The handler of the framework's 500 knows the id, and so does its line."""
    app = FastAPI()

    @app.get("/boom")
    def boom() -> None:
        raise ValueError("boom")

    @app.exception_handler(Exception)
    async def opaque(request: Request, error: Exception) -> JSONResponse:
        log.error("failed", exc_info=error)
        known = [correlation_id_var.get(), request.state.correlation_id]
        return JSONResponse(known, status_code=500)

    app.add_middleware(RequestLogMiddleware)
    client = TestClient(app, raise_server_exceptions=False)
    response = client.get("/boom", headers={"X-Correlation-ID": "c1"})

    assert response.json() == ["c1", "c1"]
    access, failed = lines.all()
    assert (access["route"], access["status"]) == ("/boom", 500)
    assert failed["correlation_id"] == "c1"


def test_around_everything_also_the_500_page_has_the_header(lines: Lines) -> None:
    """Starlette's own error page is sent outside of added middleware."""

    def boom(request: Request) -> None:
        raise ValueError("boom")

    app = RequestLogMiddleware(Starlette(routes=[Route("/boom", boom)]))
    client = TestClient(app, raise_server_exceptions=False)
    response = client.get("/boom", headers={"X-Request-ID": "r1"})

    assert response.status_code == 500
    assert response.headers["X-Correlation-ID"] == "r1"
    assert response.headers["X-Request-ID"] == "r1"
    assert lines.routes() == [("/boom", 500)]
