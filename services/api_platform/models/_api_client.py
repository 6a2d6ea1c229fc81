"""API keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import (
    Base,
    TimestampMixin,
    UtcDateTime,
    UUIDKeyMixin,
    VersionMixin,
)


class APIClient(UUIDKeyMixin, TimestampMixin, VersionMixin, Base):
    """A developer's API key. Of its secret only a hash is kept."""

    __tablename__ = "api_clients"
    __table_args__ = (Index(None, "user_id", "created_at"),)

    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(100))
    api_key: Mapped[str] = mapped_column(String(16), unique=True)
    """The public id, which stands in the key itself."""
    environment: Mapped[str] = mapped_column(String(4))
    secret_hash: Mapped[str] = mapped_column(String(120))
    previous_secret_hash: Mapped[str | None] = mapped_column(String(120))
    """The one before the last rotation, good until `previous_valid_until`; of a revoked
    key one that was good then, by which a report that it leaked is recognised."""
    previous_valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    permissions: Mapped[list[str]] = mapped_column(default=list)
    """Scopes: what the key may do."""
    allowed_ip_ranges: Mapped[list[str]] = mapped_column(default=list)
    """Networks in CIDR notation that it may be used from; empty for all."""
    is_active: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Written in batches: up to some seconds late."""

    def is_good(self, now: datetime) -> bool:
        """Whether it opens anything now: not revoked, not expired."""
        return self.is_active and (self.expires_at is None or now < self.expires_at)
