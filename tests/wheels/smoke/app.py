"""The chassis answers for its health, and without a server."""

import asyncio
import json
from collections.abc import MutableMapping
from importlib.resources import files
from typing import Any

from shared.app import create_service
from shared.config import ServiceConfig

service = create_service("smoke", ServiceConfig(service_name="smoke"), logging=False)


async def get(path: str) -> tuple[int, bytes]:
    """Ask the application without a server, and return status and body."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
    }
    await service.app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def main() -> None:
    """Health, metrics, the page, and the rules that go along."""
    status, body = await get("/health/live")
    assert (status, json.loads(body)["status"]) == (200, "pass")
    assert b"http_server_request_duration_seconds" in (await get("/metrics"))[1]
    assert b"<!DOCTYPE html>" in (await get("/docs"))[1]
    assert "ServiceErrorRateHigh" in (
        files("shared.app").joinpath("prometheus/alerts.yml").read_text()
    )


asyncio.run(main())
