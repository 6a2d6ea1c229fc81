"""A request is a span."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.app import create_service
from shared.app.tracing import add_tracing
from shared.config import ServiceConfig

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
service = create_service("smoke", ServiceConfig(service_name="smoke"), logging=False)
add_tracing(service, tracer_provider=provider)


async def main() -> None:
    """Ask the application without a server."""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        """Nobody listens."""

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/info",
        "headers": [],
        "query_string": b"",
    }
    await service.app(scope, receive, send)


asyncio.run(main())
assert [span.name for span in spans.get_finished_spans()] == ["GET /info"]
