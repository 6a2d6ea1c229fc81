"""A row is written and found, and a second one like it is refused."""

import asyncio

from sqlalchemy.orm import Mapped, mapped_column

from shared.config import DatabaseConfig
from shared.database import (
    Base,
    BaseRepository,
    Database,
    DuplicateException,
    UUIDKeyMixin,
)


class Subject(UUIDKeyMixin, Base):
    """A table."""

    __tablename__ = "subject"

    name: Mapped[str] = mapped_column(unique=True)


async def main() -> None:
    """In memory, over both drivers."""
    config = DatabaseConfig.model_validate({"url": "sqlite://"})
    database = Database(config, service_name="smoke")
    Base.metadata.create_all(database.sync_engine)
    async with database.session() as session:
        await BaseRepository(session, Subject).add(Subject(name="Math"))
    async with database.session() as session:
        (row,) = (await BaseRepository(session, Subject).list()).items
        assert row.name == "Math"
    try:
        async with database.session() as session:
            session.add(Subject(name="Math"))
    except DuplicateException:
        refused = True
    else:
        refused = False
    assert refused
    await database.dispose()


asyncio.run(main())
