"""Against a real Redis, whose keys of this run have a prefix of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from shared.rate_limit import (
    InMemoryRateLimiter,
    RateLimitPolicy,
    RateLimitUnavailableException,
)
from shared.rate_limit.redis import RedisRateLimiter
from shared.testing import FakeClock
from shared.testing.rate_limit_contract import (
    RateLimiterBackend,
    RateLimiterContract,
    Step,
    steps,
    take_steps,
)
from shared.testing.servers import redis_url
from shared.testing.tcp_proxy import TcpProxy

MINUTE = RateLimitPolicy("minute", limit=3, window=60)
HOUR = RateLimitPolicy("hour", limit=100, window=3600)


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """A client of the server."""
    async with Redis.from_url(redis_url()) as client:
        yield client


@pytest.fixture
async def prefix(redis: Redis) -> AsyncIterator[str]:
    """A prefix for the keys of one test, which are removed after it."""
    prefix = f"test-{uuid.uuid4().hex}:"
    yield prefix
    if keys := [key async for key in redis.scan_iter(f"{prefix}*")]:
        await redis.delete(*keys)


@pytest.fixture
async def proxy(redis: Redis) -> AsyncIterator[TcpProxy]:
    """A way to the server that can be cut."""
    where = redis.connection_pool.connection_kwargs
    async with TcpProxy(where["host"], where["port"]) as proxy:
        yield proxy


@pytest.fixture
async def behind(proxy: TcpProxy, redis: Redis) -> AsyncIterator[Redis]:
    """A client whose connection goes through the proxy, and which does not retry."""
    options = redis.connection_pool.connection_kwargs | {
        "host": proxy.host,
        "port": proxy.port,
    }
    known = ("host", "port", "db", "username", "password")
    chosen = {name: options[name] for name in known if name in options}
    async with Redis(**chosen, retry=Retry(NoBackoff(), 0)) as client:
        yield client


class TestRedisRateLimiter(RateLimiterContract):
    @pytest.fixture
    async def backend(self, prefix: str) -> AsyncIterator[RateLimiterBackend]:
        """Two limiters with a client each, as in two processes."""
        clock = FakeClock()
        url = redis_url()
        async with Redis.from_url(url) as one, Redis.from_url(url) as other:
            limiters = [
                RedisRateLimiter(
                    client, prefix=prefix, clock=clock.monotonic, timeout=30
                )
                for client in (one, other)
            ]
            yield RateLimiterBackend(limiters[0], clock, twin=limiters[1])


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(todo=steps())
async def test_it_answers_what_the_one_in_process_answers(
    redis: Redis, prefix: str, todo: list[Step]
) -> None:
    """The script and the Python code count alike, to the microsecond."""
    clocks = FakeClock(), FakeClock()
    key = uuid.uuid4().hex
    shared = RedisRateLimiter(
        redis, prefix=prefix, clock=clocks[0].monotonic, timeout=30
    )
    local = InMemoryRateLimiter(clock=clocks[1].monotonic)

    assert await take_steps(shared, clocks[0], key, todo) == await take_steps(
        local, clocks[1], key, todo
    )


async def test_the_servers_clock_counts(redis: Redis, prefix: str) -> None:
    """Without a clock of its own it asks Redis, so that processes agree."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    answers = [await limiter.acquire("a", [MINUTE]) for _ in range(4)]
    seconds, microseconds = await redis.time()

    assert [answer.allowed for answer in answers] == [True, True, True, False]
    assert 0 < answers[-1].retry_after <= 60
    asked = answers[-1].decided_at
    assert answers[0].decided_at < asked <= seconds * 1_000_000 + microseconds
    await limiter.refund(answers[0])
    assert (await limiter.acquire("a", [MINUTE])).allowed


async def test_keys_expire_with_their_window(redis: Redis, prefix: str) -> None:
    """Redis forgets by itself, refunds or not."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    await limiter.acquire("a", [MINUTE, HOUR])
    decision = await limiter.acquire("a", [HOUR])
    await limiter.refund(decision)

    assert 0 < await redis.pttl(f"{prefix}{{a}}:minute:60") <= 60_000
    assert 60_000 < await redis.pttl(f"{prefix}{{a}}:hour:3600") <= 3_600_000


async def test_a_full_refund_leaves_no_key(redis: Redis, prefix: str) -> None:
    """What holds nothing is deleted."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    await limiter.refund(await limiter.acquire("a", [MINUTE, HOUR]))

    assert [key async for key in redis.scan_iter(f"{prefix}*")] == []


async def test_asking_leaves_no_key(redis: Redis, prefix: str) -> None:
    """Peeking and free actions write nothing."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    await limiter.peek("a", [MINUTE])
    await limiter.acquire("a", [MINUTE], 0)

    assert [key async for key in redis.scan_iter(f"{prefix}*")] == []


async def test_all_policies_of_a_key_have_one_slot(redis: Redis, prefix: str) -> None:
    """A cluster runs a script over one slot only, and a key can't choose its own."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    await limiter.acquire("{b}c", [MINUTE, HOUR])
    keys = [key async for key in redis.scan_iter(f"{prefix}*")]

    assert (len(keys), len(set(map(key_slot, keys)))) == (2, 1)
    assert key_slot(keys[0]) != key_slot(b"b")


async def test_a_clock_that_is_set_back_holds_units_for_one_window(
    redis: Redis, prefix: str
) -> None:
    """A server whose clock was wrong does not lock anyone out until that day."""
    clock = FakeClock()
    limiter = RedisRateLimiter(redis, prefix=prefix, clock=clock.time, timeout=30)
    clock.advance(1_000_000)
    await limiter.acquire("a", [MINUTE], 2)
    clock.turn_back(1_000_000)
    held = await limiter.acquire("a", [MINUTE])

    assert held.remaining == 0
    assert (await limiter.acquire("a", [MINUTE])).retry_after == 60.0
    clock.advance(60)
    assert (await limiter.acquire("a", [MINUTE], 3)).allowed


async def test_a_restarted_server_knows_no_script(redis: Redis, prefix: str) -> None:
    """The script is sent again, and the answer is that of the same question."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    await redis.script_flush()
    first = await limiter.acquire("a", [MINUTE])
    second = await limiter.acquire("a", [MINUTE])

    assert (first.remaining, second.remaining) == (2, 1)


_PROCESS = """
import asyncio, sys
from redis.asyncio import Redis
from shared.rate_limit import RateLimitPolicy
from shared.rate_limit.redis import RedisRateLimiter

async def main(url, prefix):
    policies = [RateLimitPolicy("all", limit=150, window=3600)]
    async with Redis.from_url(url) as client:
        limiter = RedisRateLimiter(client, prefix=prefix, timeout=60)
        tasks = [limiter.acquire("a", policies) for _ in range(100)]
        print(sum(map(bool, await asyncio.gather(*tasks))))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_share_a_limit(prefix: str) -> None:
    """Three of a hundred questions each: never over the limit, nor below it."""
    command = [sys.executable, "-c", _PROCESS, redis_url(), prefix]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        await asyncio.create_subprocess_exec(
            *command, env=variables, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0] for process in started]

    assert sum(map(int, outputs)) == 150


async def test_no_server(unused_tcp_port: int) -> None:
    """A refused connection is our error, with Redis's as its cause."""
    async with Redis(port=unused_tcp_port, retry=Retry(NoBackoff(), 0)) as client:
        limiter = RedisRateLimiter(client, prefix="test:", timeout=30)
        with pytest.raises(RateLimitUnavailableException, match="can't be") as caught:
            await limiter.acquire("a", [MINUTE])

    assert type(caught.value.__cause__).__name__ == "ConnectionError"


async def test_a_connection_that_is_cut_in_flight(
    proxy: TcpProxy, behind: Redis, prefix: str
) -> None:
    """It fails at once; the units may be taken; the next question works."""
    limiter = RedisRateLimiter(behind, prefix=prefix, timeout=30)
    await limiter.acquire("a", [MINUTE])
    proxy.cut_next_reply()
    with pytest.raises(RateLimitUnavailableException, match="can't be checked"):
        await limiter.acquire("a", [MINUTE])

    assert (await limiter.acquire("a", [MINUTE])).remaining == 0


async def test_a_server_that_does_not_answer(
    proxy: TcpProxy, behind: Redis, prefix: str
) -> None:
    """It fails after the timeout, and late answers are nobody else's."""
    patient = RedisRateLimiter(behind, prefix=prefix, timeout=30)
    hasty = RedisRateLimiter(behind, prefix=prefix, timeout=0.05)
    await patient.acquire("a", [HOUR])
    proxy.hold_replies()
    with pytest.raises(RateLimitUnavailableException, match="can't be checked") as hit:
        await hasty.acquire("a", [MINUTE])
    proxy.release()

    assert type(hit.value.__cause__) is TimeoutError
    assert (await patient.acquire("b", [HOUR], 7)).remaining == 93


async def test_a_refund_that_fails_is_an_error(
    proxy: TcpProxy, behind: Redis, prefix: str
) -> None:
    """Whoever calls the limiter itself decides what to do; see `Reservation`."""
    limiter = RedisRateLimiter(behind, prefix=prefix, timeout=30)
    decision = await limiter.acquire("a", [MINUTE])
    proxy.cut_next_reply()

    with pytest.raises(RateLimitUnavailableException, match="can't be checked"):
        await limiter.refund(decision)


async def test_a_key_that_holds_something_else(redis: Redis, prefix: str) -> None:
    """A foreign value under our name counts as a store that can't answer."""
    limiter = RedisRateLimiter(redis, prefix=prefix, timeout=30)
    await redis.lpush(f"{prefix}{{a}}:minute:60", "not ours")

    with pytest.raises(RateLimitUnavailableException, match="can't be checked"):
        await limiter.acquire("a", [MINUTE])


@pytest.mark.parametrize("prefix", ["", "a{b", "a}"])
async def test_bad_prefixes(redis: Redis, prefix: str) -> None:
    """A brace would be the hash tag, in place of the key's."""
    with pytest.raises(ValueError, match="must be text, and without braces"):
        RedisRateLimiter(redis, prefix=prefix)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
async def test_bad_timeouts(redis: Redis, seconds: float) -> None:
    """Waiting has an end, and a beginning."""
    with pytest.raises(ValueError, match="The timeout must be positive seconds"):
        RedisRateLimiter(redis, prefix="test:", timeout=seconds)
