"""Replies that are kept for repetitions of their requests."""

from __future__ import annotations

from shared.database import Base
from shared.idempotency import idempotency_table

idempotency_keys = idempotency_table(Base.metadata)
