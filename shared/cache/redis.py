"""A cache that all processes share, in Redis.

::

    client = Redis.from_url("redis://cache.internal:6379/0")
    insights = RedisCache(client, prefix="insights:", codec=INSIGHTS)
    best = await insights.get_or_fill(account_id, fetch_insights, ttl=3600)

Whoever misses takes a lease on the key, renews it while it fills, and stores the result
only if it still holds it: a token in the lease is the fence. ``set`` and ``delete``
take the lease away, so that no older result comes after them. The others look again, at
growing intervals, and take the lease over when it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random as standard_random
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from math import ceil, inf
from typing import Any, Final, Generic, TypeVar, overload

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, RedisError

from shared.cache._codec import JSON, Codec, encoded
from shared.cache._errors import CacheUnavailableException
from shared.cache._events import CacheEvent, OnEvent, observer
from shared.cache._flights import Flight, Flights
from shared.cache._ttl import Spread, check_key

__all__ = ["RedisCache"]

_log = logging.getLogger("shared.cache")

T = TypeVar("T")


class _Script:
    """A Lua script on a value and the lease on it, in one slot of a cluster."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Any, key: str, *arguments: Any) -> Any:
        """Run it, with its text if the server does not know it yet."""
        keys_and_arguments = (key, f"{key}:lease", *arguments)
        try:
            return await client.evalsha(self._sha, 2, *keys_and_arguments)
        except NoScriptError:
            return await client.eval(self._text, 2, *keys_and_arguments)


# The value, else 1 if the lease is ours now, else 0. A value that the asker could not
# decode, ARGV[3], counts as none.
_CLAIM: Final = _Script("""
local value = redis.call('GET', KEYS[1])
if value and not (ARGV[3] and value == ARGV[3]) then return value end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
""")
_RENEW: Final = _Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
""")
_PUBLISH: Final = _Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('DEL', KEYS[2])
""")
_RELEASE: Final = _Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
""")
_SET: Final = _Script("""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('DEL', KEYS[2])
""")
_DELETE: Final = _Script("return redis.call('DEL', KEYS[1], KEYS[2])")

# What may stand between the braces of a hash tag as it is
_PLAIN: Final = re.compile(r"[!$-z|~][!-z|~]{0,199}")

_RENEWAL: Final = "renewal of a cache's lease"

# How long those wait who do not fill, between two looks, in seconds
_FIRST_LOOK: Final = 0.01
_LONGEST_LOOK: Final = 0.25


class _Unavailable(Exception):
    """Redis did not answer."""


class RedisCache(Generic[T]):
    """A `Cache` that all processes share. Needs Redis 6 or newer.

    It opens no connection before it is used.

    Args:
        client: Of ``redis.asyncio``, not decoding; whoever made it closes it.
        prefix: The namespace, in front of every key: ``"insights:"``. Put a version in
            it when the type of the values changes beyond what its codec understands.
        codec: How values become bytes.
        jitter: The fraction by which a TTL is shortened at random, so that values set
            together do not end together.
        timeout: Seconds after which Redis counts as not answering.
        lease: Seconds after which others may fill what a dead process was filling.
        max_wait: Seconds after which a process that waits for another's fill calls its
            own, and does not store it.
        on_event: Called with each `CacheEvent`.
        random: Returns numbers from 0 to 1.

    Raises:
        ValueError: The prefix is empty or holds a brace, the client decodes replies,
            a time is not positive, or jitter is no fraction.
    """

    @overload
    def __init__(
        self: RedisCache[Any],
        client: Redis | RedisCluster,
        *,
        prefix: str,
        jitter: float = ...,
        timeout: float = ...,
        lease: float = ...,
        max_wait: float = ...,
        on_event: OnEvent | None = ...,
        random: Callable[[], float] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self,
        client: Redis | RedisCluster,
        *,
        prefix: str,
        codec: Codec[T],
        jitter: float = ...,
        timeout: float = ...,
        lease: float = ...,
        max_wait: float = ...,
        on_event: OnEvent | None = ...,
        random: Callable[[], float] = ...,
    ) -> None: ...

    def __init__(
        self,
        client: Redis | RedisCluster,
        *,
        prefix: str,
        codec: Codec[Any] = JSON,
        jitter: float = 0.0,
        timeout: float = 0.5,
        lease: float = 5.0,
        max_wait: float = 10.0,
        on_event: OnEvent | None = None,
        random: Callable[[], float] = standard_random.random,
    ) -> None:
        if not prefix or "{" in prefix or "}" in prefix:
            raise ValueError(
                "The prefix of a Redis cache must be text, and without braces "
                f"(got {prefix!r})."
            )
        for name, seconds in (
            ("timeout", timeout),
            ("lease", lease),
            ("max_wait", max_wait),
        ):
            if not 0 < seconds < inf:
                raise ValueError(f"{name} must be positive seconds (got {seconds!r}).")
        if client.get_encoder().decode_responses:
            raise ValueError(
                "The client of a Redis cache must return bytes: make it without "
                "decode_responses=True."
            )
        self._client: Any = client  # its methods are typed for both worlds at once
        self._prefix = prefix
        self._codec = codec
        self._spread = Spread(jitter, random)
        self._timeout = timeout
        self._lease = lease
        self._max_wait = max_wait
        self._observe = observer(on_event)
        self._random = random
        self._flights = Flights()
        # An event loop keeps no task alive by itself.
        self._releases: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> T | None:
        """See `Cache.get`."""
        check_key(key)
        with contextlib.suppress(_Unavailable):
            found, _ = await self._find(key)
            if found:
                return found[0]
        return None

    async def set(self, key: str, value: T, *, ttl: float) -> None:
        """See `Cache.set`."""
        check_key(key)
        data, life = encoded(self._codec, value), _milliseconds(self._spread(ttl))
        await self._write(key, _SET, data, life)

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        check_key(key)
        await self._write(key, _DELETE)

    async def get_or_fill(
        self, key: str, fill: Callable[[], Awaitable[T]], *, ttl: float
    ) -> T:
        """See `Cache.get_or_fill`."""
        check_key(key)
        life = _milliseconds(self._spread(ttl))
        try:
            found, unread = await self._find(key)
        except _Unavailable:
            reachable = False
        else:
            reachable = True
            if found:
                return found[0]

        async def work(flight: Flight) -> bytes:
            if reachable:
                with contextlib.suppress(_Unavailable):
                    return await self._filled_by_one(key, fill, life, unread)
            return await self._fill(fill)

        data = await self._flights.join(key, work)
        value: T = self._codec.decode(data)
        return value

    async def _filled_by_one(
        self,
        key: str,
        fill: Callable[[], Awaitable[T]],
        life: int,
        unread: list[bytes],
    ) -> bytes:
        """Fill with the lease, or wait for whoever has it.

        Args:
            key: The key.
            fill: Makes the value.
            life: Milliseconds for which it is kept.
            unread: The value that is there and can't be decoded, or nothing.

        Raises:
            _Unavailable: Redis did not answer, and *fill* was not called.
        """
        token = secrets.token_hex(16)
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._max_wait, _FIRST_LOOK
        while True:
            lease = _milliseconds(self._lease)
            async with self._released_on_error(key, token):
                answer = await self._run(key, _CLAIM, token, lease, *unread)
            if answer == 1:
                return await self._fill_and_publish(key, fill, token, life)
            if isinstance(answer, bytes):
                if self._read(answer):
                    return answer
                unread = [answer]
            left = until - loop.time()
            if left <= 0:
                _log.warning(
                    "a cache filled by itself: another process did not within %s s",
                    self._max_wait,
                )
                self._observe(CacheEvent.NOT_STORED)
                return await self._fill(fill)
            # Somewhere in the second half, so that those who wait do not look at once
            await asyncio.sleep(min(left, pause * (1 + self._random()) / 2))
            pause = min(2 * pause, _LONGEST_LOOK)

    async def _fill_and_publish(
        self, key: str, fill: Callable[[], Awaitable[T]], token: str, life: int
    ) -> bytes:
        async with self._released_on_error(key, token), self._renewal(key, token):
            data = await self._fill(fill)
        with contextlib.suppress(_Unavailable):
            async with self._released_on_error(key, token):
                if not await self._run(key, _PUBLISH, token, data, life):
                    self._observe(CacheEvent.NOT_STORED)
        return data

    @contextlib.asynccontextmanager
    async def _released_on_error(self, key: str, token: str) -> AsyncIterator[None]:
        """Give the lease back if the block fails, also if we never heard it is ours."""
        try:
            yield
        except BaseException as error:
            release = asyncio.create_task(self._release(key, token))
            self._releases.add(release)
            release.add_done_callback(self._releases.discard)
            if not isinstance(error, _Unavailable):
                # Whoever waits need not wait for a store that does not answer. But
                # what is cancelled is waited for by nobody, or by the loop's end only.
                await asyncio.wait([release])
            raise

    async def _release(self, key: str, token: str) -> None:
        with contextlib.suppress(_Unavailable):
            await self._run(key, _RELEASE, token)

    @contextlib.asynccontextmanager
    async def _renewal(self, key: str, token: str) -> AsyncIterator[None]:
        """Keep the lease during the block, however long it takes."""

        async def renew() -> None:
            held = 1
            while held:
                await asyncio.sleep(self._lease / 3)
                with contextlib.suppress(_Unavailable):
                    held = await self._run(
                        key, _RENEW, token, _milliseconds(self._lease)
                    )

        task = asyncio.create_task(renew(), name=_RENEWAL)
        try:
            yield
        finally:
            task.cancel()
            # Not a plain await: that would take our own cancellation for the task's.
            await asyncio.gather(task, return_exceptions=True)

    async def _fill(self, fill: Callable[[], Awaitable[T]]) -> bytes:
        try:
            data = encoded(self._codec, await fill())
        except BaseException:
            self._observe(CacheEvent.FILL_FAILED)
            raise
        self._observe(CacheEvent.FILLED)
        return data

    async def _find(self, key: str) -> tuple[tuple[T] | None, list[bytes]]:
        """Return the value in a tuple, if any, and what can't be decoded in a list.

        Raises:
            _Unavailable: Redis did not answer.
        """
        data = await self._answer(self._client.get(self._name(key)))
        found = None if data is None else self._read(data)
        self._observe(CacheEvent.HIT if found else CacheEvent.MISS)
        return found, [] if found or data is None else [data]

    def _read(self, data: bytes) -> tuple[T] | None:
        try:
            value: T = self._codec.decode(data)
        except Exception as error:
            _log.warning("a cached value can't be decoded: %s", type(error).__name__)
            self._observe(CacheEvent.UNDECODABLE)
            return None
        return (value,)

    async def _write(self, key: str, script: _Script, *arguments: Any) -> None:
        self._flights.detach(key)
        try:
            await self._run(key, script, *arguments)
        except _Unavailable as error:
            raise CacheUnavailableException from error.__cause__

    async def _run(self, key: str, script: _Script, *arguments: Any) -> Any:
        return await self._answer(script.run(self._client, self._name(key), *arguments))

    async def _answer(self, reply: Awaitable[Any]) -> Any:
        """Wait for *reply*, no longer than the timeout.

        Raises:
            _Unavailable: With what went wrong as its cause, logged and counted.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await reply
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("the cache's store did not answer: %s", type(error).__name__)
            self._observe(CacheEvent.UNAVAILABLE)
            raise _Unavailable from error

    def _name(self, key: str) -> str:
        return f"{self._prefix}{{{_tag(key)}}}"


def _milliseconds(seconds: float) -> int:
    return max(1, ceil(seconds * 1000))


def _tag(key: str) -> str:
    """*key* as it is, or its digest if it is long, odd or holds a brace."""
    if _PLAIN.fullmatch(key):
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20)
    return f"#{digest.hexdigest()}"
