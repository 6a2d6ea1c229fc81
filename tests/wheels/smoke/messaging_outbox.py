"""An event leaves with its transaction, and not without it."""

import asyncio
from uuid import UUID

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.events import UserDeletedEvent, UserDeletedPayload
from shared.messaging import InMemoryBus
from shared.messaging.outbox import Outbox, OutboxRelay, outbox_table

USER = UUID("7ad29fee-3ed3-4ee2-8d5c-6c4fe6d4e6a5")

database = Database(DatabaseConfig(url="sqlite://"), service_name="smoke")
outbox = Outbox(outbox_table(Base.metadata))
payload = UserDeletedPayload(user_id=USER, requested_by="user")
undone, done = UserDeletedEvent(payload=payload), UserDeletedEvent(payload=payload)


async def main() -> None:
    """One transaction is rolled back, one is committed."""
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.session() as session:
        outbox.add(session, undone)
        await session.rollback()
        outbox.add(session, done)
    assert (await outbox.lag(database)).rows == 1

    seen: asyncio.Queue[UserDeletedEvent] = asyncio.Queue()
    bus = InMemoryBus("accounts")
    bus.subscribe(UserDeletedEvent, seen.put, name="see")
    async with bus, OutboxRelay(outbox, database, bus), asyncio.timeout(30):
        assert (await seen.get()).event_id == done.event_id
        while (await outbox.lag(database)).rows:  # noqa: ASYNC110 - in the database
            await asyncio.sleep(0.01)
    assert seen.empty()
    await database.dispose()


asyncio.run(main())
