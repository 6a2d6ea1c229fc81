"""A cache of one process.

Private: import ``InMemoryCache`` from ``shared.cache``.
"""

from __future__ import annotations

import logging
import random as standard_random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, overload

from shared.cache._codec import JSON, Codec, encoded
from shared.cache._events import CacheEvent, OnEvent, observer
from shared.cache._flights import Flight, Flights
from shared.cache._ttl import Spread, check_key

_log = logging.getLogger("shared.cache")

T = TypeVar("T")


class InMemoryCache(Generic[T]):
    """A `Cache` for one event loop. When it is full, the least recently used goes.

    Args:
        codec: How values become bytes. They do here too, so that nothing works in
            process that fails with Redis.
        max_entries: How many values are kept.
        jitter: The fraction by which a TTL is shortened at random, so that values set
            together do not end together.
        on_event: Called with each `CacheEvent`.
        clock: Seconds that never run backwards.
        random: Returns numbers from 0 to 1.

    Raises:
        ValueError: max_entries is not positive, or jitter is no fraction.
    """

    @overload
    def __init__(
        self: InMemoryCache[Any],
        *,
        max_entries: int = ...,
        jitter: float = ...,
        on_event: OnEvent | None = ...,
        clock: Callable[[], float] = ...,
        random: Callable[[], float] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self,
        *,
        codec: Codec[T],
        max_entries: int = ...,
        jitter: float = ...,
        on_event: OnEvent | None = ...,
        clock: Callable[[], float] = ...,
        random: Callable[[], float] = ...,
    ) -> None: ...

    def __init__(
        self,
        *,
        codec: Codec[Any] = JSON,
        max_entries: int = 10_000,
        jitter: float = 0.0,
        on_event: OnEvent | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = standard_random.random,
    ) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries must be at least 1 (got {max_entries}).")
        self._codec = codec
        self._max_entries = max_entries
        self._spread = Spread(jitter, random)
        self._observe = observer(on_event)
        self._clock = clock
        # Value and end, least recently used first
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._flights = Flights()

    def __len__(self) -> int:
        """How many values are kept, those included whose time is over."""
        return len(self._entries)

    async def get(self, key: str) -> T | None:
        """See `Cache.get`."""
        check_key(key)
        found = self._find(key)
        return found[0] if found else None

    async def set(self, key: str, value: T, *, ttl: float) -> None:
        """See `Cache.set`."""
        check_key(key)
        data, seconds = encoded(self._codec, value), self._spread(ttl)
        self._flights.detach(key)
        self._put(key, data, seconds)

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        check_key(key)
        self._flights.detach(key)
        self._entries.pop(key, None)

    async def get_or_fill(
        self, key: str, fill: Callable[[], Awaitable[T]], *, ttl: float
    ) -> T:
        """See `Cache.get_or_fill`."""
        check_key(key)
        seconds = self._spread(ttl)
        found = self._find(key)
        if found:
            return found[0]

        async def work(flight: Flight) -> bytes:
            try:
                data = encoded(self._codec, await fill())
            except BaseException:
                self._observe(CacheEvent.FILL_FAILED)
                raise
            self._observe(CacheEvent.FILLED)
            if not flight.detached:
                self._put(key, data, seconds)
            return data

        return self._decode(await self._flights.join(key, work))

    def _find(self, key: str) -> tuple[T] | None:
        entry = self._entries.get(key)
        if entry is not None and entry[1] <= self._clock():
            del self._entries[key]
            entry = None
        if entry is not None:
            try:
                value = self._decode(entry[0])
            except Exception as error:
                _log.warning(
                    "a cached value can't be decoded: %s", type(error).__name__
                )
                self._observe(CacheEvent.UNDECODABLE)
                del self._entries[key]
            else:
                self._entries.move_to_end(key)
                self._observe(CacheEvent.HIT)
                return (value,)
        self._observe(CacheEvent.MISS)
        return None

    def _decode(self, data: bytes) -> T:
        value: T = self._codec.decode(data)
        return value

    def _put(self, key: str, data: bytes, seconds: float) -> None:
        now = self._clock()
        self._entries[key] = (data, now + seconds)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            _, (_, end) = self._entries.popitem(last=False)
            if end > now:
                self._observe(CacheEvent.EVICTED)
