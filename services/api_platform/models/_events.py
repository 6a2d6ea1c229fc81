"""Events that wait to be published, and those that were handled."""

from __future__ import annotations

from shared.database import Base
from shared.messaging.inbox import inbox_table
from shared.messaging.outbox import outbox_table

outbox_events = outbox_table(Base.metadata)
webhook_outbox_events = outbox_table(Base.metadata, name="webhook_outbox")
"""Of the exchange `webhooks`, whose messages are only this service's."""
inbox_events = inbox_table(Base.metadata)
