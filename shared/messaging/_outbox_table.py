"""Where events wait until the broker has them.

Private: import ``outbox_table`` from ``shared.messaging.outbox``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zlib import crc32

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Uuid,
)
from sqlalchemy.dialects.postgresql.base import PGDialect

from shared.database import JSON_DOCUMENT, UtcDateTime
from shared.messaging._message import OutgoingMessage

PARTITIONS: Final = 16
"""Events of one aggregate are in one of them. Another number would lose their order."""

# Rows come and go: without these, autovacuum waits for a share of the most there ever
# were, and then takes its time (https://www.postgresql.org/docs/current/
# sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS).
_STORAGE: Final = {
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 5000,
    "autovacuum_vacuum_cost_delay": 0,
    # Giving space back locks out everybody for a moment, and it is needed again.
    "vacuum_truncate": "false",
}


def outbox_table(metadata: MetaData, *, name: str = "outbox") -> Table:
    """Return the table, declared in *metadata*, where Alembic sees it.

    ::

        outbox_events = outbox_table(Base.metadata)

    A row is there from the commit until the broker has its event. Debezium's outbox
    event router can read it in the relay's stead: the names are those it looks for.
    """
    # The position is the key of a row, and of SQLite's too, which numbers only an
    # INTEGER and would, without AUTOINCREMENT, begin anew when the table is empty.
    number = BigInteger().with_variant(Integer, "sqlite")
    return Table(
        name,
        metadata,
        Column("position", number, Identity(), primary_key=True),
        Column("id", Uuid, nullable=False),  # of the event; not unique, see Outbox.add
        Column("partition", SmallInteger, nullable=False),
        Column("aggregatetype", String, nullable=False),
        Column("aggregateid", String, nullable=True),
        Column("type", String, nullable=False),
        Column("payload", LargeBinary, nullable=False),  # the bytes that are published
        Column("content_type", String, nullable=False),
        Column("headers", JSON_DOCUMENT, nullable=False),
        Column("occurred_at", UtcDateTime, nullable=False),
        Column("created_at", UtcDateTime, nullable=False),
        Index(None, "partition", "position"),
        sqlite_autoincrement=True,
        **_storage(),
    )


def _storage() -> dict[str, Any]:
    """The storage parameters, where SQLAlchemy can write them: from 2.1 on."""
    arguments: Mapping[Any, Any] = dict(PGDialect.construct_arguments or ())
    return {"postgresql_with": _STORAGE} if "with" in arguments[Table] else {}


def partition_of(message: OutgoingMessage) -> int:
    """The partition of an event: always the same one for an aggregate."""
    if message.aggregate_id is None:
        return crc32(message.event_id.bytes) % PARTITIONS
    return crc32(message.aggregate_id.encode()) % PARTITIONS


# What is written of an event, with its type on PostgreSQL, in the order of `values_of`.
WRITTEN: Final[Mapping[str, str]] = {
    "id": "uuid",
    "partition": "int2",
    "aggregatetype": "text",
    "aggregateid": "text",
    "type": "text",
    "payload": "bytea",
    "content_type": "text",
    "headers": "jsonb",
    "occurred_at": "timestamptz",
    "created_at": "timestamptz",
}


def values_of(message: OutgoingMessage, now: datetime) -> tuple[Any, ...]:
    """The values of `WRITTEN`; the headers as text."""
    return (
        message.event_id,
        partition_of(message),
        message.event_type.partition(".")[0],
        message.aggregate_id,
        message.event_type,
        message.body,
        message.content_type,
        json.dumps(dict(message.headers), separators=(",", ":")),
        message.timestamp,
        now,
    )
