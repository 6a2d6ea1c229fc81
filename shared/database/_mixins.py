"""Columns that many tables have.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid
from sqlalchemy.event import listens_for
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from shared.database._types import UtcDateTime, utc_now
from shared.utils import uuid7


class UUIDKeyMixin:
    """A primary key that is there as soon as the object is, before any flush.

    Of version 7, so new rows stand side by side in the index. Who sees such a key sees
    when the row was made; where that must not be known, give ``uuid.uuid4()``.
    """

    id: Mapped[UUID] = mapped_column(
        Uuid, primary_key=True, default=uuid7, sort_order=-10
    )


@listens_for(UUIDKeyMixin, "init", propagate=True)
def _give_key(target: Any, _: object, values: dict[str, Any]) -> None:
    if values.get("id") is None:
        values.pop("id", None)
        # Asking for the attributes configures the mapper, which the first object of
        # it comes before. Not through *values*: an __init__ need not take an id.
        _ = target.__mapper__.attrs
        target.id = uuid7()


class TimestampMixin:
    """When a row was made and last changed, by the clock of the service."""

    created_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=utc_now, sort_order=90
    )
    updated_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=utc_now, onupdate=utc_now, sort_order=91
    )


class VersionMixin:
    """A number that each change raises: who changes an older state gets a 409.

    It holds for changes through objects. ``update()`` statements of your own have to
    look after it themselves.
    """

    version: Mapped[int] = mapped_column(default=1, sort_order=92)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}


class SoftDeleteMixin:
    """Rows that a repository hides instead of removing them."""

    deleted_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, default=None, sort_order=93
    )

    @property
    def is_deleted(self) -> bool:
        """Whether the row is hidden."""
        return self.deleted_at is not None
