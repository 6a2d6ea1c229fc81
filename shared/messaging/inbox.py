"""Handlers that take effect once, however often their event is delivered.

::

    inbox_events = inbox_table(Base.metadata)            # with the models
    inbox = Inbox(inbox_events, database)

    @idempotent(inbox)
    async def on_paid(event: InvoicePaid, session: AsyncSession) -> None:
        session.add(Booking(invoice_id=event.payload.invoice_id))

    bus.subscribe(InvoicePaid, on_paid)

Brokers deliver at least once. The handler runs in a transaction that first notes the id
of the event and the name of the consumer; where they are noted already, it does not
run. So what it does in its session happens once: with the note, or not at all.

What is outside of that session happens as often as the handler begins: a mail, a call,
and ``bus.publish`` too. Events go into the outbox, with the same session.

The note is kept for ``retention``. An event that comes again later than that, such as a
dead letter that somebody replays after weeks, is new to the inbox and runs.
"""

from shared.messaging._inbox_handler import HandlerTransactionError, idempotent
from shared.messaging._inbox_store import Inbox
from shared.messaging._inbox_table import inbox_table

__all__ = [
    "HandlerTransactionError",
    "Inbox",
    "idempotent",
    "inbox_table",
]
