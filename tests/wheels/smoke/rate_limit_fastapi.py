"""A limited route: once with the fields, and once refused."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from fastapi import Depends, FastAPI

from shared.errors import RateLimitExceededException
from shared.rate_limit import InMemoryRateLimiter, RateLimitPolicy
from shared.rate_limit.dependencies import (
    client_address,
    configure_rate_limits,
    ensure_rate_limits_configured,
    rate_limit,
)

ONCE = RateLimitPolicy("once", limit=1, window=60)

app = FastAPI()
configure_rate_limits(app, InMemoryRateLimiter())
ensure_rate_limits_configured(app)


@app.get("/", dependencies=[Depends(rate_limit(ONCE, key=client_address))])
async def root() -> str:
    """Only once."""
    return "hello"


async def get() -> dict[bytes, bytes]:
    """Ask the application without a server, and return the headers."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await app(scope | {"query_string": b""}, receive, send)
    return dict(sent[0]["headers"])


async def refused() -> str:
    """The policy that refuses the request."""
    try:
        await get()
    except RateLimitExceededException as error:
        return str(error.extra_info["policy"])
    return "none"


async def main() -> None:
    """200 and 429."""
    assert (await get())[b"ratelimit-policy"] == b'"once";q=1;w=60'
    assert await refused() == "once"


asyncio.run(main())
