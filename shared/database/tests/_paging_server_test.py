"""Pages on PostgreSQL: what only its types do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import REAL, MetaData
from sqlalchemy.orm import Mapped, mapped_column

from shared.config import DatabaseConfig
from shared.database._async_repository import BaseRepository
from shared.database._base import NAMING_CONVENTION, Base
from shared.database._database import Database
from shared.database._repository import SyncRepository
from shared.testing.databases import postgresql_database


class _Base(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Sample(_Base):
    __tablename__ = "sample"

    id: Mapped[int] = mapped_column(primary_key=True)
    share: Mapped[float] = mapped_column(REAL)
    other: Mapped[float | None] = mapped_column(REAL)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A database with samples of few values, none of which is exact in 4 bytes."""
    with postgresql_database() as url:
        config = DatabaseConfig.model_validate({"url": url})
        database = Database(config, service_name="sample-service")
        _Base.metadata.create_all(database.sync_engine)
        with database.sync_session() as session:
            session.add_all(
                Sample(id=n, share=0.1 * (n % 3), other=(None, 0.7, 0.9)[n % 3])
                for n in range(12)
            )
        yield database
        database.dispose_sync()


@pytest.mark.parametrize("order", [["share"], ["-share"], ["-share", "id"], ["other"]])
async def test_pages_by_a_number_of_4_bytes(
    database: Database, order: list[str]
) -> None:
    """Every row is on one page, by both drivers, though a parameter has 8 bytes."""
    seen: list[int] = []
    cursor: str | None = None
    with database.sync_session() as session:
        for _ in range(4):
            page = SyncRepository(session, Sample).list(
                order_by=order, limit=3, cursor=cursor
            )
            seen += [row.id for row in page.items]
            cursor = page.next_cursor
    assert (sorted(seen), cursor) == (list(range(12)), None)

    seen = []
    async with database.session() as async_session:
        for _ in range(4):
            page = await BaseRepository(async_session, Sample).list(
                order_by=order, limit=3, cursor=cursor
            )
            seen += [row.id for row in page.items]
            cursor = page.next_cursor
    await database.dispose()
    assert (sorted(seen), cursor) == (list(range(12)), None)
