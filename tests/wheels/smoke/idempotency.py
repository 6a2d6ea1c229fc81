"""A key is claimed, its reply stored, and given to the repetition."""

import asyncio

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.idempotency import (
    Claim,
    IdempotencyStore,
    StoredReply,
    fingerprint,
    idempotency_table,
    parse_idempotency_key,
)

KEY = parse_idempotency_key(['"8e03978e"'])
REPLY = StoredReply(201, (("location", "/orders/1"),), b"{}")

store = IdempotencyStore(idempotency_table(Base.metadata))


async def request(database: Database) -> StoredReply | None:
    """Run once; the reply of the first for every other one."""
    async with database.session() as session:
        found = await store.claim(
            session,
            caller="user-1",
            operation="POST /orders",
            key=KEY,
            fingerprint=fingerprint("POST", "/orders", b"", b"{}"),
        )
        if isinstance(found, Claim):
            await store.complete(session, found, REPLY)
            return None
        return found


async def main() -> None:
    """None for the first, its reply for the second."""
    database = Database(DatabaseConfig(url="sqlite://"), service_name="smoke")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    assert [await request(database), await request(database)] == [None, REPLY]
    await database.dispose()


asyncio.run(main())
