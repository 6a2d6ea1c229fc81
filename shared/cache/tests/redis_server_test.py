"""Against a real Redis, whose keys of this run have a prefix of their own."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from shared.cache import (
    BYTES,
    CacheEvent,
    CacheUnavailableException,
    Codec,
)
from shared.cache.redis import _RENEWAL, RedisCache
from shared.testing.cache_contract import CacheBackend, CacheContract, Filler
from shared.testing.servers import redis_url
from shared.testing.tcp_proxy import TcpProxy

_PATIENT = 30.0  # seconds, for a machine that is busy


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again, until it is so."""
    async with asyncio.timeout(_PATIENT):
        while True:
            if await done():
                return
            await asyncio.sleep(0.01)


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
def events() -> list[CacheEvent]:
    """What the hook was called with."""
    return []


@pytest.fixture
def filler() -> Filler:
    """A fill that returns at once."""
    filler = Filler()
    filler.go.set()
    return filler


@pytest.fixture
async def proxy(redis: Redis) -> AsyncIterator[TcpProxy]:
    """A way to the server that can be cut."""
    where = redis.connection_pool.connection_kwargs
    async with TcpProxy(where["host"], where["port"]) as proxy:
        yield proxy


@pytest.fixture
async def behind(proxy: TcpProxy, redis: Redis) -> AsyncIterator[Redis]:
    """A client whose connection goes through the proxy, and which does not retry."""
    known = ("db", "username", "password")
    options = redis.connection_pool.connection_kwargs
    chosen = {name: options[name] for name in known if name in options}
    async with Redis(
        host=proxy.host, port=proxy.port, retry=Retry(NoBackoff(), 0), **chosen
    ) as client:
        yield client


@pytest.fixture
async def nowhere(unused_tcp_port: int) -> AsyncIterator[Redis]:
    """A client of a server that is not there."""
    async with Redis(port=unused_tcp_port, retry=Retry(NoBackoff(), 0)) as client:
        yield client


class TestRedisCache(CacheContract):
    @pytest.fixture
    async def backend(
        self, prefix: str, events: list[CacheEvent]
    ) -> AsyncIterator[CacheBackend]:
        """Two caches with a client each, as in two processes."""
        url = redis_url()
        async with Redis.from_url(url) as one, Redis.from_url(url) as other:

            async def elapse(seconds: float) -> None:
                async for key in one.scan_iter(f"{prefix}*"):
                    left = await one.pttl(key) - round(seconds * 1000)
                    await one.pexpire(key, max(0, left))

            caches = [
                RedisCache(
                    client,
                    prefix=prefix,
                    timeout=_PATIENT,
                    max_wait=2 * _PATIENT,
                    on_event=events.append,
                )
                for client in (one, other)
            ]
            yield CacheBackend(caches[0], elapse, events, twin=caches[1])


_PROCESS = """
import asyncio, sys
from redis.asyncio import Redis
from shared.cache.redis import RedisCache

async def main(url, prefix):
    async with Redis.from_url(url) as client:
        cache = RedisCache(client, prefix=prefix, timeout=60, max_wait=120)

        async def fill():
            await asyncio.sleep(0.05)
            return await client.incr(prefix + "calls")

        tasks = [cache.get_or_fill("a", fill, ttl=1000) for _ in range(100)]
        print(sum(await asyncio.gather(*tasks)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_share_a_fill(redis: Redis, prefix: str) -> None:
    """Three of a hundred tasks each: one call, and all have what it returned."""
    command = [sys.executable, "-c", _PROCESS, redis_url(), prefix]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        await asyncio.create_subprocess_exec(
            *command, env=variables, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0] for process in started]

    assert [int(output) for output in outputs] == [100] * 3
    assert await redis.get(f"{prefix}calls") == b"1"


async def test_a_dead_process_s_lease_is_taken_over(
    redis: Redis, prefix: str, filler: Filler
) -> None:
    """Whoever waits fills when the lease has ended."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT, max_wait=_PATIENT)
    await redis.set(f"{prefix}{{a}}:lease", "dead", px=50)

    assert await cache.get_or_fill("a", filler, ttl=1000) == "filled"
    assert await cache.get("a") == "filled"


async def test_waiting_for_another_process_has_an_end(
    redis: Redis,
    prefix: str,
    filler: Filler,
    events: list[CacheEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After max_wait it fills for itself, stores nothing, and says so."""
    cache = RedisCache(
        redis, prefix=prefix, timeout=_PATIENT, max_wait=0.05, on_event=events.append
    )
    await redis.set(f"{prefix}{{a}}:lease", "slow", px=1_000_000)
    with caplog.at_level(logging.WARNING, "shared.cache"):
        value = await cache.get_or_fill("a", filler, ttl=1000)

    assert (value, events) == ("filled", ["miss", "not_stored", "filled"])
    assert await cache.get("a") is None
    assert await redis.get(f"{prefix}{{a}}:lease") == b"slow"
    assert [record.getMessage() for record in caplog.records] == [
        "a cache filled by itself: another process did not within 0.05 s"
    ]


async def test_whoever_lost_the_lease_stores_nothing(
    redis: Redis, prefix: str, events: list[CacheEvent]
) -> None:
    """The token is a fence: a process that was asleep does not overwrite its heir."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT, on_event=events.append)

    async def fill() -> str:
        await redis.set(f"{prefix}{{a}}:lease", "heir", px=1_000_000)
        return "old"

    assert await cache.get_or_fill("a", fill, ttl=1000) == "old"
    assert await cache.get("a") is None
    assert events == ["miss", "filled", "not_stored", "miss"]
    assert await redis.get(f"{prefix}{{a}}:lease") == b"heir"


async def test_a_lease_is_renewed_while_the_fill_goes_on(
    redis: Redis, prefix: str
) -> None:
    """A fill that takes longer than the lease is still the only one."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT, lease=2)
    lease = f"{prefix}{{a}}:lease"

    async def fill() -> str:
        # Longer than any that it sets itself, so that a renewal shows.
        await redis.pexpire(lease, 1_000_000)

        async def renewed() -> bool:
            return 0 < await redis.pttl(lease) <= 2000

        await until(renewed)
        return "filled"

    assert await cache.get_or_fill("a", fill, ttl=1000) == "filled"
    assert await cache.get("a") == "filled"
    assert not await redis.exists(lease)


async def test_a_renewal_stops_when_the_lease_is_lost(
    redis: Redis, prefix: str
) -> None:
    """It does not prolong another's."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT, lease=0.03)
    lease = f"{prefix}{{a}}:lease"

    async def fill() -> int:
        await redis.set(lease, "heir", px=1_000_000)
        (renewal,) = [t for t in asyncio.all_tasks() if t.get_name() == _RENEWAL]

        async def over() -> bool:
            return renewal.done()

        await until(over)
        return await redis.pttl(lease)

    assert await cache.get_or_fill("a", fill, ttl=1000) > 900_000


@pytest.mark.parametrize("error", [LookupError("upstream"), asyncio.CancelledError()])
async def test_a_fill_that_fails_leaves_no_lease(
    redis: Redis, prefix: str, filler: Filler, error: BaseException
) -> None:
    """The next process need not wait for it to end."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT)
    filler.error = error
    with pytest.raises(type(error)) as caught:
        await cache.get_or_fill("a", filler, ttl=1000)

    assert type(caught.value) is type(error)
    assert [key async for key in redis.scan_iter(f"{prefix}*")] == []


async def test_value_and_lease_have_one_slot(redis: Redis, prefix: str) -> None:
    """A cluster runs a script over one slot only, and a key can't choose its own."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT)
    keys: list[bytes] = []

    async def fill() -> int:
        keys.extend([key async for key in redis.scan_iter(f"{prefix}*")])
        return 1

    await cache.get_or_fill("{b}c", fill, ttl=1000)
    keys += [key async for key in redis.scan_iter(f"{prefix}*")]

    assert (len(keys), len(set(map(key_slot, keys)))) == (2, 1)
    assert key_slot(keys[0]) != key_slot(b"b")


async def test_a_restarted_server_knows_no_script(
    redis: Redis, prefix: str, filler: Filler
) -> None:
    """It is sent again, at every step."""
    cache = RedisCache(redis, prefix=prefix, timeout=_PATIENT)

    async def fill() -> str:
        await redis.script_flush()
        return "filled"

    await redis.script_flush()
    assert await cache.get_or_fill("a", fill, ttl=1000) == "filled"
    assert await cache.get_or_fill("a", filler, ttl=1000) == "filled"
    assert filler.calls == 0


async def test_values_end_in_redis_too(redis: Redis, prefix: str) -> None:
    """With the jitter, which only shortens."""
    cache = RedisCache(
        redis, prefix=prefix, timeout=_PATIENT, jitter=0.5, random=lambda: 1.0
    )
    await cache.set("a", 1, ttl=1000)

    assert 0 < await redis.pttl(f"{prefix}{{a}}") <= 500_000


async def test_bytes_as_they_are(redis: Redis, prefix: str, filler: Filler) -> None:
    """Nothing in the store decodes them, and an empty value is one."""
    cache = RedisCache(redis, prefix=prefix, codec=BYTES, timeout=_PATIENT)
    for value in (b"", b"\x00\xff"):
        await cache.set("a", value, ttl=1000)

        assert await cache.get("a") == value
        assert await cache.get_or_fill("a", filler, ttl=1) == value  # type: ignore[arg-type]


def _strict(data: bytes) -> str:
    if data.startswith(b"old"):
        raise ValueError("secret")
    return data.decode()


STRICT = Codec(str.encode, _strict)


async def test_a_value_that_can_t_be_decoded_is_filled_again(
    redis: Redis,
    prefix: str,
    filler: Filler,
    events: list[CacheEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One process has a newer type, say. It is logged without the value."""
    cache = RedisCache(
        redis, prefix=prefix, codec=STRICT, timeout=_PATIENT, on_event=events.append
    )
    await redis.set(f"{prefix}{{a}}", "old", px=1_000_000)
    with caplog.at_level(logging.WARNING, "shared.cache"):
        assert await cache.get("a") is None
        value = await cache.get_or_fill("a", filler, ttl=60)  # type: ignore[arg-type]

    assert (value, await cache.get("a")) == ("filled", "filled")
    assert events == ["undecodable", "miss"] * 2 + ["filled", "hit"]
    assert [record.getMessage() for record in caplog.records] == [
        "a cached value can't be decoded: ValueError"
    ] * 2


async def test_another_process_that_fills_what_can_t_be_decoded(
    redis: Redis, prefix: str, filler: Filler
) -> None:
    """Two versions of a service can take turns, each with its own values."""
    cache = RedisCache(
        redis, prefix=prefix, codec=STRICT, timeout=_PATIENT, max_wait=_PATIENT
    )
    await redis.set(f"{prefix}{{a}}:lease", "other version", px=1_000_000)
    task = asyncio.create_task(cache.get_or_fill("a", filler, ttl=60))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await redis.set(f"{prefix}{{a}}", "old", px=1_000_000)
    await redis.delete(f"{prefix}{{a}}:lease")

    assert await task == "filled"
    assert await cache.get("a") == "filled"


async def test_no_server_when_reading(
    nowhere: Redis,
    filler: Filler,
    events: list[CacheEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A miss, and a fill that is called: logged, counted, no error."""
    cache = RedisCache(
        nowhere, prefix="test:", timeout=_PATIENT, on_event=events.append
    )
    with caplog.at_level(logging.WARNING, "shared.cache"):
        found = await cache.get("a")
        value = await cache.get_or_fill("a", filler, ttl=60)

    assert (found, value, filler.calls) == (None, "filled", 1)
    assert events == ["unavailable", "unavailable", "filled"]
    assert [record.getMessage() for record in caplog.records] == [
        "the cache's store did not answer: ConnectionError"
    ] * 2


async def test_no_server_and_many_tasks(
    nowhere: Redis, events: list[CacheEvent]
) -> None:
    """In each process one fills, as ever."""
    cache = RedisCache(
        nowhere, prefix="test:", timeout=_PATIENT, on_event=events.append
    )
    slow = Filler()
    tasks = [
        asyncio.create_task(cache.get_or_fill("a", slow, ttl=60)) for _ in range(50)
    ]

    async def all_know() -> bool:
        return events.count(CacheEvent.UNAVAILABLE) == 50

    await until(all_know)
    slow.go.set()

    assert await asyncio.gather(*tasks) == ["filled"] * 50
    assert slow.calls == 1


async def test_no_server_when_writing(nowhere: Redis) -> None:
    """An error, since an old value may go on being served."""
    cache = RedisCache(nowhere, prefix="test:", timeout=_PATIENT)

    with pytest.raises(CacheUnavailableException, match="can't be written") as caught:
        await cache.set("a", 1, ttl=60)
    assert type(caught.value.__cause__).__name__ == "ConnectionError"
    with pytest.raises(CacheUnavailableException, match="can't be written"):
        await cache.delete("a")


async def test_a_connection_that_is_cut_in_flight(
    proxy: TcpProxy,
    behind: Redis,
    prefix: str,
    filler: Filler,
    events: list[CacheEvent],
) -> None:
    """At any of the steps: the value is there, and the next time it is kept."""
    cache = RedisCache(
        behind, prefix=prefix, timeout=_PATIENT, lease=_PATIENT, on_event=events.append
    )
    await cache.get("warm")  # the connection is made
    proxy.cut_next_reply()  # of the read
    assert await cache.get_or_fill("a", filler, ttl=60) == "filled"

    async def fill() -> str:
        proxy.cut_next_reply()  # of the renewal or the publication
        return "late"

    assert await cache.get_or_fill("b", fill, ttl=60) == "late"
    assert events.count(CacheEvent.UNAVAILABLE) == 2
    assert await cache.get_or_fill("c", filler, ttl=60) == "filled"
    assert await cache.get("c") == "filled"


async def test_a_connection_that_is_cut_at_the_claim(
    proxy: TcpProxy,
    redis: Redis,
    behind: Redis,
    prefix: str,
    filler: Filler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lease may be ours without our knowing: we fill, and give it back."""
    cache = RedisCache(behind, prefix=prefix, timeout=_PATIENT, lease=1000)
    await cache.get_or_fill("a", filler, ttl=60)  # the script is known
    real = behind.get

    async def get(name: str) -> Any:
        found = await real(name)
        proxy.cut_next_reply()
        return found

    monkeypatch.setattr(behind, "get", get)
    assert await cache.get_or_fill("b", filler, ttl=60) == "filled"
    assert filler.calls == 2

    async def given_back() -> bool:
        return not await redis.exists(f"{prefix}{{b}}:lease")

    await until(given_back)


class _Deaf(Redis):
    """A client that does not hear of what it is told next, though it was done.

    Attributes:
        deaf_to: The number of arguments of the script, or None to hear all.
        done: Set when the server has done it.
    """

    deaf_to: int | None = None
    done: asyncio.Event

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """See `Redis`; wait for ever after what it is deaf to."""
        hearing: Any = super()  # whose method has no types
        answer = await hearing.execute_command(*args, **options)
        if len(args) == self.deaf_to:
            self.deaf_to = None
            self.done.set()
            await asyncio.Event().wait()
        return answer


# Command, script, number of keys, value, lease, token, milliseconds
_A_CLAIM = 7


@pytest.fixture
async def deaf() -> AsyncIterator[_Deaf]:
    """A client that hears until it is told not to."""
    async with cast("_Deaf", _Deaf.from_url(redis_url())) as client:
        client.done = asyncio.Event()
        yield client


async def test_a_fill_cancelled_while_the_lease_is_granted(
    redis: Redis, deaf: _Deaf, prefix: str, filler: Filler
) -> None:
    """It gives back what it never heard of; else others would wait until it ends."""
    cache = RedisCache(deaf, prefix=prefix, timeout=_PATIENT, lease=1000)
    await cache.get_or_fill("warm", filler, ttl=60)  # the script is known
    deaf.deaf_to = _A_CLAIM
    task = asyncio.create_task(cache.get_or_fill("a", filler, ttl=60))
    await deaf.done.wait()
    assert await redis.exists(f"{prefix}{{a}}:lease")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def given_back() -> bool:
        return not await redis.exists(f"{prefix}{{a}}:lease")

    await until(given_back)
    assert filler.calls == 1


async def test_an_event_loop_that_ends_waits_for_the_release(
    redis: Redis, deaf: _Deaf, prefix: str, filler: Filler
) -> None:
    """As ``asyncio.run`` cancels all tasks, and waits for those that it knows of."""
    cache = RedisCache(deaf, prefix=prefix, timeout=_PATIENT, lease=1000)
    await cache.get_or_fill("warm", filler, ttl=60)
    deaf.deaf_to = _A_CLAIM
    before = asyncio.all_tasks()
    asking = asyncio.create_task(cache.get_or_fill("a", filler, ttl=60))
    await deaf.done.wait()
    tasks = asyncio.all_tasks() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert asking.cancelled()
    assert not await redis.exists(f"{prefix}{{a}}:lease")


async def test_a_server_that_does_not_answer(
    proxy: TcpProxy, behind: Redis, prefix: str, filler: Filler
) -> None:
    """After the timeout it counts as none, and late answers are nobody else's."""
    patient = RedisCache(behind, prefix=prefix, timeout=_PATIENT)
    hasty = RedisCache(behind, prefix=prefix, timeout=0.05)
    await patient.set("a", "a", ttl=60)
    await patient.set("b", "b", ttl=60)
    proxy.hold_replies()
    assert await hasty.get_or_fill("a", filler, ttl=60) == "filled"
    proxy.release()

    assert await patient.get("b") == "b"


MAKERS: list[tuple[Callable[[Redis], object], str]] = [
    (lambda r: RedisCache(r, prefix=""), "prefix of a Redis cache must be text, and"),
    (lambda r: RedisCache(r, prefix="{a}"), r"without braces \(got '\{a\}'\)"),
    (
        lambda r: RedisCache(r, prefix="a", timeout=0),
        "timeout must be positive seconds",
    ),
    (lambda r: RedisCache(r, prefix="a", lease=-1), "lease must be positive seconds"),
    (
        lambda r: RedisCache(r, prefix="a", max_wait=float("inf")),
        "max_wait must be positive seconds",
    ),
    (lambda r: RedisCache(r, prefix="a", jitter=2), "jitter must be from 0 to below 1"),
    (
        lambda _: RedisCache(Redis(decode_responses=True), prefix="a"),
        "make it without decode_responses=True",
    ),
]


@pytest.mark.parametrize(("make", "message"), MAKERS)
async def test_bad_settings(
    nowhere: Redis, make: Callable[[Redis], object], message: str
) -> None:
    """One clear error where the cache is made."""
    with pytest.raises(ValueError, match=message):
        make(nowhere)
