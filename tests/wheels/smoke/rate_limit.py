"""Two fit, the third does not, and what was held for nothing comes back."""

import asyncio

from shared.rate_limit import InMemoryRateLimiter, RateLimitPolicy, refusal, reserve

POLICY = RateLimitPolicy("smoke", limit=2, window=3600)


async def main() -> None:
    """Take, be refused, give back."""
    limiter = InMemoryRateLimiter()
    async with reserve(limiter, "a", [POLICY], cost=2) as reservation:
        refused = await limiter.acquire("a", [POLICY])
        await reservation.refund(1)

    assert refusal(refused).status_code == 429
    assert (await limiter.acquire("a", [POLICY])).remaining == 0


asyncio.run(main())
