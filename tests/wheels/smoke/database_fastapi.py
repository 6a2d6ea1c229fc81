"""An endpoint's transaction: committed when it returns, rolled back when it raises."""

import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.dependencies import get_db_dependency

database = Database(
    DatabaseConfig.model_validate({"url": "sqlite://"}), service_name="smoke"
)
app = FastAPI()


@app.post("/{fails}")
async def write(
    fails: bool, db: Annotated[AsyncSession, Depends(get_db_dependency(database))]
) -> None:
    """Write a row, and fail perhaps."""
    await db.execute(text("INSERT INTO note VALUES (1)"))
    if fails:
        raise KeyError


async def post(path: str) -> None:
    """Call the application without a server."""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": path, "headers": ()}
    await app({**scope, "query_string": b""}, receive, send)


async def main() -> None:
    """One of two is kept."""
    async with database.session() as session:
        await session.execute(text("CREATE TABLE note (i INTEGER)"))
    await post("/false")
    with contextlib.suppress(KeyError):
        await post("/true")
    async with database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM note")) == 1
    await database.dispose()


asyncio.run(main())
