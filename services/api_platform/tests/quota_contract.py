"""What quotas promise, wherever units are counted and usage is logged."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import APIUsageLog, UsageState
from services.api_platform.quota import UsageSweep
from services.api_platform.tests.behind import (
    BILLING,
    GENERATIONS,
    accept,
    active,
    behind,
    switch,
)
from services.api_platform.toggles import DISCOUNTS
from shared.database import utc_now
from shared.events import QuotaExceededEvent, QuotaThresholdReachedEvent
from shared.testing import is_problem
from shared.testing.messaging import assert_nothing_published, assert_published

COST = 20
NOBODY_COUNTS = {"REDIS_URL": "redis://127.0.0.1:1/0"}
"""A port at which nobody listens."""

PATIENCE = {
    "DB_POOL_TIMEOUT": "60",
    "QUOTA_STORE_TIMEOUT": "60",
    "REQUEST_TIMEOUT": "300",
}
"""For a machine on which fifty requests at once take their time."""


class QuotaContract:
    """A subclass gives the fixture `url`: that of an empty database."""

    @pytest.fixture
    def variables(self) -> dict[str, str]:
        """Further settings; those of a store that a subclass is about."""
        return {}

    def test_exactly_the_quota_is_let_through(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """Ten of fifty at once; the others cost nothing and reach nobody."""
        limits = {"QUOTA_KEY_PER_DAY": f"{10 * COST}"}
        with behind(url, variables, PATIENCE, limits) as between:
            key = between.key()
            replies = between.at_once([lambda: between.post(key)] * 50)

            found = Counter(reply.status_code for reply in replies)
            assert found == {202: 10, 429: 40}
            assert between.usage(key) == [("committed", COST)] * 10
            assert len(between.generations.requests) == 10
            between.scene.settle()
            assert_published(between.scene.bus, QuotaExceededEvent, user_id=key.user_id)

    def test_a_refusal_names_the_policy(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """429 with the time to wait, in the problem and in the fields.

        A minute that is full is told to whoever calls, and by no event.
        """
        limits = {"QUOTA_KEY_PER_MINUTE": f"{COST}"}
        with behind(url, variables, limits) as between:
            key = between.key()
            between.post(key)
            reply = between.post(key)

            assert reply == is_problem(
                status=429, code="rate_limit_exceeded", policy="key-minute"
            )
            assert 1 <= int(reply.headers["Retry-After"]) <= 60
            assert '"key-minute";r=0;t=' in reply.headers["RateLimit"]
            assert '"key-minute";q=20;w=60' in reply.headers["RateLimit-Policy"]
            assert between.usage(key) == [("committed", COST)]
            between.scene.settle()
            assert_nothing_published(between.scene.bus, QuotaExceededEvent)
            assert_nothing_published(between.scene.bus, QuotaThresholdReachedEvent)

    def test_a_cost_that_never_fits_is_refused_for_good(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """There is no time after which it would be let through."""
        limits = {"QUOTA_KEY_PER_DAY": f"{COST}"}
        with behind(url, variables, limits) as between:
            key = between.key()
            reply = between.post(key, sample_count=2)

            assert reply == is_problem(status=429, policy="key-day")
            assert "Retry-After" not in reply.headers
            assert between.post(key).status_code == 202

    def test_all_keys_of_a_user_share_the_users_quota(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """And what one is refused for costs the key's own quota nothing."""
        limits = {"QUOTA_USER_PER_DAY": f"{2 * COST}"}
        with behind(url, variables, limits) as between:
            first = between.key()
            second = between.key(first.user_id)
            allowed = [between.post(first), between.post(second)]
            refused = between.post(second)
            stranger = between.post(between.key())

            assert [reply.status_code for reply in allowed] == [202, 202]
            assert refused == is_problem(status=429, policy="user-day")
            assert stranger.status_code == 202

    def test_owners_are_told_once_in_a_window(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """When the threshold is reached, and when the quota is used up."""
        limits = {"QUOTA_KEY_PER_DAY": f"{5 * COST}"}
        with behind(url, variables, limits) as between:
            key = between.key()
            bus = between.scene.bus
            for _ in range(3):
                between.post(key)
            between.scene.settle()
            assert_nothing_published(bus, QuotaThresholdReachedEvent)
            for _ in range(5):
                between.post(key)
            between.scene.settle()

            [near] = assert_published(
                bus, QuotaThresholdReachedEvent, user_id=key.user_id
            )
            [over] = assert_published(bus, QuotaExceededEvent, user_id=key.user_id)
            assert near.payload.api_key_id == over.payload.api_key_id == key.id
            assert (near.payload.quota, near.payload.threshold_percent) == (
                "key-day",
                80,
            )
            assert [near.payload.used, near.payload.limit] == [80, 100]
            assert [over.payload.used, over.payload.limit] == [100, 100]

    def test_who_does_not_pay_is_refused(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """And no unit is taken."""
        with behind(url, variables) as between:
            blocked, poor = between.key(), between.key()
            states: dict[str, dict[str, Any]] = {
                str(blocked.user_id): {"status": "blocked"},
                str(poor.user_id): {"credits": 0},
            }
            between.billing.on("GET", BILLING).call(
                lambda request: active(
                    request,
                    **states[request.path_params["user_id"]],
                )
            )

            assert between.post(blocked) == is_problem(
                status=403, code="billing_blocked"
            )
            assert between.post(poor) == is_problem(
                status=402, code="insufficient_credits"
            )
            assert between.usage(blocked) == between.usage(poor) == []
            assert between.generations.requests == []

    def test_the_business_service_is_asked_now_and_then(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """Not for each call."""
        with behind(url, variables) as between:
            key = between.key()
            replies = between.at_once([lambda: between.post(key)] * 5)

            assert {reply.status_code for reply in replies} == {202}
            assert len(between.billing.requests) == 1

    @pytest.mark.parametrize(
        ("choice", "status", "outcome"),
        [("open", 202, "failed_open"), ("closed", 503, "failed_closed")],
    )
    def test_without_billing_the_route_chooses(
        self,
        url: str,
        variables: dict[str, str],
        choice: str,
        status: int,
        outcome: str,
    ) -> None:
        """And it is counted."""
        settings = {**variables, "QUOTA_WITHOUT_BILLING": choice}
        with behind(url, settings) as between:
            key = between.key()
            between.billing.on("GET", BILLING).reply(503)
            reply = between.post(key)

            metrics = between.scene.client.get("/metrics").text
            counted = f'quota_billing_checks_total{{outcome="{outcome}"}} 1.0'
            assert reply.status_code == status
            assert counted in metrics

    @pytest.mark.parametrize(("choice", "status"), [("open", 202), ("closed", 503)])
    def test_without_a_store_the_route_chooses(
        self, url: str, choice: str, status: int
    ) -> None:
        """And it is counted; reading goes on either way."""
        settings = {**NOBODY_COUNTS, "QUOTA_WITHOUT_STORE": choice}
        with behind(url, settings) as between:
            key = between.key()
            reply = between.post(key)
            read = between.scene.client.get("/api/v1/usage", headers=key.headers)

            metrics = between.scene.client.get("/metrics").text
            counted = f'outcome="failed_{choice}",policy="key-day"}} 1.0'
            assert reply.status_code == status, reply.text
            assert read.status_code == 200
            assert f"rate_limit_decisions_total{{{counted}" in metrics

    def test_much_use_is_cheaper(self, url: str, variables: dict[str, str]) -> None:
        """By the volume of this month, once the switch is on; what failed is none."""
        moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
        before = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
        with behind(url, variables, now=lambda: moment) as between:
            often, earlier = between.key(), between.key()

            async def fill(session: AsyncSession) -> None:
                for key, state, created_at, cost in (
                    (often, "committed", moment, 600),
                    (often, "reserved", moment, 400),
                    (earlier, "committed", before, 5000),
                    (earlier, "refunded", moment, 5000),
                ):
                    session.add(
                        APIUsageLog(
                            api_client_id=key.id,
                            user_id=key.user_id,
                            action="generation.create",
                            cost=cost,
                            state=state,
                            created_at=created_at,
                        )
                    )

            between.run(fill)
            between.post(often)
            switch(between.scene, DISCOUNTS, on=True)
            between.post(often)
            between.post(earlier)

            assert between.usage(often)[2:] == [("committed", 20), ("committed", 19)]
            assert between.usage(earlier)[2:] == [("committed", 20)]

    def test_what_was_broken_off_is_refunded(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """Each once by however many sweep; what may be under way is left alone."""
        moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
        with behind(url, variables, now=lambda: moment) as between:
            key = between.key()

            async def fill(session: AsyncSession) -> None:
                for state, seconds in (
                    *((UsageState.RESERVED, 120 + number) for number in range(1, 26)),
                    (UsageState.COMMITTED, 500),
                    (UsageState.REFUNDED, 500),
                    (UsageState.RESERVED, 120),
                ):
                    session.add(
                        APIUsageLog(
                            api_client_id=key.id,
                            user_id=key.user_id,
                            action="generation.create",
                            cost=COST,
                            state=state,
                            created_at=moment - timedelta(seconds=seconds),
                        )
                    )

            async def sweep(session: AsyncSession) -> list[int]:
                await session.commit()
                database = between.scene.service.app.state.database
                sweeps = [
                    UsageSweep(
                        database,
                        lambda: moment,
                        patience=timedelta(seconds=120),
                        batch=10,
                    )
                    for _ in range(3)
                ]
                return await asyncio.gather(*(each.sweep() for each in sweeps))

            between.run(fill)
            swept = between.run(sweep)
            states = Counter(state for state, _ in between.usage(key))
            assert sum(swept) == 25
            assert states == {"refunded": 26, "committed": 1, "reserved": 1}

    def test_who_is_late_pays_all_the_same(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """A job that was committed is paid for, whoever thought that it was over."""
        with behind(url, variables) as between:
            key = between.key()
            route = between.generations.on("POST", GENERATIONS)
            route.delay(1.0).call(accept)

            async def sweep(session: AsyncSession) -> int:
                await session.commit()
                later = utc_now() + timedelta(days=1)
                database = between.scene.service.app.state.database
                sweeps = UsageSweep(
                    database, lambda: later, patience=timedelta(minutes=1)
                )
                return await sweeps.sweep()

            with ThreadPoolExecutor() as threads:
                posted = threads.submit(between.post, key)
                between.generations.wait_for_requests()
                swept = between.run(sweep)

            assert (swept, posted.result().status_code) == (1, 202)
            assert between.usage(key) == [("committed", COST)]

    def test_a_process_that_dies_leaves_a_reservation(
        self, url: str, variables: dict[str, str]
    ) -> None:
        """It is in the log while the service behind is at work."""
        with behind(url, variables) as between:
            key = between.key()
            route = between.generations.on("POST", GENERATIONS)
            route.delay(1.0).reply(500)
            with ThreadPoolExecutor() as threads:
                posted = threads.submit(between.post, key)
                between.generations.wait_for_requests()
                seen = between.usage(key)

            assert seen == [("reserved", COST)]
            assert posted.result().status_code == 503
            assert between.usage(key) == [("refunded", COST)]
