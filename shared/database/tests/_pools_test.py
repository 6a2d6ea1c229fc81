from __future__ import annotations

import logging

import pytest

from shared.config import DatabaseConfig
from shared.database._database import Database


async def test_a_start_and_a_stop_are_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A service logs at INFO, and what its pools do is no news there."""
    caplog.set_level(logging.INFO)
    database = Database(DatabaseConfig(url="sqlite://"), service_name="subjects")

    await database.check()
    with database.sync_session():
        pass
    await database.dispose()

    assert caplog.records == []


async def test_a_pool_is_there_once_its_engine_was_used() -> None:
    """Who only looks makes no engine."""
    database = Database(DatabaseConfig(url="sqlite://"), service_name="subjects")

    before = [database.pool, database.sync_pool]
    engines = [database.engine.pool, database.sync_engine.pool]
    after = [database.pool, database.sync_pool]
    await database.dispose()

    assert before == [None, None]
    assert after == engines
    assert [database.pool, database.sync_pool] == [None, None]
