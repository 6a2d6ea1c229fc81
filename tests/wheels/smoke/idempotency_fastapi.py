"""A route that runs once for a key, asked twice without a server."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.database.dependencies import get_db_dependency
from shared.idempotency import IdempotencyStore, idempotency_table
from shared.idempotency.dependencies import IdempotentRoute, idempotent

database = Database(DatabaseConfig(url="sqlite://"), service_name="smoke")
store = IdempotencyStore(idempotency_table(Base.metadata))
calls: list[str] = []


async def caller() -> str:
    """Whose keys they are."""
    return "user-1"


router = APIRouter(route_class=IdempotentRoute)
once = Depends(idempotent(store, get_db_dependency(database), caller))


@router.post("/orders", dependencies=[once])
async def order() -> int:
    """Count the calls."""
    calls.append("order")
    return len(calls)


app = FastAPI()
app.include_router(router)


async def post() -> tuple[dict[bytes, bytes], bytes]:
    """Ask the application, and return headers and body."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/orders",
        "headers": [(b"idempotency-key", b'"8e03978e"')],
        "query_string": b"",
    }
    await app(scope, receive, send)
    return dict(sent[0]["headers"]), sent[1]["body"]


async def main() -> None:
    """The second reply is the first, and says so."""
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    first, again = await post(), await post()
    await database.dispose()
    assert (first[1], again[1], calls) == (b"1", b"1", ["order"])
    assert again[0][b"idempotency-replayed"] == b"true"


asyncio.run(main())
