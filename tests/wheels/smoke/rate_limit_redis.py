"""A server that is not there is our error."""

import asyncio

from redis.asyncio import Redis

from shared.rate_limit import RateLimitPolicy, RateLimitUnavailableException
from shared.rate_limit.redis import RedisRateLimiter

POLICY = RateLimitPolicy("smoke", limit=2, window=3600)


async def main() -> str:
    """Ask port 1, where nobody listens."""
    async with Redis(port=1) as client:
        limiter = RedisRateLimiter(client, prefix="smoke:", timeout=10)
        try:
            await limiter.acquire("a", [POLICY])
        except RateLimitUnavailableException as error:
            return error.code
    return "it answered"


assert asyncio.run(main()) == "service_unavailable"
