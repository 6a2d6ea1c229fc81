"""What was used, call by call."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, UtcDateTime, UUIDKeyMixin


class UsageState(StrEnum):
    """What became of the units that a call took."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    REFUNDED = "refunded"


class APIUsageLog(UUIDKeyMixin, Base):
    """One call of an action that costs something."""

    __tablename__ = "api_usage_log"
    __table_args__ = (
        Index(None, "user_id", "created_at"),
        Index(None, "api_client_id", "created_at"),
        # Of a long table only what is under way, to find what was broken off.
        Index(
            None,
            "created_at",
            postgresql_where=text(f"state = '{UsageState.RESERVED}'"),
            sqlite_where=text(f"state = '{UsageState.RESERVED}'"),
        ),
    )

    api_client_id: Mapped[UUID] = mapped_column(ForeignKey("api_clients.id"))
    user_id: Mapped[UUID]
    action: Mapped[str] = mapped_column(String(50))
    cost: Mapped[int]
    """Units, after discounts."""
    state: Mapped[str] = mapped_column(String(10), default=UsageState.RESERVED)
    correlation_id: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
