"""Without a server the fill is called."""

import asyncio

from redis.asyncio import Redis

from shared.cache.redis import RedisCache


async def fill() -> str:
    """What would be cached."""
    return "filled"


async def main() -> None:
    """Ask port 1, where nobody listens."""
    async with Redis(port=1) as client:
        cache = RedisCache(client, prefix="smoke:", timeout=10)
        assert await cache.get_or_fill("a", fill, ttl=60) == "filled"


asyncio.run(main())
