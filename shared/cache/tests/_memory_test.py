from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cache import BYTES, CacheEvent, Codec, InMemoryCache
from shared.testing import FakeClock
from shared.testing.cache_contract import CacheBackend, CacheContract, Filler


class TestInMemoryCache(CacheContract):
    @pytest.fixture
    def backend(self, events: list[CacheEvent]) -> CacheBackend:
        """An empty cache in fake time."""
        clock = FakeClock()
        cache = InMemoryCache(clock=clock.monotonic, on_event=events.append)

        async def elapse(seconds: float) -> None:
            clock.advance(seconds)

        return CacheBackend(cache, elapse, events)


@pytest.fixture
def events() -> list[CacheEvent]:
    return []


async def test_when_it_is_full_the_least_recently_used_goes(
    events: list[CacheEvent],
) -> None:
    """Reading is using, and it is counted."""
    cache = InMemoryCache(max_entries=2, on_event=events.append)
    await cache.set("a", 1, ttl=60)
    await cache.set("b", 2, ttl=60)
    await cache.get("a")
    await cache.set("c", 3, ttl=60)

    assert [await cache.get(key) for key in "abc"] == [1, None, 3]
    assert events == [
        CacheEvent.HIT,
        CacheEvent.EVICTED,
        CacheEvent.HIT,
        CacheEvent.MISS,
        CacheEvent.HIT,
    ]


async def test_what_is_over_goes_without_a_word(events: list[CacheEvent]) -> None:
    """An eviction is one only if something was lost."""
    clock = FakeClock()
    cache = InMemoryCache(max_entries=1, clock=clock.monotonic, on_event=events.append)
    await cache.set("a", 1, ttl=60)
    clock.advance(60)
    await cache.set("b", 2, ttl=60)

    assert (len(cache), events) == (1, [])


async def test_what_is_counted(events: list[CacheEvent]) -> None:
    """A hit, a miss, a fill and one that failed."""
    cache = InMemoryCache(on_event=events.append)
    filler = Filler()
    filler.go.set()
    filler.error = LookupError("upstream")
    with pytest.raises(LookupError, match="upstream"):
        await cache.get_or_fill("a", filler, ttl=60)
    filler.error = None
    await cache.get_or_fill("a", filler, ttl=60)
    await cache.get_or_fill("a", filler, ttl=60)

    assert events == ["miss", "fill_failed", "miss", "filled", "hit"]


async def test_a_metric_that_fails_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged."""

    def broken(event: CacheEvent) -> None:
        raise LookupError("no such metric")

    cache = InMemoryCache(on_event=broken)
    with caplog.at_level(logging.ERROR, "shared.cache"):
        value = await cache.get("a")

    assert value is None
    assert [record.getMessage() for record in caplog.records] == ["on_event failed"]


async def test_a_value_that_can_t_be_decoded_is_a_miss(
    events: list[CacheEvent], caplog: pytest.LogCaptureFixture
) -> None:
    """The type has changed, say: it is filled again, logged without the value."""

    def decode(data: bytes) -> str:
        if data == b"old":
            raise ValueError("secret")
        return data.decode()

    cache = InMemoryCache(codec=Codec(str.encode, decode), on_event=events.append)
    await cache.set("a", "old", ttl=60)
    filler = Filler("new")
    filler.go.set()
    with caplog.at_level(logging.WARNING, "shared.cache"):
        value = await cache.get_or_fill("a", filler, ttl=60)  # type: ignore[arg-type]

    assert (value, await cache.get("a")) == ("new", "new")
    assert events[:3] == ["undecodable", "miss", "filled"]
    assert [record.getMessage() for record in caplog.records] == [
        "a cached value can't be decoded: ValueError"
    ]


async def test_bytes_as_they_are() -> None:
    """For those who encode themselves."""
    cache = InMemoryCache(codec=BYTES)
    for value in (b"", b"\x00\xff"):
        await cache.set("a", value, ttl=60)

        assert await cache.get("a") == value


async def test_a_codec_that_makes_no_bytes() -> None:
    """Found at the first set, with both types named."""
    codec: Codec[Any] = Codec(lambda value: value, lambda data: data)
    cache = InMemoryCache(codec=codec)

    with pytest.raises(ValueError, match="made a str of a str; it must make bytes"):
        await cache.set("a", "text", ttl=60)


@given(jitter=st.floats(0, 0.99), random=st.floats(0, 1), ttl=st.floats(1e-3, 1e6))
async def test_jitter_only_shortens(jitter: float, random: float, ttl: float) -> None:
    """By at most its fraction, so a value is never older than its ttl."""
    clock = FakeClock()
    cache = InMemoryCache(jitter=jitter, random=lambda: random, clock=clock.monotonic)
    await cache.set("a", 1, ttl=ttl)
    clock.advance(ttl * (1 - jitter) * 0.99)
    assert await cache.get("a") == 1
    clock.advance(ttl * jitter + ttl * 0.02)
    assert await cache.get("a") is None


MAKERS: list[tuple[Callable[[], object], str]] = [
    (lambda: InMemoryCache(max_entries=0), r"max_entries must be at least 1 \(got 0\)"),
    (lambda: InMemoryCache(jitter=1), r"jitter must be from 0 to below 1 \(got 1\)"),
    (lambda: InMemoryCache(jitter=-0.1), "jitter must be from 0 to below 1"),
]


@pytest.mark.parametrize(("make", "message"), MAKERS)
def test_bad_settings(make: Callable[[], object], message: str) -> None:
    """One clear error where the cache is made."""
    with pytest.raises(ValueError, match=message):
        make()


_OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "get", "delete", "fill", "wait"]),
        st.sampled_from("abcd"),
        st.integers(1, 20),
    ),
    max_size=40,
)


@given(_OPERATIONS)
async def test_it_agrees_with_a_dictionary(todo: list[tuple[str, str, int]]) -> None:
    """With room for all keys it is a dictionary whose entries end."""
    clock = FakeClock()
    cache = InMemoryCache(max_entries=4, clock=clock.monotonic)
    model: dict[str, tuple[int, float]] = {}

    for what, key, number in todo:
        now = clock.monotonic()
        model = {name: entry for name, entry in model.items() if entry[1] > now}
        if what == "set":
            await cache.set(key, number, ttl=number)
            model[key] = (number, now + number)
        elif what == "delete":
            await cache.delete(key)
            model.pop(key, None)
        elif what == "wait":
            clock.advance(number)
        elif what == "fill":
            filler = Filler(number)
            filler.go.set()
            model.setdefault(key, (number, now + number))
            assert await cache.get_or_fill(key, filler, ttl=number) == model[key][0]
        else:
            assert await cache.get(key) == model.get(key, (None,))[0]
