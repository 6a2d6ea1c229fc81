"""Whose the jobs of the generation service are."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, TimestampMixin


class GenerationJob(TimestampMixin, Base):
    """A job, by the id that the generation service gave it, which knows the rest."""

    __tablename__ = "generation_jobs"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID]
    api_client_id: Mapped[UUID] = mapped_column(ForeignKey("api_clients.id"))
