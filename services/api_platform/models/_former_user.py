"""Users that are no more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, UtcDateTime


class FormerUser(Base):
    """A user who was deleted, so that no token of theirs makes anything any more.

    The row stays: tokens have another issuer, who decides how long they are good.
    """

    __tablename__ = "former_users"

    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    deleted_at: Mapped[datetime] = mapped_column(UtcDateTime)
