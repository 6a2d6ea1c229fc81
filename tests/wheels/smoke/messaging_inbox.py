"""An event that is delivered twice takes effect once."""

import asyncio
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from shared.config import DatabaseConfig
from shared.database import Base, Database
from shared.events import BaseEvent, EventPayload
from shared.messaging.inbox import Inbox, idempotent, inbox_table


class InvoicePaidPayload(EventPayload):
    """What was paid."""

    invoice_id: str


class InvoicePaid(BaseEvent[InvoicePaidPayload]):
    """The event."""

    event_type: Literal["invoice.paid"] = "invoice.paid"


database = Database(DatabaseConfig(url="sqlite://"), service_name="smoke")
inbox = Inbox(inbox_table(Base.metadata), database)


@idempotent(inbox)
async def on_paid(event: InvoicePaid, session: AsyncSession) -> str:
    """Handle it."""
    return event.payload.invoice_id


async def main() -> None:
    """Its result the first time, None after that."""
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    event = InvoicePaid(payload=InvoicePaidPayload(invoice_id="i-1"))
    assert [await on_paid(event), await on_paid(event)] == ["i-1", None]
    assert await inbox.clean() == 0
    await database.dispose()


asyncio.run(main())
