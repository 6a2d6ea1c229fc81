"""The chassis as a whole."""

from __future__ import annotations

import json
import logging
import platform
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.routing import NoMatchFound
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from shared.app import Service, StartError, create_service
from shared.auth import KeyRing, TokenPayload, create_access_token
from shared.auth.dependencies import get_current_user
from shared.config import SecurityConfig, ServiceConfig
from shared.errors import ConflictException, NotFoundError, responses_for
from shared.testing import captured_logs, is_problem, mint_token

Make = Callable[..., Service]
SECRET = "s" * 16 + "ecret" * 8
HEALTH = ["/health", "/health/live", "/health/ready", "/health/startup"]


def config(name: str = "my-service", **settings: Any) -> ServiceConfig:
    """Settings with nothing from the environment."""
    return ServiceConfig(service_name=name, **settings)


# What every service answers


def test_health_is_well(make: Make) -> None:
    """All four, once the service has started."""
    with TestClient(make().app) as client:
        replies = [client.get(path) for path in HEALTH]

    assert [r.status_code for r in replies] == [200] * 4
    assert {r.headers["Content-Type"] for r in replies} == {"application/health+json"}
    assert {r.json()["status"] for r in replies} == {"pass"}


def test_not_ready_outside_of_the_lifespan(make: Make) -> None:
    """Before it and after it; alive all the time."""
    service = make()
    client = TestClient(service.app)
    before = [client.get(path).status_code for path in HEALTH]
    with client:
        during = service.ready
    after = client.get("/health/ready").status_code

    assert before == [200, 200, 503, 503]
    assert (during, after, service.ready) == (True, 503, False)


def test_a_check_of_the_service(make: Make) -> None:
    """It is in the reply, in the metric, and decides about readiness."""
    service = make()

    async def fails() -> None:
        raise OSError("password=hunter2")

    service.add_check("disk", fails)
    service.add_check("cache", fails, critical=False)
    with TestClient(service.app) as client, captured_logs("shared.app.health"):
        unknown = check_status(client)
        reply = client.get("/health/ready")
        failed = check_status(client)

    assert reply.status_code == 503
    assert list(reply.json()["checks"]) == ["disk:responseTime", "cache:responseTime"]
    assert "hunter2" not in reply.text
    assert str(unknown["disk"]) == "nan"
    assert failed == {"disk": 0.0, "cache": 0.0}


def check_status(client: TestClient) -> dict[str, float]:
    """What the metric says of each check."""
    text = client.get("/metrics").text
    return {
        sample.labels["check"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "health_check_status"
    }


def test_info_says_what_runs_here(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, version, environment, build and Python: and no setting beyond these."""
    monkeypatch.setenv("BUILD_SHA", "0123abc")
    security = SecurityConfig(secret_key=SecretStr(SECRET))
    service = make(config={"service_version": "1.2.3", "security": security})
    reply = TestClient(service.app).get("/info")

    assert reply.json() == {
        "name": "my-service",
        "version": "1.2.3",
        "environment": "development",
        "build": "0123abc",
        "python_version": platform.python_version(),
    }


def test_info_of_arguments(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments win over settings and environment; without any, build is null."""
    monkeypatch.delenv("BUILD_SHA", raising=False)
    plain = TestClient(make().app).get("/info").json()
    told = make(version="2.0.0", build="beef")
    given = TestClient(told.app).get("/info").json()

    assert plain["build"] is None
    assert (given["version"], given["build"]) == ("2.0.0", "beef")
    assert told.app.version == "2.0.0"


def test_metrics_know_routes_by_their_templates(make: Make) -> None:
    """People's ids and made-up paths do not become labels."""
    service = make()

    @service.app.get("/users/{user_id}")
    async def user(user_id: int) -> int:
        return user_id

    client = TestClient(service.app)
    for path in ("/users/1", "/users/2", "/made/up", "/other", "/health"):
        client.get(path)

    seen = {
        (s.labels["http_route"], s.labels["http_response_status_code"]): s.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for s in family.samples
        if s.name == "http_server_request_duration_seconds_count"
    }
    assert seen == {
        ("/users/{user_id}", "200"): 2,
        ("unmatched", "404"): 2,
        ("/health", "200"): 1,
    }


def test_metrics_may_ask_for_a_token(make: Make) -> None:
    """A scraper sends it as a bearer token; everybody else gets a 401."""
    client = TestClient(make(metrics_token="scrape-me-if-you-can").app)
    headers = [
        {},
        {"Authorization": "Bearer scrape-me"},
        {"Authorization": "Bearer scrape-me-if-you-can"},
    ]
    replies = [client.get("/metrics", headers=sent) for sent in headers]

    assert [r.status_code for r in replies] == [401, 401, 200]
    assert replies[0].headers["WWW-Authenticate"] == "Bearer"


def test_a_token_that_can_be_guessed() -> None:
    """It is refused where it is written, and not shown."""
    with pytest.raises(ValueError, match="16 characters or more") as caught:
        create_service("my-service", config(), logging=False, metrics_token="short")

    assert "short" not in str(caught.value)


@pytest.mark.parametrize("path", [*HEALTH, "/info", "/metrics", "/docs"])
def test_only_reading_is_allowed(make: Make, path: str) -> None:
    """HEAD is GET without a body; anything else is a 405 that says so."""
    with TestClient(make().app) as client:
        got, head, posted = client.get(path), client.head(path), client.post(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert posted == is_problem(status=405, code="method_not_allowed")
    assert posted.headers["Allow"] == "GET, HEAD"


def test_they_are_found_behind_a_proxy(make: Make) -> None:
    """A path in front of all others does not hide them; the document names it."""
    with TestClient(make().app, root_path="/api") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/api/health").status_code == 200
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/api"}]


def test_a_catch_all_route_does_not_hide_them(make: Make) -> None:
    """Whatever a service adds: probes and scrapes arrive."""
    service = make()

    @service.app.get("/{path:path}")
    async def everything(path: str) -> str:
        return path

    with TestClient(service.app) as client:
        assert client.get("/health").json()["status"] == "pass"
        assert client.get("/anything").json() == "anything"
        assert client.get("/health/").json() == "health/"


def test_they_have_no_names_and_no_websockets(make: Make) -> None:
    """There is nothing to build a URL from, and nobody to talk to."""
    service = make()

    with pytest.raises(NoMatchFound, match='name "health"'):
        service.app.url_path_for("health")
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        TestClient(service.app).websocket_connect("/health"),
    ):
        pass
    assert refused.value.code == 1000


# The document


def test_the_document_describes_errors_and_health(make: Make) -> None:
    """Every operation may answer with a problem; metrics are for machines."""
    service = make(title="Notes", description="Keeps notes.")

    @service.app.get("/notes/{note_id}", responses=responses_for(NotFoundError("N", 1)))
    async def note(note_id: int) -> str:
        raise NotFoundError("Note", note_id)

    document = TestClient(service.app).get("/openapi.json").json()
    responses = document["paths"]["/notes/{note_id}"]["get"]["responses"]
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}

    assert document["info"]["title"] == "Notes"
    assert document["info"]["description"] == "Keeps notes."
    assert responses["default"]["content"] == {"application/problem+json": problem}
    assert set(responses) == {"200", "404", "422", "default"}
    assert set(HEALTH) | {"/info"} < set(document["paths"])
    assert "/metrics" not in document["paths"]
    assert service.app.openapi() == document


def test_an_operation_is_called_by_its_tag_and_its_function(make: Make) -> None:
    """Generated clients have these names, which paths and methods don't change."""
    service = make()
    router = APIRouter(prefix="/notes", tags=["shared notes", "other"])

    @router.get("/{note_id}")
    async def read(note_id: int) -> str:
        return ""

    @router.post("", operation_id="writeDown")
    async def write() -> str:
        return ""

    @service.app.put("/notes")
    async def replace() -> str:
        return ""

    service.app.include_router(router)
    paths = service.app.openapi()["paths"]
    names = {
        operation["operationId"]
        for path in ("/notes", "/notes/{note_id}")
        for operation in paths[path].values()
    }

    assert names == {"shared_notes_read", "writeDown", "replace"}


@pytest.mark.parametrize(
    ("path", "name"), [("/b", "read"), ("/c", "health")], ids=["own", "of the chassis"]
)
@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")
def test_two_operations_of_one_name_are_refused(
    make: Make, path: str, name: str
) -> None:
    """No client could have both."""
    service = make()

    @service.app.get("/a", operation_id="read")
    async def one() -> str:
        return ""

    @service.app.get(path, operation_id=name)
    async def two() -> str:
        return ""

    with pytest.raises(ValueError, match=f"have the operationId '{name}': make each"):
        service.app.openapi()


# Errors and logs


def test_errors_are_problems_with_the_id_of_the_log(make: Make) -> None:
    """One id in reply, header and log; a secret in the error stays in."""
    service = make()

    @service.app.get("/conflict")
    async def conflict() -> None:
        raise ConflictException("Taken.")

    @service.app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("hunter2")

    client = TestClient(service.app, raise_server_exceptions=False)
    with captured_logs("shared", level=logging.INFO) as logs:
        reply = client.get("/bug", headers={"X-Correlation-ID": "abc-123"})

    assert client.get("/conflict") == is_problem(status=409, detail="Taken.")
    assert reply == is_problem(status=500, code="internal_error")
    assert "hunter2" not in reply.text
    assert reply.headers["X-Correlation-ID"] == "abc-123"
    assert {line["correlation_id"] for line in logs} == {"abc-123"}


def test_probes_leave_no_lines(make: Make) -> None:
    """They come every few seconds; the rest is in the access log."""
    with (
        TestClient(make().app) as client,
        captured_logs("shared.logging.middleware", level=logging.INFO) as logs,
    ):
        for path in (*HEALTH, "/metrics", "/info"):
            client.get(path)

    assert [line["route"] for line in logs] == ["/info"]


def test_an_error_of_a_middleware_is_answered_too(make: Make) -> None:
    """The service's own middleware stands inside of log, headers and metrics."""

    class Broken:
        def __init__(self, app: ASGIApp) -> None:
            pass

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise RuntimeError

    service = make()
    service.app.add_middleware(Broken)
    client = TestClient(service.app, raise_server_exceptions=False)
    with captured_logs("shared.logging.middleware", level=logging.INFO) as logs:
        reply = client.get("/info")

    assert reply == is_problem(status=500)
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert [line["status"] for line in logs] == [500]


def test_a_layer_sees_every_answer(make: Make) -> None:
    """Also those of middleware, and of the limits."""
    seen: list[int] = []

    def layer(app: ASGIApp) -> ASGIApp:
        async def watching(scope: Scope, receive: Receive, send: Send) -> None:
            async def watched(message: Any) -> None:
                if message["type"] == "http.response.start":
                    seen.append(message["status"])
                await send(message)

            await app(scope, receive, watched)

        return watching

    service = make(server={"max_body_bytes": 1})
    service.add_layer(layer)
    client = TestClient(service.app)
    client.post("/info", content=b"too long")

    assert seen == [413]
    with pytest.raises(RuntimeError, match="before the application is started"):
        service.add_layer(layer)


@pytest.mark.usefixtures("logging_restored")
def test_logging_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """For this service and at the level of its settings; twice is as good as once."""
    for _ in range(2):
        create_service("my-service", config(log_level="WARNING"))
    logging.getLogger("x").info("not shown")
    logging.getLogger("x").warning("shown")

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["service"] == "my-service"


@pytest.mark.usefixtures("logging_restored")
def test_logging_is_left_alone(make: Make) -> None:
    """Where something else has set it up."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    make()

    assert (root.handlers, root.level) == before


# Settings


def test_settings_of_another_service() -> None:
    """Both names are in the message."""
    with pytest.raises(ValueError, match="those of 'orders': get_config\\('users'\\)"):
        create_service("users", config("orders"))


def test_two_services_in_one_process(make: Make) -> None:
    """Neither metrics nor checks meet."""
    first = make()
    second = create_service("other", config("other"), logging=False)

    async def fails() -> bool:
        return False

    first.add_check("database", fails)
    first.metrics.registry.get_sample_value("service_ready")
    with TestClient(first.app) as one, TestClient(second.app) as two:
        with captured_logs("shared.app.health"):
            assert one.get("/health").status_code == 503
        assert two.get("/health").status_code == 200
    assert repr(second) == "<Service 'other'>"


# Tokens


def protected(service: Service) -> None:
    """Add a route that asks who is there."""
    router = APIRouter()

    @router.get("/me")
    async def me(user: Annotated[TokenPayload, Depends(get_current_user)]) -> str:
        return user.sub

    service.app.include_router(router)


def test_a_protected_route_without_keys_does_not_start(make: Make) -> None:
    """The line names the route, and the variable that is missing."""
    service = make()
    protected(service)

    with (
        pytest.raises(StartError, match=r"/me is protected, .* SECRET_KEY or JWKS_URL"),
        TestClient(service.app),
    ):
        pass


def test_keys_of_the_settings(make: Make) -> None:
    """SECRET_KEY signs and checks: `service.keys` is for who issues tokens."""
    security = SecurityConfig(secret_key=SecretStr(SECRET), jwt_audience="my-service")
    service = make(config={"security": security})
    protected(service)
    assert isinstance(service.keys, KeyRing)
    token = create_access_token("user-1", keys=service.keys, policy=service.policy)
    with TestClient(service.app) as client:
        reply = client.get("/me", headers={"Authorization": f"Bearer {token}"})
        refused = client.get("/me")

    assert reply.json() == "user-1"
    assert refused == is_problem(status=401)


def test_keys_of_arguments(make: Make) -> None:
    """They win over the settings."""
    minted = mint_token("user-2")
    security = SecurityConfig(secret_key=SecretStr(SECRET))
    service = make(
        config={"security": security}, keys=minted.keys, policy=minted.policy
    )
    protected(service)
    with TestClient(service.app) as client:
        assert client.get("/me", headers=minted.headers).json() == "user-2"


# Start and stop


def test_resources_are_open_for_the_inner_lifespan(make: Make) -> None:
    """It may use them, and its state reaches the requests."""
    events: list[str] = []

    @asynccontextmanager
    async def pool() -> AsyncIterator[str]:
        events.append("open")
        yield "pool"
        events.append("close")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        events.append(resource.value)
        yield {"answer": 42}
        events.append("end")

    service = make(lifespan=lifespan)
    resource = service.add_resource("pool", pool)
    with TestClient(service.app) as client:
        state = client.app_state
        assert service.ready

    assert state["answer"] == 42
    assert events == ["open", "pool", "end", "close"]


def test_a_service_can_be_started_again(make: Make) -> None:
    """As tests do: each time its resources open and close."""
    opened: list[int] = []

    @asynccontextmanager
    async def pool() -> AsyncIterator[None]:
        opened.append(1)
        yield

    service = make()
    service.add_resource("pool", pool)
    for _ in range(2):
        with TestClient(service.app) as client:
            assert client.get("/health/ready").status_code == 200

    assert opened == [1, 1]


async def lifespan_messages(app: FastAPI, match: str) -> list[Any]:
    """What a server is told when it starts the application, and fails."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises((StartError, ZeroDivisionError), match=match):
        await app({"type": "lifespan", "state": {}}, receive, send)
    return sent


async def test_a_start_that_fails_is_told_in_one_line(make: Make) -> None:
    """The server gets words to log, and not a traceback."""

    @asynccontextmanager
    async def unreachable() -> AsyncIterator[None]:
        await _refused()
        yield

    service = make()
    service.add_resource("database", unreachable)
    (message,) = await lifespan_messages(service.app, "nobody listens")

    assert message == {
        "type": "lifespan.startup.failed",
        "message": "Resource 'database' could not be opened: ConnectionRefusedError: "
        "nobody listens",
    }


async def _refused() -> None:
    raise ConnectionRefusedError("nobody listens")


def test_what_must_be_configured_is_looked_at_first(make: Make) -> None:
    """A limiter, for example, without which limited routes would fail later."""
    seen: list[FastAPI] = []

    def missing(app: FastAPI) -> None:
        raise RuntimeError("/orders is limited, but there is no limiter.")

    service = make(ensure=[seen.append, missing])

    with (
        pytest.raises(StartError, match=r"^/orders is limited, but there is no"),
        TestClient(service.app),
    ):
        pass
    assert seen == [service.app]


async def test_a_bug_in_the_inner_lifespan_keeps_its_traceback(make: Make) -> None:
    """It is no trouble of the surroundings, and its place is what one needs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield 1 / 0  # type: ignore[misc]

    (message,) = await lifespan_messages(make(lifespan=lifespan).app, "by zero")

    assert "Traceback" in message["message"]
    assert "ZeroDivisionError" in message["message"]


# Traces


def test_a_collector_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "shared.app.tracing", None)

    with pytest.raises(ValueError, match=r"need //shared/app:tracing, in wheels"):
        create_service("my-service", config(), logging=False)
