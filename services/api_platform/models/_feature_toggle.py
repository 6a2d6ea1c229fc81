"""Switches that work without a restart."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import JSON_DOCUMENT, Base, TimestampMixin


class FeatureToggle(TimestampMixin, Base):
    """A switch that somebody has moved; one that nobody has moved has no row."""

    __tablename__ = "feature_toggles"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    enabled: Mapped[bool]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON_DOCUMENT, default=dict)
    """What the feature does when it is on, such as a share or a table."""
