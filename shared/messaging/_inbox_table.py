"""Where it is noted which events were handled.

Private: import ``inbox_table`` from ``shared.messaging.inbox``.
"""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table, Uuid

from shared.database import UtcDateTime


def inbox_table(metadata: MetaData, *, name: str = "inbox") -> Table:
    """Return the table, declared in *metadata*, where Alembic sees it.

    ::

        inbox_events = inbox_table(Base.metadata)

    A row says that one consumer handled one event, and nothing of what is in it.
    """
    return Table(
        name,
        metadata,
        Column("event_id", Uuid, primary_key=True),
        Column("consumer", String, primary_key=True),
        Column("handled_at", UtcDateTime, nullable=False, index=True),
    )
