"""Cost of a rate limit check and of a cache hit, in process and on Redis.

In process: CPU time of a check that is allowed (each key is asked 50 times of 100 a
minute) and of one that is refused. On Redis: CPU time of the client, and checks a
second on the wall, which is the server's and the neighbours' time too: 32 tasks at
once, in one process, with as many connections. The peers have the same driver.

Several windows are one question to the kernel, and one after the other to `limits`,
which has no other way. The kernel always tells what remains and until when; `limits`
is asked for it in a row of its own. Needs a Redis: TEST_REDIS_URL.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import limits
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    SlidingWindowCounterRateLimiter,
)
from redis.asyncio import BlockingConnectionPool, Redis

from benchmarks import _harness as harness
from shared.cache import BYTES, Cache, InMemoryCache
from shared.cache.redis import RedisCache
from shared.rate_limit import InMemoryRateLimiter, RateLimiter, RateLimitPolicy
from shared.rate_limit.redis import RedisRateLimiter

URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
PREFIX = f"bench-{uuid.uuid4().hex}:"
TASKS, CHECKS = 32, 3000
PER_KEY = 50

MINUTE = RateLimitPolicy("minute", limit=100, window=60)
HOUR = RateLimitPolicy("hour", limit=1000, window=3600)
DAY = RateLimitPolicy("day", limit=10_000, window=86_400)
WINDOWS = (MINUTE, HOUR, DAY)
PEER_WINDOWS = (
    limits.parse("100/minute"),
    limits.parse("1000/hour"),
    limits.parse("10000/day"),
)

Check = Callable[[str], Awaitable[Any]]
Strategy = type[
    FixedWindowRateLimiter | MovingWindowRateLimiter | SlidingWindowCounterRateLimiter
]

BASE = "limits, moving window"
PEERS: dict[str, Strategy] = {
    BASE: MovingWindowRateLimiter,
    "limits, sliding window counter": SlidingWindowCounterRateLimiter,
    "limits, fixed window": FixedWindowRateLimiter,
}


def kernel(limiter: RateLimiter, *policies: RateLimitPolicy) -> Check:
    """Ours: all windows in one question."""

    async def check(key: str) -> bool:
        return (await limiter.acquire(key, policies)).allowed

    return check


def peer(limiter: Any, *items: Any) -> Check:
    """A strategy of `limits`: one window after the other."""

    async def check(key: str) -> bool:
        for item in items:
            if not await limiter.hit(item, key):
                return False
        return True

    return check


def told(limiter: Any, item: Any) -> Check:
    """A strategy of `limits`, and what a reply's RateLimit fields need to know."""

    async def check(key: str) -> bool:
        allowed: bool = await limiter.hit(item, key)
        await limiter.get_window_stats(item, key)
        return allowed

    return check


def in_process() -> dict[str, Check]:
    """Each with a store of its own."""
    rows = {"kernel": kernel(InMemoryRateLimiter(), MINUTE)}
    for name, strategy in PEERS.items():
        rows[name] = peer(strategy(MemoryStorage()), PEER_WINDOWS[0])
    moving = MovingWindowRateLimiter(MemoryStorage())
    rows["limits, moving window, with what remains"] = told(moving, PEER_WINDOWS[0])
    rows["kernel, 3 windows"] = kernel(InMemoryRateLimiter(), *WINDOWS)
    moving = MovingWindowRateLimiter(MemoryStorage())
    rows["limits, moving window, 3 windows"] = peer(moving, *PEER_WINDOWS)
    return rows


def on_redis(client: Redis) -> dict[str, Check]:
    """All on one server, with a pool of the same size."""

    def storage() -> RedisStorage:
        return RedisStorage(
            f"async+{URL}",
            implementation="redispy",
            key_prefix=f"{PREFIX}limits-{uuid.uuid4().hex}",
            connection_pool=pool(),
        )

    def limiter() -> RedisRateLimiter:
        prefix = f"{PREFIX}kernel-{uuid.uuid4().hex}:"
        return RedisRateLimiter(client, prefix=prefix, timeout=60)

    async def ping(key: str) -> bool:
        return bool(await client.ping())

    rows: dict[str, Check] = {"floor: PING": ping, "kernel": kernel(limiter(), MINUTE)}
    for name, strategy in PEERS.items():
        rows[name] = peer(strategy(storage()), PEER_WINDOWS[0])
    moving = MovingWindowRateLimiter(storage())
    rows["limits, moving window, with what remains"] = told(moving, PEER_WINDOWS[0])
    rows["kernel, 3 windows"] = kernel(limiter(), *WINDOWS)
    moving = MovingWindowRateLimiter(storage())
    rows["limits, moving window, 3 windows"] = peer(moving, *PEER_WINDOWS)
    return rows


def pool() -> BlockingConnectionPool:
    """As many connections as tasks."""
    return BlockingConnectionPool.from_url(URL, max_connections=TASKS)


def allowed(run: asyncio.Runner, check: Check) -> harness.Loop:
    """Ask each key so often that it stays below its limit."""
    numbers = itertools.count()

    async def repeat(count: int) -> None:
        for _ in range(count):
            await check(f"user-{next(numbers) // PER_KEY}")

    return lambda count: run.run(repeat(count))


def refused(run: asyncio.Runner, check: Check) -> harness.Loop:
    """Ask a key that has used up its limit."""

    async def repeat(count: int) -> None:
        for _ in range(count):
            await check("greedy")

    run.run(repeat(200))
    return lambda count: run.run(repeat(count))


class Cost(NamedTuple):
    """Microseconds of a check: of this thread's CPU, and on the wall."""

    cpu: float
    wall: float


async def crowd(check: Check, numbers: itertools.count[int], count: int) -> Cost:
    """What a check costs with many tasks asking at once."""

    async def ask() -> None:
        for _ in range(count // TASKS):
            await check(f"user-{next(numbers) // PER_KEY}")

    gc.collect()
    done = count // TASKS * TASKS * 1000
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
    await asyncio.gather(*(ask() for _ in range(TASKS)))
    return Cost(
        (time.thread_time_ns() - cpu) / done, (time.perf_counter_ns() - wall) / done
    )


async def together(
    rows: dict[str, Check], rounds: int
) -> tuple[harness.Samples, harness.Samples]:
    """CPU and wall of all rows, in a new random order each round."""
    counters = {name: itertools.count() for name in rows}
    for name, check in rows.items():
        await crowd(check, counters[name], 10 * TASKS)
    cpu: harness.Samples = {name: [] for name in rows}
    wall: harness.Samples = {name: [] for name in rows}
    order = list(rows)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            cost = await crowd(rows[name], counters[name], CHECKS)
            cpu[name].append(cost.cpu)
            wall[name].append(cost.wall)
    return cpu, wall


def rates(samples: harness.Samples) -> dict[str, str]:
    """How many a second, by the medians."""
    return {
        name: f"{1_000_000 / sorted(values)[len(values) // 2]:,.0f}"
        for name, values in samples.items()
    }


VALUE = {"best_times": [{"day": day, "hour": 9 + day} for day in range(7)]}


async def never() -> Any:
    """The fill of a cache that is warm."""
    raise AssertionError("a hit was a miss")


def hits(cache: Cache[Any]) -> Check:
    """Find what is there."""

    async def check(key: str) -> Any:
        return await cache.get_or_fill("a", never, ttl=3600)

    return check


async def check_all(rows: dict[str, Check]) -> None:
    """Exit unless each row lets a hundred through, and no more."""
    for name, check in rows.items():
        if name.startswith("floor"):
            continue
        answers = [await check(f"check-{uuid.uuid4().hex}") for _ in range(3)]
        key = f"check-{uuid.uuid4().hex}"
        passed = sum([await check(key) for _ in range(120)])
        if not all(answers) or passed != MINUTE.limit:
            raise SystemExit(f"{name} let {passed} of 120 through")


async def clean(client: Redis) -> None:
    """Remove what the run left."""
    async for key in client.scan_iter(f"*{PREFIX}*", count=1000):
        await client.unlink(key)


def cache_rows(
    run: asyncio.Runner, client: Redis
) -> tuple[dict[str, harness.Loop], dict[str, Check]]:
    """Warm caches, in process and on Redis, and what they are made of."""
    data = json.dumps(VALUE, separators=(",", ":")).encode()
    local: dict[str, Cache[Any]] = {
        "kernel, bytes": InMemoryCache(codec=BYTES),
        "kernel, JSON": InMemoryCache(),
    }
    shared: dict[str, Cache[Any]] = {
        "kernel, bytes": RedisCache(client, prefix=f"{PREFIX}b:", codec=BYTES),
        "kernel, JSON": RedisCache(client, prefix=f"{PREFIX}j:"),
    }
    for caches in (local, shared):
        run.run(caches["kernel, bytes"].set("a", data, ttl=3600))
        run.run(caches["kernel, JSON"].set("a", VALUE, ttl=3600))

    async def loads(key: str) -> Any:
        return json.loads(data)

    async def get(key: str) -> Any:
        return await client.get(f"{PREFIX}b:{{a}}")

    in_process = {"floor: json.loads": loads}
    in_process |= {name: hits(cache) for name, cache in local.items()}
    redis = {"floor: GET": get} | {name: hits(cache) for name, cache in shared.items()}
    return {name: allowed(run, check) for name, check in in_process.items()}, redis


def main() -> None:
    """Check, measure, print."""
    options = harness.parse(__doc__ or "", rounds=9)
    with asyncio.Runner() as run:
        client = run.run(_client())
        try:
            _measure(options, run, client)
        finally:
            run.run(clean(client))
            run.run(client.aclose())


async def _client() -> Redis:
    return Redis(connection_pool=pool())


def _measure(options: Any, run: asyncio.Runner, client: Redis) -> None:
    versions = ("limits", "redis")
    local, shared = in_process(), on_redis(client)
    run.run(check_all(local | {f"{name} on Redis": c for name, c in shared.items()}))

    loops = {name: allowed(run, check) for name, check in local.items()}
    good = harness.measure(loops, options.rounds)
    loops = {name: refused(run, check) for name, check in local.items()}
    bad = harness.measure(loops, options.rounds)
    more = {"checks/s": rates(good), "µs refused": harness.medians(bad)}
    body = harness.table(good, BASE, unit="µs a check, CPU", more=more)
    harness.report("Rate limit, in process", body, *versions)

    remote, wall = run.run(together(shared, options.rounds))
    more = {"checks/s": rates(wall)}
    body = harness.table(remote, BASE, unit="µs a check, client's CPU", more=more)
    harness.report(f"Rate limit, on Redis, {TASKS} tasks", body, *versions)

    warm, warm_shared = cache_rows(run, client)
    found = harness.measure(warm, options.rounds)
    body = harness.table(found, "floor: json.loads", unit="µs a hit, CPU")
    harness.report("Cache hit by get_or_fill, in process", body)
    fetched, wall = run.run(together(warm_shared, options.rounds))
    more = {"hits/s": rates(wall)}
    body = harness.table(
        fetched, "floor: GET", unit="µs a hit, client's CPU", more=more
    )
    harness.report(f"Cache hit by get_or_fill, on Redis, {TASKS} tasks", body, "redis")
    samples = {"allowed": good, "refused": bad, "redis": remote}
    harness.save(options.json, samples | {"hits": found, "hits_redis": fetched})


if __name__ == "__main__":
    main()
