"""Quotas in the process and on SQLite, and the law of units."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import APIClient
from services.api_platform.quota import QuotaService, Usage, discounted
from services.api_platform.tests.behind import Behind, behind
from services.api_platform.tests.quota_contract import QuotaContract
from services.api_platform.toggles import Discount, DiscountSettings
from shared.errors import RateLimitExceededException
from shared.rate_limit import RateLimitPolicy

DAY = RateLimitPolicy("key-day", 50, 86_400)


class TestQuota(QuotaContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """An empty database in a file."""
        return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """The service, started, with a quota that is soon used up."""
    url = f"sqlite:///{tmp_path_factory.mktemp('quota')}/test.db"
    with behind(url, {"QUOTA_KEY_PER_DAY": f"{DAY.limit}"}) as between:
        yield between


@pytest.mark.parametrize("at_once", [False, True])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    calls=st.lists(
        st.tuples(
            st.integers(1, 60),
            st.sampled_from(["commit", "refund", "fail", "roll back", "die"]),
        ),
        max_size=12,
    )
)
def test_what_is_taken_is_what_the_log_says(
    between: Behind, at_once: bool, calls: list[tuple[int, str]]
) -> None:
    """Units taken are those committed and reserved, whatever became of the calls."""
    key = between.key()
    quota: QuotaService = between.scene.service.app.state.quota

    async def call(cost: int, outcome: str) -> None:
        async with quota.database.session() as db:
            client = await db.get_one(APIClient, key.id)
            await db.commit()
            try:
                usage = await quota.check_and_log_usage(db, client, cost)
            except RateLimitExceededException:
                return
            await settle(usage, outcome, db)

    async def all_calls(session: AsyncSession) -> int:
        await session.commit()
        tasks = [call(cost, outcome) for cost, outcome in calls]
        if at_once:
            await asyncio.gather(*tasks)
        else:
            for task in tasks:
                await task
        decision = await quota.limiter.peek(f"key:{key.id}", [DAY])
        return DAY.limit - decision.remaining

    taken = between.run(all_calls)
    logged = between.usage(key)
    assert taken == sum(cost for state, cost in logged if state != "refunded")
    assert taken <= DAY.limit


async def settle(usage: Usage, outcome: str, db: AsyncSession) -> None:
    """What becomes of a call that was let through."""
    if outcome == "commit":
        await usage.commit()
        await usage.refund()  # too late
    elif outcome == "refund":
        await usage.refund()
        await usage.commit()  # too late
    elif outcome == "fail":
        with suppress(LookupError):
            async with usage:
                raise LookupError
    elif outcome == "roll back":
        await usage.commit()
        await db.rollback()


@pytest.mark.parametrize(
    ("volume", "cost", "expected"),
    [(0, 20, 20), (99, 20, 20), (100, 20, 19), (999, 20, 19), (1000, 20, 10)],
)
def test_the_highest_volume_that_was_reached_counts(
    volume: int, cost: int, expected: int
) -> None:
    """Whatever the order of the table."""
    table = (
        Discount(from_units=1000, percent=50),
        Discount(from_units=100, percent=5),
    )

    assert discounted(cost, DiscountSettings(table=table), volume) == expected


@given(st.integers(1, 10_000), st.integers(1, 90))
def test_a_discount_never_makes_a_call_free(cost: int, percent: int) -> None:
    """Rounded up, and never more than without."""
    settings = DiscountSettings(table=(Discount(from_units=1, percent=percent),))

    assert 1 <= discounted(cost, settings, 1) <= cost
