"""Webhooks, what is to be delivered to them, and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import (
    Base,
    SoftDeleteMixin,
    TimestampMixin,
    UtcDateTime,
    UUIDKeyMixin,
    VersionMixin,
)
from shared.database.encryption import EncryptedString


class Signing(StrEnum):
    """How deliveries are signed, by Standard Webhooks 1.0."""

    V1 = "v1"
    """HMAC-SHA256 with a secret that both sides have."""
    V1A = "v1a"
    """Ed25519: the receiver has the public key only."""


_WHERE_DELETED: Final[dict[str, Any]] = {
    f"{dialect}_where": text("deleted_at IS NOT NULL")
    for dialect in ("postgresql", "sqlite")
}


class Webhook(UUIDKeyMixin, TimestampMixin, VersionMixin, SoftDeleteMixin, Base):
    """Where a developer wants to hear of events. The secret is encrypted at rest.

    The version counts the changes of its owner, who sends it as If-Match: what
    deliveries note here has to leave it, and `updated_at`, as they are.

    One that is deleted is hidden at once; workers remove it, behind its deliveries.
    Who locks it and deliveries of it locks the webhook first.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        Index(None, "user_id", "created_at"),
        Index(None, "deleted_at", **_WHERE_DELETED),
    )

    user_id: Mapped[UUID]
    api_client_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_clients.id"))
    """The key that registered it; None for a user in the portal."""
    target_url: Mapped[str] = mapped_column(String(2048))
    event_types: Mapped[list[str]] = mapped_column(default=list)
    signing: Mapped[str] = mapped_column(String(3), default=Signing.V1)
    public_key: Mapped[str | None] = mapped_column(String(64))
    """What checks the signatures of v1a; v1 is checked with the secret."""
    secret: Mapped[str] = mapped_column(EncryptedString(bound_to_row=True))
    previous_secret: Mapped[str | None] = mapped_column(
        EncryptedString(bound_to_row=True)
    )
    previous_valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ordered: Mapped[bool] = mapped_column(default=False)
    """Deliveries one after the other, in the order in which they were made."""
    is_active: Mapped[bool] = mapped_column(default=True)
    disabled_reason: Mapped[str | None] = mapped_column(String(30))
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the first of the present row of failures was."""
    last_failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last of them was."""
    consecutive_failures: Mapped[int] = mapped_column(default=0)


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: no attempt is left, or the endpoint is disabled."""


_WHERE_PENDING: Final[dict[str, Any]] = {
    f"{dialect}_where": text(f"state = '{DeliveryState.PENDING}'")
    for dialect in ("postgresql", "sqlite")
}


class WebhookDelivery(UUIDKeyMixin, Base):
    """One event on its way to one webhook."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        # A message that is delivered twice makes one row.
        Index(None, "webhook_id", "event_id", unique=True),
        Index(None, "webhook_id", "created_at"),
        # What is on its way is a small part of all: the loop looks at it by these.
        Index(None, "next_attempt_at", **_WHERE_PENDING),
        Index(None, "webhook_id", "next_attempt_at", "id", **_WHERE_PENDING),
        Index(None, "webhook_id", "id", **_WHERE_PENDING),
        Index(None, "finished_at"),
    )

    webhook_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE")
    )
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(255))
    correlation_id: Mapped[str | None] = mapped_column(String(128))
    """Of the request that the event came of."""
    body: Mapped[bytes] = mapped_column(
        LargeBinary, deferred=True, deferred_raiseload=True
    )
    """Up to a megabyte, so it is read by name, and by no list."""
    state: Mapped[str] = mapped_column(String(10), default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """A worker has it until then; who finds it later may take it."""
    lease_token: Mapped[UUID | None]
    """Of whoever has it: a result that comes with another one is not written."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookAttempt(UUIDKeyMixin, Base):
    """One try of a delivery, as its owner may see it: no body, no headers."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index(None, "delivery_id", "number"),
        Index(None, "started_at"),
    )

    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_deliveries.id", ondelete="CASCADE")
    )
    number: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int]
    status_code: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    settings: Mapped[str] = mapped_column(String(10))
    """Which delivery settings it had: stable or canary."""
