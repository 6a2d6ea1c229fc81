"""What runs beside the requests, for as long as the service does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform._migrate import migrate
from services.api_platform._settings import NAME
from services.api_platform.generations import clean_idempotency_keys
from services.api_platform.keys import LastUsed
from services.api_platform.models import idempotency_keys
from services.api_platform.quota import UsageSweep
from shared.config import DatabaseConfig
from shared.database import Database, utc_now
from shared.idempotency import IdempotencyStore
from shared.testing import captured_logs


class Broken(Database):
    """A database that fails at first, in a way that nobody has thought of."""

    def __init__(self, config: DatabaseConfig) -> None:
        super().__init__(config, service_name=NAME)
        self.asked = 0
        self.well = asyncio.Event()

    @asynccontextmanager
    async def session(
        self, *, read_only: bool = False, isolation_level: object = None
    ) -> AsyncIterator[AsyncSession]:
        """A session, from the second time on."""
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("of a driver")
        async with super().session(read_only=read_only) as session:
            yield session
        self.well.set()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Broken]:
    """A migrated database that is broken for a moment."""
    config = DatabaseConfig.model_validate({"url": f"sqlite:///{tmp_path}/x.db"})
    migrate(config)
    database = Broken(config)
    yield database
    await database.dispose()


def last_use(database: Database) -> AbstractAsyncContextManager[None]:
    """Writes when keys were used."""
    used = LastUsed(database, seconds=0.01)
    used.saw(uuid4(), utc_now())
    return used.running()


def sweep(database: Database) -> AbstractAsyncContextManager[None]:
    """Refunds what was broken off."""
    patience = timedelta(minutes=1)
    return UsageSweep(database, utc_now, patience=patience, every=0.01).running()


def clean(database: Database) -> AbstractAsyncContextManager[None]:
    """Forgets old replies."""
    store = IdempotencyStore(idempotency_keys)
    return clean_idempotency_keys(store, database, every=0.01)


@pytest.mark.parametrize("loop", [last_use, sweep, clean])
async def test_one_error_does_not_end_it(loop: object, database: Broken) -> None:
    """It is logged, and the next round is as usual."""
    assert callable(loop)
    with captured_logs() as logs:
        async with loop(database):
            await asyncio.wait_for(database.well.wait(), 30)

    assert "of a driver" in str(logs)
