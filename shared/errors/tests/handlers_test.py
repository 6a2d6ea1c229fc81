import contextlib
import json
import logging
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Header, HTTPException, Query
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from shared.errors import (
    AuthenticationException,
    BaseAPIException,
    ConflictException,
    NotFoundError,
    NotFoundException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
    ValidationException,
    catalogue,
    error_from_problem,
    responses_for,
)
from shared.errors.handlers import register_exception_handlers
from shared.logging import correlation_id_var
from shared.logging.middleware import RequestLogMiddleware

PROBLEM = "application/problem+json"
SECRET = "hunter2-and-more"


class Plan(Enum):
    FREE = "free"


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # Bounded text: pydantic checks only then that it is Unicode.
    name: Annotated[str, Field(max_length=50)]
    plan: Plan = Plan.FREE
    id: UUID | None = None
    price: float = Field(0, ge=0, allow_inf_nan=False)
    tags: dict[Annotated[str, Field(max_length=9)], list[int]] = {}
    ratio: float | None = None

    @field_validator("name")
    @classmethod
    def not_taken(cls, value: str) -> str:
        """Refuse with a message that repeats the value."""
        if len(value) > 10:
            raise ValueError(f"{value} is taken")
        return value


class Headerless(BaseAPIException):
    """An error that breaks while it is told."""

    code = "test_broken"

    def to_problem(self, **options: Any) -> dict[str, Any]:
        raise RuntimeError(SECRET)


def raising(error: Exception) -> Callable[[], None]:
    """An endpoint that can't do anything else."""

    def endpoint() -> None:
        raise error

    return endpoint


router = APIRouter()


@router.post("/orders/{number}")
async def order(
    number: int,
    order: Order,
    limit: Annotated[int, Query(le=5)] = 1,
    x_key: Annotated[int, Header()] = 1,
) -> Order:
    """Echo what was ordered."""
    return order


@router.post("/raw")
async def raw(body: Annotated[dict[str, Any], Body()]) -> int:
    """Take any object."""
    return len(body)


@router.get("/stream")
async def stream() -> StreamingResponse:
    """Fail in the middle."""

    async def chunks() -> Any:
        yield b"first"
        raise LookupError("too late")

    return StreamingResponse(chunks())


@router.get("/background")
async def background() -> Response:
    """Fail after the answer."""
    return JSONResponse("done", background=BackgroundTask(raising(OSError("late"))))


@router.post("/upload")
async def upload(request: Request) -> int:
    """Read the body by hand."""
    return len(await request.body())


def broken_dependency() -> None:
    """A database that is down."""
    raise ServiceUnavailableException(retry_after=3)


@router.get("/dependency", dependencies=[Depends(broken_dependency)])
async def dependency() -> None:
    """Never reached."""


def make_app(**errors: Exception) -> FastAPI:
    """An application with the routes above, and one per error that raises it."""
    app = FastAPI()
    register_exception_handlers(app)
    app.include_router(router)
    for name, error in errors.items():
        app.add_api_route(f"/{name}", raising(error), methods=["GET", "HEAD"])
    return app


def answer(error: Exception, path: str = "/error", method: str = "GET") -> Any:
    """What a request is answered with when its endpoint raises *error*."""
    app = make_app(error=error)
    client = TestClient(app)
    response = client.request(method, path)
    assert response.headers["content-type"] == PROBLEM
    assert len(response.headers.get_list("x-correlation-id")) == 1
    return response


client = TestClient(make_app())


# ------------------------------------------------------------------ our errors


def test_error_of_ours_is_a_problem() -> None:
    """Detail, facts and headers of the error reach the client."""
    response = answer(RateLimitExceededException("Slow.", retry_after=9, limit=5))

    assert response.status_code == 429
    assert response.headers["retry-after"] == "9"
    assert response.json() == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Slow.",
        "instance": "/error",
        "code": "rate_limit_exceeded",
        "correlation_id": response.headers["x-correlation-id"],
        "limit": 5,
        "retry_after": 9,
    }


def test_challenge_is_sent() -> None:
    """A 401 tells how to log in."""
    assert answer(AuthenticationException()).headers["www-authenticate"] == "Bearer"


def test_error_in_a_dependency_is_a_problem() -> None:
    """Where a route raises does not matter."""
    response = client.get("/dependency")

    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert response.json()["code"] == "service_unavailable"


def test_type_leads_to_the_documentation() -> None:
    """With a base for types, every problem links to its page."""
    app = FastAPI()
    register_exception_handlers(app, type_base="https://docs.example/e/")
    problem = TestClient(app).get("/none").json()

    assert problem["type"] == "https://docs.example/e/not_found"


def test_other_service_gets_the_error_back() -> None:
    """What one service raises, the one that called it can catch."""
    error = error_from_problem(answer(NotFoundError("Subject", "123", hint="x")))

    assert type(error) is NotFoundError
    assert error.to_dict() == NotFoundError("Subject", "123", hint="x").to_dict()


def test_headers_of_an_error_cannot_break_the_reply() -> None:
    """Neither a line break nor a length or type that is not the body's gets out."""
    headers = {
        "X-Name": "a\r\nSet-Cookie: b=c",
        "Content-Length": "1",
        "Content-Type": "text/html",
    }
    response = answer(ConflictException(headers=headers))

    assert response.headers["x-name"] == "a  Set-Cookie: b=c"
    assert "set-cookie" not in response.headers
    assert response.json()["code"] == "conflict"


def test_anything_in_an_error_can_be_sent() -> None:
    """Facts that JSON can't hold do not turn a 404 into a 500."""
    loop: list[Any] = [float("nan"), 10**5000, "\ud800", object()]
    loop.append(loop)
    problem = answer(NotFoundException("\udfff", loop=loop)).json()

    assert problem["detail"] == "\ufffd"
    assert problem["loop"] == [None, "<int>", "\ufffd", "<object>", "..."]


def test_head_is_answered_without_a_body() -> None:
    """RFC 9110, section 9.3.2: the same headers as GET, and nothing after them."""
    app = make_app(error=NotFoundException())
    head = TestClient(app).head("/error", headers={"x": "1"})
    get = TestClient(app).get("/error")

    assert (head.status_code, head.content) == (404, b"")
    assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (ServiceUnavailableException(), logging.WARNING),
        (UpstreamException(), logging.WARNING),
        (BaseAPIException(), logging.ERROR),
        (HTTPException(500), logging.ERROR),
    ],
)
def test_failure_of_ours_is_logged_once(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Operators see the cause of a 5xx, with its traceback."""
    answer(error)
    (record,) = [r for r in caplog.records if r.name == "shared.errors"]

    assert (record.levelno, record.exc_info is not None) == (level, True)
    assert record.getMessage().startswith("Answered ")


def test_mistake_of_the_client_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A 4xx is in the access log, and nothing is wrong with the service."""
    answer(NotFoundException())
    client.post("/orders/x", json={})

    assert [r for r in caplog.records if r.name == "shared.errors"] == []


# --------------------------------------------------------------- refused requests


def test_refused_request_names_every_place() -> None:
    """One item per error, with a pointer into the body or to the parameter."""
    response = client.post(
        "/orders/7?limit=9",
        json={"plan": SECRET, "tags": {"a": [1, "x"]}},
        headers={"x-key": "k"},
    )
    problem = response.json()

    assert response.status_code == 422
    assert response.headers["content-type"] == PROBLEM
    assert problem["code"] == "validation_error"
    assert problem["instance"] == "/orders/7"
    assert [(item["pointer"], item["code"]) for item in problem["errors"]] == [
        ("/@query/limit", "less_than_equal"),
        ("/@header/x-key", "int_parsing"),
        ("/name", "missing"),
        ("/plan", "enum"),
        ("/tags/a/1", "int_parsing"),
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"url": f"/orders/{SECRET}", "json": {"name": "a"}},
        {"url": f"/orders/1?limit={SECRET}", "json": {"name": "a"}},
        {"url": "/orders/1", "json": {"name": "a"}, "headers": {"x-key": SECRET}},
        {"url": "/orders/1", "json": {"name": SECRET}},
        {"url": "/orders/1", "json": {"name": "a", "plan": SECRET}},
        {"url": "/orders/1", "json": {"name": "a", "id": SECRET}},
        {"url": "/orders/1", "json": {"name": {"x": [SECRET]}}},
        {"url": "/orders/1", "json": {"name": "a", "tags": {"x": SECRET}}},
        {"url": "/orders/1", "json": SECRET},
        {"url": "/orders/1", "content": SECRET},
    ],
)
def test_rejected_value_is_never_in_the_reply(request_: dict[str, Any]) -> None:
    """Not in a message, not as the path, not in a header."""
    response = client.post(**request_)

    assert response.status_code == 422
    assert SECRET not in response.text
    assert SECRET not in str(response.headers)


def test_very_wrong_request_gets_a_short_answer() -> None:
    """The reply says how many errors it leaves out."""
    response = client.post("/orders/1", json={"name": "a", "tags": {"a": ["x"] * 500}})
    problem = response.json()

    assert len(problem["errors"]) == 100
    assert problem["detail"] == (
        "The request does not fit the schema. The first 100 of 500 errors are listed."
    )


JSON_HEADERS = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"[" * 200_000, 400),
        (b'{"a":' * 200_000, 400),
        (b'{"name": "\xff"}', 400),
        (b'{"name": ' + b"1" * 5_000 + b"}", 400),
        (b'{"name": "\\ud800"}', 422),
        (b'{"name": "a", "price": NaN}', 422),
        (b'{"name": "a", "price": 1e999}', 422),
        (b'{"name": "a", "price": ' + b"1" * 400 + b"}", 422),
        (b'{"name": "a"', 422),
        (b"", 422),
    ],
)
def test_unreadable_body_is_the_clients_mistake(content: bytes, status: int) -> None:
    """Depth, encoding, huge and missing numbers: a 4xx problem, never a 500."""
    response = client.post("/orders/1", content=content, headers=JSON_HEADERS)

    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)
ORDERS = st.fixed_dictionaries(
    {"name": st.text(st.characters(), max_size=12)},
    optional={
        "plan": st.just("free") | JSON,
        "id": st.uuids().map(str) | JSON,
        "price": st.floats() | JSON,
        "tags": st.dictionaries(st.text(st.characters(), max_size=9), JSON),
        "ratio": st.floats() | JSON,
    },
)
BODIES = st.one_of(
    st.binary(max_size=30),
    st.builds(lambda value: json.dumps(value).encode(), JSON),
    st.builds(lambda value: json.dumps(value).encode(), ORDERS),
)


@given(body=BODIES, media_type=st.sampled_from(["application/json", "text/plain", ""]))
@settings(max_examples=150, deadline=None)
def test_no_body_makes_the_service_fail(body: bytes, media_type: str) -> None:
    """Any bytes are answered with a success or a problem of the client's."""
    headers = {"content-type": media_type}
    response = client.post("/orders/1", content=body, headers=headers)

    assert response.status_code in (200, 400, 422)
    assert response.json()


# ------------------------------------------------------------- HTTPException


def test_unknown_path_is_a_problem() -> None:
    """The framework's 404."""
    response = client.get("/none/\u00fc?token=secret")

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert response.json()["instance"] == "/none/%C3%BC"


def test_unknown_method_is_a_problem() -> None:
    """The framework's 405 keeps the methods that there are."""
    response = client.delete("/raw")

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["code"] == "method_not_allowed"
    assert response.json()["title"] == "Method Not Allowed"


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("Gone home.", {"detail": "Gone home."}),
        (None, {"detail": "Gone"}),
        ({"detail": "Gone.", "since": 3}, {"detail": "Gone.", "since": 3}),
        ({"message": "Gone.", "code": "x"}, {"detail": "Gone.", "code": "gone"}),
        ({"since": 3}, {"detail": "Gone.", "since": 3}),
        (
            ["No."],
            {
                "detail": "Gone.",
                "errors": [{"pointer": "", "code": "invalid", "detail": "No."}],
            },
        ),
        (7, {"detail": "7"}),
        (UUID(int=7), {"detail": "00000000-0000-0000-0000-000000000007"}),
        (object(), {"detail": "<object>"}),
        (ValueError("password=hunter2"), {"detail": "<ValueError>"}),
    ],
)
def test_detail_of_an_http_exception_is_kept(
    detail: Any, shown: dict[str, Any]
) -> None:
    """A text is the detail, a dict members of the problem, a list its errors.

    What JSON does not know is not shown by its repr or its message.
    """
    response = answer(HTTPException(410, detail, headers={"X-A": "b\r\nc: d"}))
    problem = response.json()
    fixed = ("type", "title", "status", "instance", "code", "correlation_id")

    assert problem["status"] == 410
    assert response.headers["x-a"] == "b  c: d"
    assert {**problem, **shown} == problem
    assert set(problem) - set(fixed) == set(shown) - set(fixed)


def test_status_that_is_no_error_has_no_problem() -> None:
    """An HTTPException can also redirect, or say that nothing changed."""
    app = make_app(
        moved=HTTPException(307, headers={"Location": "/x"}), same=HTTPException(304)
    )
    moved = TestClient(app).get("/moved", follow_redirects=False)
    same = TestClient(app).get("/same")

    assert (moved.status_code, moved.headers["location"]) == (307, "/x")
    assert (moved.content, same.status_code, same.content) == (b"", 304, b"")


# ---------------------------------------------------------------- anything else


def test_unknown_error_is_opaque_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client learns the correlation id; the log has it, and the traceback."""
    seen: list[str | None] = []

    def see(record: logging.LogRecord) -> bool:
        seen.append(correlation_id_var.get())
        return True

    caplog.handler.addFilter(see)
    response = answer(RuntimeError(SECRET))
    correlation_id = response.headers["x-correlation-id"]
    (record,) = [r for r in caplog.records if r.exc_info]

    assert response.status_code == 500
    assert response.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "An internal server error occurred.",
        "code": "internal_error",
        "correlation_id": correlation_id,
    }
    assert SECRET in caplog.text
    assert record.getMessage() == "Unhandled error."
    assert correlation_id in seen
    assert correlation_id_var.get() is None


@pytest.mark.parametrize(
    "error",
    [
        Headerless(),
        ValidationException([]).with_traceback(None),
        ExceptionGroup("many", [NotFoundException(), ValueError()]),
    ],
)
def test_error_that_cannot_be_told(error: Exception) -> None:
    """Whatever is raised, the reply is a problem."""
    assert answer(error).json()["status"] in (422, 500)


def add_id(value: Any) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware like that of shared.logging."""

    def make(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["correlation_id"] = value
            await app(scope, receive, send)

        return middleware

    return make


def test_id_of_the_middleware_is_used() -> None:
    """The reply and the log lines of a request have one id."""
    app = make_app(error=NotFoundException())
    app.add_middleware(add_id("abc-1"))
    response = TestClient(app).get("/error")

    assert response.json()["correlation_id"] == "abc-1"
    assert response.headers.get_list("x-correlation-id") == ["abc-1"]


def test_access_log_and_reply_agree(caplog: pytest.LogCaptureFixture) -> None:
    """With the middleware of shared.logging: one id, sent once, and a line with 500."""
    app = make_app(error=RuntimeError())
    app.add_middleware(RequestLogMiddleware)
    caplog.set_level(logging.INFO, "shared.logging.middleware")
    response = TestClient(app).get("/error", headers={"X-Correlation-ID": "abc-3"})
    (line,) = [r for r in caplog.records if r.name == "shared.logging.middleware"]

    assert response.json()["correlation_id"] == "abc-3"
    assert response.headers.get_list("x-correlation-id") == ["abc-3"]
    assert vars(line)["status"] == 500


def test_id_of_the_context_is_used() -> None:
    """Where no middleware left one in the request."""
    app = make_app()

    async def endpoint() -> None:
        correlation_id_var.set("abc-2")
        raise NotFoundException

    app.add_api_route("/context", endpoint)

    assert TestClient(app).get("/context").json()["correlation_id"] == "abc-2"


@pytest.mark.parametrize("value", ["a\r\nb", "", "x" * 129, 7, None])
def test_strange_id_is_replaced(value: object) -> None:
    """What another middleware took over from the client is not trusted."""
    app = make_app(error=NotFoundException())
    app.add_middleware(add_id(value))
    response = TestClient(app).get("/error")

    assert UUID(response.json()["correlation_id"]).version == 4


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AuthenticationException(), 401, "authentication_failed"),
        (HTTPException(410), 410, "gone"),
        (RuntimeError(SECRET), 500, "internal_error"),
    ],
)
def test_error_in_a_middleware_is_answered(
    error: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also outside the routes; there the server logs, so we do not."""

    def make(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            raise error

        return middleware

    app = make_app()
    app.add_middleware(make)
    client = TestClient(app, raise_server_exceptions=False)
    response = client.get("/raw")

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["x-correlation-id"] == response.json()["correlation_id"]
    assert SECRET not in response.text
    assert [r for r in caplog.records if r.name == "shared.errors"] == []


def test_reply_to_an_unknown_error_passes_all_middleware() -> None:
    """CORS, access log and compression see a 500 like any other reply."""

    def make(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            async def named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"].append((b"x-seen", b"yes"))
                await send(message)

            await app(scope, receive, named)

        return middleware

    app = FastAPI()
    app.add_middleware(make)
    register_exception_handlers(app)
    app.add_middleware(make)
    app.add_api_route("/error", raising(RuntimeError()))
    response = TestClient(app).get("/error")

    assert response.headers.get_list("x-seen") == ["yes", "yes"]


def test_error_after_the_first_byte_ends_the_connection() -> None:
    """Half a body must not look like a whole one, and the server logs the error."""
    with pytest.raises(LookupError, match="too late"):
        client.get("/stream")


def test_error_in_a_background_task_reaches_the_server() -> None:
    """The client has its answer; the log gets the error."""
    with pytest.raises(OSError, match="late"):
        client.get("/background")


async def run(
    app: FastAPI, path: str, *messages: Message, **more: Any
) -> list[Message]:
    """What *app* sends when it receives *messages*; a bare ASGI server."""
    sent: list[Message] = []
    pending = iter(messages)

    async def receive() -> Message:
        return next(pending)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        **more,
    }
    await app(scope, receive, send)
    return sent


PART: Message = {"type": "http.request", "body": b"{", "more_body": True}
LEFT: Message = {"type": "http.disconnect"}


@pytest.mark.parametrize("path", ["/upload", "/raw"])
async def test_client_that_left_is_no_failure(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody reads the reply; it has a status for the access log, and no traceback."""
    headers = [(b"content-type", b"application/json")]
    start, body = await run(make_app(), path, PART, LEFT, headers=headers)

    assert (start["status"], body["body"]) == (499, b"")
    assert [r for r in caplog.records if r.levelno > logging.INFO] == []


async def test_client_that_left_during_the_reply_is_no_failure() -> None:
    """There is nothing to tell the server either."""
    app = make_app()

    async def endpoint() -> StreamingResponse:
        async def chunks() -> Any:
            yield b"first"
            raise ClientDisconnect

        return StreamingResponse(chunks())

    app.add_api_route("/left", endpoint)
    sent = await run(app, "/left", LEFT, method="GET")

    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
    ]


async def test_path_that_is_no_unicode_can_be_answered() -> None:
    """A server may hand on what it could not decode."""
    start, body = await run(make_app(), "/\udc80", method="GET")

    assert start["status"] == 404
    assert json.loads(body["body"])["instance"] == "/%3F"


async def test_other_protocols_pass() -> None:
    """Starting and stopping the application is none of our business."""
    with TestClient(make_app()) as running:
        assert running.get("/none").status_code == 404


# ------------------------------------------------------------------- WebSockets


@router.websocket("/socket/{kind}")
async def socket(websocket: WebSocket, kind: str, limit: int = 0) -> None:
    """Fail before or after the handshake."""
    early = {"missing": NotFoundException(), "broken": RuntimeError(SECRET)}
    if kind in early:
        raise early[kind]
    await websocket.accept()
    late: dict[str, Exception] = {
        "busy": RateLimitExceededException(),
        "denied": HTTPException(403),
        "lost": RuntimeError(SECRET),
        "down": UpstreamException(),
    }
    if kind in late:
        raise late[kind]
    await websocket.receive_text()
    await websocket.close()
    raise {"closed": NotFoundException(), "closed-lost": LookupError("too late")}[kind]


socket_client = TestClient(make_app())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/socket/missing", 404, "not_found"),
        ("/socket/broken", 500, "internal_error"),
        (f"/socket/busy?limit={SECRET}", 422, "validation_error"),
    ],
)
def test_handshake_is_refused_with_a_problem(path: str, status: int, code: str) -> None:
    """Servers with ASGI's denial response let the client see why."""
    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        socket_client.websocket_connect(path),
    ):
        raise AssertionError("the handshake went through")
    response: Any = refusal.value

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("kind", "close", "reason"),
    [
        ("busy", 1013, "rate_limit_exceeded"),
        ("denied", 1008, "permission_denied"),
        ("lost", 1011, "internal_error"),
        ("down", 1011, "upstream_error"),
    ],
)
def test_open_socket_is_closed_with_the_code(
    kind: str, close: int, reason: str
) -> None:
    """RFC 6455, section 7.4.1: a close code for the kind, and ours as the reason."""
    with (
        socket_client.websocket_connect(f"/socket/{kind}") as session,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        session.receive_text()

    assert (closed.value.code, closed.value.reason) == (close, reason)


CONNECT: Message = {"type": "websocket.connect"}
TEXT: Message = {"type": "websocket.receive", "text": "x"}
GONE: Message = {"type": "websocket.disconnect", "code": 1001}


@pytest.mark.parametrize("kind", ["missing", "broken"])
async def test_handshake_is_closed_where_the_server_knows_no_denial(kind: str) -> None:
    """It becomes a bare 403 then."""
    sent = await run(make_app(), f"/socket/{kind}", CONNECT, type="websocket")

    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_client_that_left_a_socket_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A route need not catch WebSocketDisconnect."""
    path = "/socket/closed"
    sent = await run(make_app(), path, CONNECT, GONE, type="websocket")

    assert [message["type"] for message in sent] == ["websocket.accept"]
    assert [r for r in caplog.records if r.levelno > logging.INFO] == []


async def test_closed_socket_is_not_closed_again() -> None:
    """After the end nothing may be sent: ours is dropped, others go to the server."""
    messages = (CONNECT, TEXT)
    app = make_app()
    sent = await run(app, "/socket/closed", *messages, type="websocket")

    assert [message["type"] for message in sent] == [
        "websocket.accept",
        "websocket.close",
    ]
    with pytest.raises(LookupError, match="too late"):
        await run(app, "/socket/closed-lost", *messages, type="websocket")


async def test_socket_that_the_client_left_is_not_closed() -> None:
    """An error of ours in the clean-up has nobody left to be told to."""
    app = make_app()

    @app.websocket("/left")
    async def left(websocket: WebSocket) -> None:
        await websocket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            await websocket.receive_text()
        raise NotFoundException

    sent = await run(app, "/left", CONNECT, GONE, type="websocket")

    assert [message["type"] for message in sent] == ["websocket.accept"]


# ------------------------------------------------------- registration and OpenAPI


def test_readme_tells_the_truth() -> None:
    """Its examples run, and do what the text around them says."""
    readme = Path(__file__).parents[1] / "README.md"
    names: dict[str, Any] = {"__name__": "readme"}
    for example in re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL):
        exec(example, names)  # noqa: S102 our own text
    problem = TestClient(names["app"]).get("/subjects/7").json()

    assert (problem["status"], problem["resource_id"]) == (404, "7")
    assert catalogue()["subject_locked"].description == (
        "Somebody else is editing the subject."
    )


def test_registering_twice_changes_nothing() -> None:
    """A template and the service may both do it."""
    app = make_app(error=RuntimeError())
    before = (list(app.user_middleware), dict(app.exception_handlers), app.openapi)
    register_exception_handlers(app)

    assert (app.user_middleware, app.exception_handlers, app.openapi) == before


def test_registering_too_late_is_refused() -> None:
    """The middleware of a running application is fixed."""
    app = FastAPI()
    TestClient(app).get("/")

    with pytest.raises(RuntimeError, match="before the app is started"):
        register_exception_handlers(app)


def test_document_tells_what_is_answered() -> None:
    """OpenAPI shows problems, in one schema, and no reply of FastAPI's own."""
    app = make_app()
    app.add_api_route(
        "/jobs/{job}",
        raising(NotFoundException()),
        responses=responses_for(NotFoundError("Job", "7"), RateLimitExceededException),
    )
    document = TestClient(app).get("/openapi.json").json()
    replies = document["paths"]["/jobs/{job}"]["get"]["responses"]
    refused = document["paths"]["/orders/{number}"]["post"]["responses"]["422"]
    schema = {"$ref": "#/components/schemas/Problem"}

    assert list(refused["content"]) == [PROBLEM]
    assert refused["content"][PROBLEM]["schema"] == schema
    assert replies["404"]["content"][PROBLEM]["schema"] == schema
    assert list(replies["404"]["content"][PROBLEM]["examples"]) == [
        "resource_not_found"
    ]
    assert replies["429"]["description"] == (
        "The caller sent more requests than its limit allows."
    )
    assert list(document["components"]["schemas"]) == ["Order", "Plan", "Problem"]
    assert TestClient(app).get("/openapi.json").json() == document
