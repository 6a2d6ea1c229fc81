"""Where keys and replies are kept.

Private: import ``idempotency_table`` from ``shared.idempotency``.
"""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, MetaData, SmallInteger, String, Table, Uuid

from shared.database import JSON_DOCUMENT, UtcDateTime


def idempotency_table(metadata: MetaData, *, name: str = "idempotency_keys") -> Table:
    """Return the table, declared in *metadata*, where Alembic sees it.

    ::

        idempotency_keys = idempotency_table(Base.metadata)

    A row holds no key and no caller: they are part of its ``id``, a digest. It does
    hold the reply.
    """
    return Table(
        name,
        metadata,
        Column("id", LargeBinary, primary_key=True),
        Column("operation", String, nullable=False),  # for people: POST /generations
        Column("fingerprint", LargeBinary, nullable=False),
        # Who works on it, and until when that is believed
        Column("owner", Uuid, nullable=False),
        Column("locked_until", UtcDateTime, nullable=False),
        Column("attempts", SmallInteger, nullable=False),  # above 1: somebody died
        # The reply; all null while there is none
        Column("status", SmallInteger, nullable=True),
        Column("headers", JSON_DOCUMENT, nullable=True),
        Column("body", LargeBinary, nullable=True),
        Column("created_at", UtcDateTime, nullable=False),
        Column("expires_at", UtcDateTime, nullable=False, index=True),
    )
