"""The declarative base of all models.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from shared.database._types import JSON_DOCUMENT, UtcDateTime

# Names that do not depend on the database: migrations drop constraints by them, and an
# error names them.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """``class Subject(UUIDKeyMixin, TimestampMixin, Base)``.

    A service with tables of its own beside those of others makes its own base::

        class ServiceBase(Base):
            __abstract__ = True
            metadata = MetaData(naming_convention=NAMING_CONVENTION)

    A ``Mapped[datetime]`` is a `UtcDateTime`; a ``Mapped[dict[str, Any]]`` or
    ``Mapped[list[Any]]`` is JSON.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON_DOCUMENT,
        list[Any]: JSON_DOCUMENT,
        list[str]: JSON_DOCUMENT,
    }
