"""Filled once, and found after that."""

import asyncio

from shared.cache import CacheEvent, InMemoryCache

events: list[CacheEvent] = []


async def fill() -> list[int]:
    """What is cached."""
    return [1]


async def main() -> None:
    """A miss and a hit."""
    cache = InMemoryCache(on_event=events.append)
    for _ in range(2):
        assert await cache.get_or_fill("a", fill, ttl=60) == [1]


asyncio.run(main())
assert events == ["miss", "filled", "hit"]
