from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from shared.rate_limit import InMemoryRateLimiter, RateLimitPolicy
from shared.testing import FakeClock
from shared.testing.rate_limit_contract import RateLimiterBackend, RateLimiterContract

MINUTE = RateLimitPolicy("minute", limit=3, window=60)
HOUR = RateLimitPolicy("hour", limit=100, window=3600)


class TestInMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def backend(self) -> RateLimiterBackend:
        """A fresh limiter in fake time."""
        clock = FakeClock()
        return RateLimiterBackend(InMemoryRateLimiter(clock=clock.monotonic), clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_forgotten_keys_are_swept(clock: FakeClock) -> None:
    """Memory follows the keys in use, not all that ever were."""
    limiter = InMemoryRateLimiter(clock=clock.monotonic)
    for number in range(100):
        await limiter.acquire(f"old-{number}", [MINUTE])
    clock.advance(60)
    for number in range(50):
        await limiter.acquire(f"new-{number}", [MINUTE])

    assert len(limiter) == 50


async def test_long_windows_do_not_keep_short_ones_alive(clock: FakeClock) -> None:
    """Each window is swept in its own order."""
    limiter = InMemoryRateLimiter(clock=clock.monotonic)
    for number in range(100):
        await limiter.acquire(f"old-{number}", [HOUR, MINUTE])
    clock.advance(60)
    for number in range(50):
        await limiter.acquire(f"new-{number}", [MINUTE])

    assert len(limiter) == 150  # 100 hours, 50 minutes


async def test_a_full_table_forgets_who_would_be_forgotten_next(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory is bounded; the least is lost, and it is said, once a minute."""
    limiter = InMemoryRateLimiter(max_keys=3, clock=clock.monotonic)
    await limiter.acquire("a", [HOUR], 50)
    with caplog.at_level(logging.WARNING, "shared.rate_limit"):
        for name in "bcdef":
            clock.advance(1)
            await limiter.acquire(name, [MINUTE], 3)

    assert len(limiter) == 3
    assert (await limiter.peek("a", [HOUR])).remaining == 50
    assert (await limiter.peek("b", [MINUTE])).remaining == 3
    assert (await limiter.peek("f", [MINUTE])).remaining == 0
    assert [r.getMessage() for r in caplog.records] == [
        "rate limits in force are being forgotten: all 3 places (max_keys) are in use"
    ]


async def test_a_full_table_of_old_keys_is_no_news(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Places whose time is over are reused without a word."""
    limiter = InMemoryRateLimiter(max_keys=2, clock=clock.monotonic)
    for name in "ab":
        await limiter.acquire(name, [MINUTE])
    clock.advance(60)
    with caplog.at_level(logging.WARNING, "shared.rate_limit"):
        await limiter.acquire("c", [HOUR])

    assert (len(limiter), caplog.records) == (2, [])


async def test_a_window_costs_a_bounded_amount_of_memory(clock: FakeClock) -> None:
    """A limit of a million is counted in some sixty numbers."""
    limiter = InMemoryRateLimiter(clock=clock.monotonic)
    million = RateLimitPolicy("million", limit=1_000_000, window=60)
    for _ in range(6000):
        clock.advance(0.01)
        await limiter.acquire("a", [million])

    (table,) = limiter._tables.values()
    (count,) = table.values()
    assert len(count.entries) <= 61


def test_threads_share_it() -> None:
    """Never over the limit, whichever thread asks."""
    limiter = InMemoryRateLimiter()
    policy = RateLimitPolicy("threads", limit=100, window=3600)
    allowed: list[bool] = []

    async def ask() -> None:
        for _ in range(50):
            allowed.append((await limiter.acquire("a", [policy])).allowed)

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(allowed), sum(allowed)) == (400, 100)


async def test_a_refund_to_a_key_that_is_forgotten(clock: FakeClock) -> None:
    """There is nothing to give back to."""
    limiter = InMemoryRateLimiter(max_keys=1, clock=clock.monotonic)
    decision = await limiter.acquire("a", [MINUTE], 3)
    await limiter.acquire("b", [MINUTE])
    await limiter.refund(decision)

    assert (await limiter.peek("a", [MINUTE])).remaining == 3
    assert len(limiter) == 1


def test_a_limiter_without_places() -> None:
    """It could not count anything."""
    with pytest.raises(ValueError, match=r"max_keys must be at least 1 \(got 0\)"):
        InMemoryRateLimiter(max_keys=0)
