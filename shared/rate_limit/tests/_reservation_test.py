from __future__ import annotations

import asyncio
import logging

import pytest

from shared.errors import RateLimitExceededException
from shared.rate_limit import (
    InMemoryRateLimiter,
    RateLimitPolicy,
    RateLimitUnavailableException,
    Reservation,
    reserve,
)
from shared.testing import FakeClock
from shared.testing.rate_limit_contract import UnavailableRateLimiter

DAILY = RateLimitPolicy("daily", limit=10, window=86_400)


@pytest.fixture
def limiter() -> InMemoryRateLimiter:
    return InMemoryRateLimiter(clock=FakeClock().monotonic)


async def left(limiter: InMemoryRateLimiter) -> int:
    """What remains of the key's units."""
    return (await limiter.peek("a", [DAILY])).remaining


async def test_a_block_that_ends_well_keeps_the_units(
    limiter: InMemoryRateLimiter,
) -> None:
    """Nothing has to be called."""
    async with reserve(limiter, "a", [DAILY], cost=4) as reservation:
        assert await left(limiter) == 6

    assert await left(limiter) == 6
    assert not await reservation.refund()
    assert await left(limiter) == 6


async def test_an_error_in_the_block_gives_them_back(
    limiter: InMemoryRateLimiter,
) -> None:
    """What failed costs nothing, and the error goes on."""
    with pytest.raises(LookupError, match="downstream"):
        async with reserve(limiter, "a", [DAILY], cost=4):
            raise LookupError("downstream")

    assert await left(limiter) == 10


async def test_a_cancelled_block_gives_them_back(limiter: InMemoryRateLimiter) -> None:
    """A client that leaves pays nothing."""
    started = asyncio.Event()

    async def work() -> None:
        async with reserve(limiter, "a", [DAILY], cost=4):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await left(limiter) == 10


async def test_what_was_not_needed_goes_back(limiter: InMemoryRateLimiter) -> None:
    """The price may turn out lower than what was held."""
    async with reserve(limiter, "a", [DAILY], cost=4) as reservation:
        assert await reservation.refund(3)

    assert await left(limiter) == 9


async def test_a_reservation_is_settled_once(limiter: InMemoryRateLimiter) -> None:
    """A second refund would make units out of nothing."""
    reservation = Reservation(limiter, await limiter.acquire("a", [DAILY], 4))

    assert [await reservation.refund(1), await reservation.refund(1)] == [True, False]
    assert await left(limiter) == 7


async def test_a_refund_of_more_than_was_held(limiter: InMemoryRateLimiter) -> None:
    """It is refused, and the reservation stays open."""
    reservation = Reservation(limiter, await limiter.acquire("a", [DAILY], 4))
    with pytest.raises(ValueError, match="from 0 to the 4 that were taken"):
        await reservation.refund(5)

    assert await reservation.refund()
    assert await left(limiter) == 10


async def test_units_that_are_not_there(limiter: InMemoryRateLimiter) -> None:
    """The block is not entered, and the error is the 429."""
    with pytest.raises(RateLimitExceededException, match="policy 'daily' ever allows"):
        async with reserve(limiter, "a", [DAILY], cost=11):
            raise AssertionError("not reached")


async def test_a_refused_decision_can_t_be_refunded(
    limiter: InMemoryRateLimiter,
) -> None:
    """It holds nothing."""
    reservation = Reservation(limiter, await limiter.acquire("a", [DAILY], 11))

    assert not await reservation.refund()


async def test_a_store_that_is_down_at_the_refund(
    limiter: InMemoryRateLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    """What went wrong before is not hidden by it, and it is logged."""
    decision = await limiter.acquire("a", [DAILY], 4)
    reservation = Reservation(UnavailableRateLimiter(), decision)
    with caplog.at_level(logging.WARNING, "shared.rate_limit"):
        given_back = await reservation.refund()

    assert not given_back
    assert [record.getMessage() for record in caplog.records] == [
        "4 units could not be refunded: Rate limits can't be checked at the moment."
    ]


async def test_a_store_that_is_down_at_the_start() -> None:
    """Whoever reserves decides what to do about it."""
    with pytest.raises(RateLimitUnavailableException, match="can't be checked"):
        async with reserve(UnavailableRateLimiter(), "a", [DAILY]):
            raise AssertionError("not reached")
