"""A span of OpenTelemetry for each request.

`create_service` does this by itself where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set and
this module is installed. With a provider of your own::

    add_tracing(service, tracer_provider=provider)

Spans follow the semantic conventions of HTTP servers. A ``traceparent`` that comes in
is continued, and the log lines of a request have its ``trace_id`` and ``span_id``.
Without this module the ids of ``traceparent`` are logged all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.app import Service
from shared.logging import TraceContext, parse_traceparent, trace_context_var
from shared.logging.middleware import route_template

__all__ = ["add_tracing"]

# The conventions' known methods; any other is one value.
_METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
_QUIET: Final = frozenset(
    ("/health", "/health/live", "/health/ready", "/health/startup", "/metrics")
)


def add_tracing(
    service: Service,
    *,
    tracer_provider: TracerProvider | None = None,
    quiet_paths: Iterable[str] = _QUIET,
) -> TracerProvider:
    """Trace the requests of *service*; returns the provider for spans of your own.

    Args:
        service: The service.
        tracer_provider: Whose owner shuts it down. Else one that sends to where the
            ``OTEL_`` variables say, flushed and closed with the service.
        quiet_paths: Paths without a span.
    """
    provider = tracer_provider or _exporting(service)
    tracer = provider.get_tracer("shared.app")
    quiet = frozenset(quiet_paths)
    service.add_layer(lambda app: _Tracing(app, tracer, quiet))
    return provider


def _exporting(service: Service) -> TracerProvider:
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": service.name,
                "service.version": service.app.version,
                "deployment.environment.name": service.config.environment,
            }
        ),
        shutdown_on_exit=False,  # the service does it
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    @asynccontextmanager
    async def closing() -> AsyncIterator[TracerProvider]:
        try:
            yield provider
        finally:
            # It waits for the collector, in a thread of its own.
            await asyncio.to_thread(provider.shutdown)

    service.add_resource("tracing", closing)
    return provider


class _Tracing:
    """Middleware that opens a span around each request."""

    def __init__(self, app: ASGIApp, tracer: Tracer, quiet: frozenset[str]) -> None:
        self._app = app
        self._tracer = tracer
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._quiet:
            await self._app(scope, receive, send)
            return
        method = _method(scope)
        span = self._tracer.start_span(
            method or "HTTP",
            context=_parent(scope),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope, method),
        )
        ids = span.get_span_context()
        ours = TraceContext(
            f"{ids.trace_id:032x}", f"{ids.span_id:016x}", f"{ids.trace_flags:02x}"
        )
        log_token = trace_context_var.set(ours)
        otel_token = otel_context.attach(set_span_in_context(span))
        status: int | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except BaseException as error:
            # The text of an error may hold a secret; it is in the log, masked.
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        else:
            trace_context_var.reset(log_token)
        finally:
            otel_context.detach(otel_token)
            _finish(span, scope, method, status)


def _finish(span: Span, scope: Scope, method: str | None, status: int | None) -> None:
    route = route_template(scope)
    if route != "unmatched":
        span.set_attribute("http.route", route)
        span.update_name(f"{method or 'HTTP'} {route}")
    if status is not None:
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(StatusCode.ERROR)
    span.end()


def _method(scope: Scope) -> str | None:
    method: str = scope["method"]
    return method if method in _METHODS else None


def _attributes(scope: Scope, method: str | None) -> dict[str, str | int]:
    """Neither path nor query: the one holds people's ids, the other tokens."""
    attributes: dict[str, str | int] = {
        "http.request.method": method or "_OTHER",
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if (server := scope.get("server")) is not None:
        attributes["server.address"] = server[0]
        if server[1] is not None:
            attributes["server.port"] = server[1]
    return attributes


def _parent(scope: Scope) -> otel_context.Context:
    """The caller's span, if it sent one, in a context without anything else."""
    headers = dict(scope["headers"])
    caller = parse_traceparent(headers.get(b"traceparent", b"").decode("latin-1"))
    empty = otel_context.Context()
    if caller is None:
        return empty
    state = headers.get(b"tracestate", b"").decode("latin-1")
    ids = SpanContext(
        trace_id=int(caller.trace_id, 16),
        span_id=int(caller.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(caller.flags, 16)),
        trace_state=TraceState.from_header([state]),
    )
    return set_span_in_context(NonRecordingSpan(ids), empty)
