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
