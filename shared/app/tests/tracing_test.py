"""Spans of requests, and their ids in the log."""

from __future__ import annotations

import http.server
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode
from starlette.testclient import TestClient

from shared.app import Service, create_service
from shared.app.tracing import add_tracing
from shared.config import ServiceConfig
from shared.errors import ServiceUnavailableException
from shared.testing import captured_logs

Make = Callable[..., Service]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"

log = logging.getLogger("shared.handler")


class Traced:
    """A service, its client, and the spans that it has finished."""

    def __init__(self, make: Make, **provider: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **provider)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        service = make()
        add_tracing(service, tracer_provider=self.provider)
        routes(service)
        self.client = TestClient(service.app, raise_server_exceptions=False)

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span


def routes(service: Service) -> None:
    """Add what is called."""

    @service.app.get("/users/{user_id}")
    async def user(user_id: int) -> int:
        log.info("inside")
        return user_id

    @service.app.get("/unavailable")
    async def unavailable() -> None:
        raise ServiceUnavailableException

    @service.app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("hunter2")

    @service.app.get("/inner")
    async def inner() -> None:
        assert trace.get_current_span().get_span_context().is_valid


@pytest.fixture
def traced(make: Make) -> Traced:
    """A service whose spans stay in memory."""
    return Traced(make)


def test_a_span_follows_the_conventions(traced: Traced) -> None:
    """Named by its route; neither path nor query, which hold ids and tokens."""
    traced.client.get("/users/7?token=hunter2")

    span = traced.span
    assert (span.name, span.kind) == ("GET /users/{user_id}", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/users/{user_id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "testserver",
        "server.port": 80,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_trace_goes_on(traced: Traced) -> None:
    """The caller's span is the parent, and its state is kept."""
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
    traced.client.get("/users/7", headers=headers)

    span = traced.span
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == CALLER
    assert span.context.trace_state.get("vendor") == "1"


def test_log_lines_have_the_ids_of_the_span(traced: Traced) -> None:
    """Those of the handler, and the access line."""
    with captured_logs("shared", level=logging.INFO) as logs:
        traced.client.get("/users/7", headers={"traceparent": TRACEPARENT})

    context = traced.span.context
    assert context is not None
    ids = {(line["trace_id"], line["span_id"]) for line in logs}
    assert ids == {(TRACE, f"{context.span_id:016x}")}
    assert logs.messages == ["inside", "request"]


def test_without_tracing_the_callers_ids_are_logged(make: Make) -> None:
    """As they come in."""
    service = make()
    routes(service)
    with captured_logs("shared", level=logging.INFO) as logs:
        client = TestClient(service.app)
        client.get("/users/7", headers={"traceparent": TRACEPARENT})

    assert {(line["trace_id"], line["span_id"]) for line in logs} == {(TRACE, CALLER)}


@pytest.mark.parametrize(
    ("path", "status", "kind"), [("/unavailable", 503, "503"), ("/bug", 500, "500")]
)
def test_a_failure_is_marked(traced: Traced, path: str, status: int, kind: str) -> None:
    """By its status; the words of an error stay in the log, which masks secrets."""
    traced.client.get(path)

    span = traced.span
    attributes = dict(span.attributes or {})
    assert attributes["http.response.status_code"] == status
    assert attributes["error.type"] == kind
    assert span.status.status_code is StatusCode.ERROR
    assert "hunter2" not in span.to_json()


def test_a_refusal_is_no_failure_of_the_server(traced: Traced) -> None:
    """A 404 has no route, and a method that is none is one value."""
    traced.client.request("BREW", "/coffee")

    span = traced.span
    attributes = dict(span.attributes or {})
    assert (span.name, attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert "http.route" not in attributes
    assert span.status.status_code is StatusCode.UNSET


async def test_an_error_that_goes_on_to_the_server(make: Make) -> None:
    """What raises outside of everything is marked with its class."""
    traced = Traced(make)
    service = make()
    add_tracing(service, tracer_provider=traced.provider)

    async def send(message: Any) -> None:
        raise BrokenPipeError("the client left")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/info",
        "query_string": b"",
        "headers": [],
        "server": ("localhost", None),
    }
    with pytest.raises(BrokenPipeError, match="the client left"):
        await service.app(scope, receive, send)

    attributes = dict(traced.span.attributes or {})
    assert attributes["error.type"] == "BrokenPipeError"
    assert attributes["server.address"] == "localhost"
    assert "server.port" not in attributes


def test_probes_have_no_spans(traced: Traced) -> None:
    """They would be most of them."""
    with traced.client:
        for path in ("/health", "/health/ready", "/metrics"):
            traced.client.get(path)

    assert traced.exporter.get_finished_spans() == ()


def test_the_handler_sees_the_span(traced: Traced) -> None:
    """Spans of its own become children."""
    assert traced.client.get("/inner").status_code == 200


def test_what_is_not_sampled_is_logged_too(make: Make) -> None:
    """The ids join log lines of several services, recorded or not."""
    traced = Traced(make, sampler=ParentBased(ALWAYS_OFF))
    with captured_logs("shared", level=logging.INFO) as logs:
        traced.client.get("/users/7")

    assert traced.exporter.get_finished_spans() == ()
    assert len({line["trace_id"] for line in logs}) == 1


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes what is exported."""

    def do_POST(self) -> None:  # the standard library's name
        """Keep the path and the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


received: list[tuple[str, bytes]] = []


@pytest.fixture
def collector() -> Iterator[str]:
    """A collector on a free port; gives its address."""
    received.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_collector_of_the_environment(
    collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """create_service finds it by itself, and spans are out before the service ends."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
    config = ServiceConfig(service_name="my-service")
    service = create_service("my-service", config, logging=False)
    routes(service)
    with TestClient(service.app) as client:
        client.get("/users/7")

    ((path, body),) = received
    assert path == "/v1/traces"
    assert b"GET /users/{user_id}" in body
    assert b"my-service" in body
