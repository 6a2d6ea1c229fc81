"""One database for many tests, each of which finds it empty.

Making one and its tables takes longer than most tests do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete

from services.api_platform.models import METADATA
from shared.config import DatabaseConfig
from shared.database import Database


@contextmanager
def emptied(url: str) -> Iterator[str]:
    """Give *url*, and remove all rows that a test left there."""
    try:
        yield url
    finally:
        config = DatabaseConfig.model_validate({"url": url})
        database = Database(config, service_name="test")
        with database.sync_session() as session:
            for table in reversed(METADATA.sorted_tables):
                session.execute(delete(table))
        database.dispose_sync()
