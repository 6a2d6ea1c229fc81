"""Quotas in a service: their limiter, their metrics and their endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from prometheus_client import Counter
from redis.asyncio import BlockingConnectionPool, Redis

from services.api_platform.keys import Access
from services.api_platform.limits import Limits
from services.api_platform.parts import Parts
from services.api_platform.quota._billing import BillingClient
from services.api_platform.quota._discounts import Discounts
from services.api_platform.quota._policies import MINUTE
from services.api_platform.quota._router import build_router
from services.api_platform.quota._service import (
    BillingOutcome,
    Counters,
    QuotaService,
)
from services.api_platform.quota._sweep import UsageSweep
from shared.app import Service
from shared.http_client import ServiceClient
from shared.rate_limit import InMemoryRateLimiter, RateLimiter, RateLimitPolicy
from shared.rate_limit.dependencies import configure_rate_limits
from shared.rate_limit.redis import RedisRateLimiter

_CONNECTIONS: Final = 20


def add_quota(
    parts: Parts,
    access: Access,
    limits: Limits,
    *,
    billing: ServiceClient,
    limiter: RateLimiter | None = None,
) -> QuotaService:
    """Give the server quotas, and the endpoint that shows what was used.

    Args:
        parts: Of the server.
        access: Lets callers in.
        limits: Of the settings.
        billing: The client of the business service.
        limiter: Counts; else in Redis where REDIS_URL is set, or in the process.
    """
    service = parts.service
    made = limiter or _limiter(service, limits)
    metrics = service.metrics
    checks = Counter(
        "quota_billing_checks",
        "Questions whether a user pays, and what was decided.",
        ["outcome"],
        registry=metrics.registry,
    )

    def count_billing(outcome: BillingOutcome) -> None:
        checks.labels(outcome).inc()

    # A request that was cancelled by its time-out refunds by itself, within seconds.
    most = service.config.server.request_timeout
    sweep = UsageSweep(
        parts.database, parts.now, patience=timedelta(seconds=2 * most + 60)
    )
    service.add_resource("usage that was broken off", sweep.running)
    configure_rate_limits(service.app, made, on_decision=metrics.count_rate_limit)
    service.app.include_router(
        build_router(parts.database, access, reads_policy(limits), parts.now)
    )
    return QuotaService(
        database=parts.database,
        limiter=made,
        billing=BillingClient(billing, seconds=limits.billing_seconds),
        discounts=Discounts(parts.database, parts.toggles, parts.now),
        outbox=parts.outbox,
        limits=limits,
        counters=Counters(metrics.count_rate_limit, count_billing),
        now=parts.now,
    )


def reads_policy(limits: Limits) -> RateLimitPolicy:
    """What bounds requests that cost no units."""
    return RateLimitPolicy("reads-minute", limits.reads_per_minute, MINUTE)


def _limiter(service: Service, limits: Limits) -> RateLimiter:
    url = service.config.redis.connection_string
    if url is None:
        return InMemoryRateLimiter()
    # Bounded: many requests at once would rather open connections than be answered.
    pool = BlockingConnectionPool.from_url(
        url, max_connections=_CONNECTIONS, timeout=limits.store_timeout
    )
    client = Redis.from_pool(pool)
    service.add_resource("quotas", partial(_closing, client))

    async def check() -> None:
        await client.ping()

    service.add_check("quotas", check, critical=False)
    return RedisRateLimiter(
        client, prefix=f"{service.name}:quota:", timeout=limits.store_timeout
    )


@asynccontextmanager
async def _closing(client: Redis) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await client.aclose()
