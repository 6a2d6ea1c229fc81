"""Column types that behave the same on both databases.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import JSON, DateTime, Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from shared.database._errors import RefusedValueError

# A column of JSON: JSONB on PostgreSQL, text on SQLite.
JSON_DOCUMENT: Final = JSON().with_variant(JSONB(), "postgresql")


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware when written, whatever its zone; aware and in UTC when read.

    A naive one is refused, since nobody knows which moment it is. SQLite, which has no
    type for this, keeps UTC as text that sorts like time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Check it, and turn it to UTC."""
        if value is None:
            return None
        # By what it can do: a value that is no datetime gets here too.
        if getattr(value, "utcoffset", lambda: None)() is None:
            raise RefusedValueError(
                "A time stored in the database must be a datetime with a time zone, "
                "such as datetime.now(UTC)."
            )
        return value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Give it its zone back."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)
