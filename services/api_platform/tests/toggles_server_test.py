"""Switches on PostgreSQL, where two may write at the same time."""

from __future__ import annotations

import asyncio

from services.api_platform._migrate import migrate
from services.api_platform._settings import NAME
from services.api_platform.toggles import DISCOUNTS, VERBOSE, FeatureToggles
from shared.config import DatabaseConfig
from shared.database import Database
from shared.testing.databases import postgresql_database


async def test_several_may_move_a_switch_for_the_first_time() -> None:
    """None of them is refused because another one was quicker."""
    with postgresql_database() as url:
        config = DatabaseConfig.model_validate({"url": url})
        await asyncio.to_thread(migrate, config)
        database = Database(config, service_name=NAME)
        toggles = FeatureToggles(database)
        await asyncio.gather(
            *(
                toggles.set(name, enabled=True, settings={})
                for name in (DISCOUNTS, VERBOSE) * 4
            )
        )
        found = await FeatureToggles(database).all()
        await database.dispose()

    assert [found[name].enabled for name in (DISCOUNTS, VERBOSE)] == [True, True]
