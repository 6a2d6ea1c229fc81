"""Events that are published exactly if the transaction they belong to is committed.

::

    outbox_events = outbox_table(Base.metadata)
    outbox = Outbox(outbox_events)

    async with database.session() as session:
        session.add(user)
        outbox.add(session, UserRegisteredEvent(payload=...))

    async with OutboxRelay(outbox, database, bus):
        ...

Consumers get an event at least once, and those of one aggregate in the order of the
commits.

Debezium can read the table in the relay's stead (https://debezium.io/documentation/
reference/stable/transformations/outbox-event-router.html)::

    transforms=outbox
    transforms.outbox.type=io.debezium.transforms.outbox.EventRouter
    transforms.outbox.route.by.field=type
    transforms.outbox.route.topic.replacement=${routedByValue}
    transforms.outbox.table.fields.additional.placement=\
type:header:event_type,content_type:header:content_type,headers:header:headers
    table.include.list=public.outbox
    value.converter=io.debezium.converters.BinaryDataConverter

The key is ``aggregateid``, the header ``id`` that of the event. Then run no relay, and
delete rows that are old: Debezium takes no notice of it.
"""

from shared.messaging._outbox_relay import OutboxRelay, Publisher
from shared.messaging._outbox_table import outbox_table
from shared.messaging._outbox_writer import Outbox, OutboxLag, OutboxStalledError

__all__ = [
    "Outbox",
    "OutboxLag",
    "OutboxRelay",
    "OutboxStalledError",
    "Publisher",
    "outbox_table",
]
