"""An application answers with problems."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI

from shared.errors import NotFoundException
from shared.errors.handlers import register_exception_handlers

app = FastAPI()
register_exception_handlers(app)


@app.get("/subjects/{subject}")
async def subject(subject: str) -> None:
    """There is none."""
    raise NotFoundException("No such subject.", subject=subject)


async def get(path: str) -> tuple[int, dict[str, Any]]:
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
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def main() -> None:
    """Our error, and one of the framework's own."""
    status, problem = await get("/subjects/123")
    assert (status, problem["code"], problem["subject"]) == (404, "not_found", "123")

    status, problem = await get("/nowhere")
    assert (status, problem["code"]) == (404, "not_found")


asyncio.run(main())
