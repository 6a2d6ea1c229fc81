"""What every `Cache` must do. Needs pytest and pytest-asyncio.

::

    class TestMine(CacheContract):
        @pytest.fixture
        def backend(self) -> CacheBackend:
            clock = FakeClock()

            async def elapse(seconds: float) -> None:
                clock.advance(seconds)

            events: list[CacheEvent] = []
            cache = MyCache(clock=clock.monotonic, on_event=events.append)
            return CacheBackend(cache, elapse, events)
"""

# ruff: noqa: S101 - this is a test, whose classes run elsewhere

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import pytest

from shared.cache import Cache, CacheEvent
from shared.resilience import Deadline, current_deadline, deadline_scope

__all__ = ["CacheBackend", "CacheContract", "Filler"]

_who: ContextVar[str] = ContextVar("who")

VALUES: list[Any] = [None, True, 0, 1.5, "é", "", "\ud800", [1, [2]], {"a": {"b": []}}]


@dataclass(frozen=True)
class CacheBackend:
    """A cache under test, with the codec ``JSON``.

    Attributes:
        cache: The one that is asked, empty.
        elapse: Lets seconds pass for what is stored.
        events: What the cache and its twin tell ``on_event``.
        twin: Another object on the same store, as of another process.
    """

    cache: Cache[Any]
    elapse: Callable[[float], Awaitable[None]]
    events: list[CacheEvent]
    twin: Cache[Any] | None = None

    @property
    def other(self) -> Cache[Any]:
        """The twin, or the cache itself."""
        return self.twin or self.cache

    async def missed(self, times: int) -> None:
        """Wait until so many have missed, and so have called the fill or wait for it.

        A cache tells of the miss and begins to wait without letting others run.
        """
        async with asyncio.timeout(60):
            while self.events.count(CacheEvent.MISS) < times:  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.001)


class Filler:
    """A fill that waits until it is told to go on, and counts its calls.

    Attributes:
        calls: How often it was called.
        cancelled: How often it was cancelled.
        begun: Set while somebody has called it.
        go: Set it to let calls return.
        error: Raised instead of returning, if any.
    """

    def __init__(self, value: object = "filled") -> None:
        self.value = value
        self.calls = 0
        self.cancelled = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.error: BaseException | None = None

    async def __call__(self) -> object:
        """Wait, and return the value or raise the error."""
        self.calls += 1
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return self.value


class CacheContract:
    """Subclass it, and override the fixture ``backend``."""

    @pytest.fixture
    def backend(self) -> CacheBackend:
        """Return an empty cache."""
        raise NotImplementedError

    @pytest.fixture
    def filler(self) -> Filler:
        """Return a fill that waits."""
        return Filler()

    @pytest.mark.parametrize("value", VALUES, ids=repr)
    async def test_a_value_comes_back(self, backend: CacheBackend, value: Any) -> None:
        """Whatever the codec can encode, everywhere on the store."""
        await backend.cache.set("a", value, ttl=1000)

        assert await backend.cache.get("a") == value
        assert await backend.other.get("a") == value

    async def test_a_miss(self, backend: CacheBackend) -> None:
        """None, and nothing is made up."""
        assert await backend.cache.get("a") is None

    async def test_a_value_ends_with_its_ttl(self, backend: CacheBackend) -> None:
        """It is there until then, and not after."""
        await backend.cache.set("a", 1, ttl=1000)
        await backend.elapse(900)
        assert await backend.cache.get("a") == 1
        await backend.elapse(100)
        assert await backend.cache.get("a") is None

    async def test_the_last_set_counts(self, backend: CacheBackend) -> None:
        """Its value, and its ttl."""
        await backend.cache.set("a", 1, ttl=1000)
        await backend.other.set("a", 2, ttl=9000)
        await backend.elapse(5000)

        assert await backend.cache.get("a") == 2

    async def test_delete(self, backend: CacheBackend) -> None:
        """The value is gone, and deleting nothing is fine."""
        await backend.cache.set("a", 1, ttl=1000)
        await backend.cache.set("b", 2, ttl=1000)
        await backend.other.delete("a")
        await backend.other.delete("a")

        assert await backend.cache.get("a") is None
        assert await backend.cache.get("b") == 2

    async def test_what_comes_out_is_a_new_one(self, backend: CacheBackend) -> None:
        """Whoever changes it changes nobody else's, filled or found."""

        async def fill() -> object:
            return made

        made: list[int] = [1]
        first = await backend.cache.get_or_fill("a", fill, ttl=1000)
        first.append(2)
        made.append(3)
        second = await backend.cache.get("a")

        assert (first, second) == ([1, 2], [1])

    async def test_keys_are_any_text(self, backend: CacheBackend) -> None:
        """They do not meet, however odd or long they are."""
        keys = ["a", "a}", "{a}", "a:lease", "a b", "é", "\ud800", "#1", "x" * 5000]
        for number, key in enumerate(keys):
            await backend.cache.set(key, number, ttl=1000)

        assert [await backend.cache.get(key) for key in keys] == [*range(len(keys))]

    async def test_a_filled_value_is_kept(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """For its ttl, with one call."""
        filler.go.set()
        first = await backend.cache.get_or_fill("a", filler, ttl=1000)
        await backend.elapse(900)
        second = await backend.other.get_or_fill("a", filler, ttl=1000)

        assert (first, second, filler.calls) == ("filled", "filled", 1)
        await backend.elapse(100)
        await backend.cache.get_or_fill("a", filler, ttl=1000)
        assert filler.calls == 2

    async def test_a_filled_none_is_kept(self, backend: CacheBackend) -> None:
        """That there is nothing may be worth knowing, too."""
        filler = Filler(None)
        filler.go.set()
        for _ in range(2):
            assert await backend.cache.get_or_fill("a", filler, ttl=1000) is None

        assert filler.calls == 1

    async def test_a_hundred_tasks_fill_once(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """One fills, the others wait, in two processes."""
        caches = [backend.cache, backend.other] * 50
        tasks = [
            asyncio.create_task(cache.get_or_fill("a", filler, ttl=1000))
            for cache in caches
        ]
        await filler.begun.wait()
        await backend.missed(100)
        filler.go.set()

        assert await asyncio.gather(*tasks) == ["filled"] * 100
        assert filler.calls == 1

    async def test_other_keys_do_not_wait(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """A slow fill stands in nobody else's way."""
        slow = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await filler.begun.wait()
        quick = Filler("quick")
        quick.go.set()

        assert await backend.cache.get_or_fill("b", quick, ttl=1000) == "quick"
        filler.go.set()
        assert await slow == "filled"

    async def test_a_failure_is_not_kept(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """Those who waited get it, once called; the next to ask fills again."""
        filler.error = LookupError("upstream")
        tasks = [
            asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
            for _ in range(10)
        ]
        await filler.begun.wait()
        await backend.missed(10)
        filler.go.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)

        assert {str(error) for error in errors} == {"upstream"}
        assert filler.calls == 1
        filler.error = None
        assert await backend.other.get_or_fill("a", filler, ttl=1000) == "filled"

    async def test_whoever_began_may_leave(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """The others get what was begun."""
        first = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await filler.begun.wait()
        second = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await backend.missed(2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        filler.go.set()

        assert await second == "filled"
        assert (filler.calls, filler.cancelled) == (1, 0)

    async def test_when_all_have_left_it_ends(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """Nobody wants it any more; and whoever comes next starts anew."""
        tasks = [
            asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
            for _ in range(3)
        ]
        await filler.begun.wait()
        await backend.missed(3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        filler.go.set()

        assert await backend.other.get_or_fill("a", filler, ttl=1000) == "filled"
        assert (filler.calls, filler.cancelled) == (2, 1)

    async def test_a_fill_that_cancels_itself(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """Whoever called it is told; those who waited have not been cancelled."""
        filler.error = asyncio.CancelledError()
        first = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await filler.begun.wait()
        good = Filler("good")
        good.go.set()
        second = asyncio.create_task(backend.cache.get_or_fill("a", good, ttl=1000))
        await backend.missed(2)
        filler.go.set()

        assert await second == "good"
        with pytest.raises(asyncio.CancelledError):
            await first

    async def test_a_fill_has_no_deadline_of_whoever_began(
        self, backend: CacheBackend
    ) -> None:
        """Others may have more time; all else of the context is there."""
        seen: list[object] = []

        async def fill() -> str:
            seen.extend((current_deadline(), _who.get()))
            return "filled"

        _who.set("the first")
        with deadline_scope(Deadline.after(0)) as deadline:
            assert await backend.cache.get_or_fill("a", fill, ttl=1000) == "filled"
            assert current_deadline() is deadline

        assert seen == [None, "the first"]

    async def test_a_fill_that_asks_for_its_own_key(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """An error, and no wait for ever, also by way of another key or a task."""

        async def by_itself() -> object:
            return await backend.cache.get_or_fill("a", by_itself, ttl=1000)

        async def by_a_task() -> object:
            return await asyncio.create_task(by_another())

        async def by_another() -> object:
            return await backend.cache.get_or_fill("b", by_a_task_of_b, ttl=1000)

        async def by_a_task_of_b() -> object:
            return await backend.cache.get_or_fill("a", by_a_task, ttl=1000)

        async with asyncio.timeout(60):
            for fill in (by_itself, by_a_task):
                with pytest.raises(RuntimeError, match="the key that it fills"):
                    await backend.cache.get_or_fill("a", fill, ttl=1000)
        filler.go.set()
        assert await backend.cache.get_or_fill("a", filler, ttl=1000) == "filled"

    async def test_a_fill_may_ask_for_other_keys(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """And for its own, once what it fills has been deleted."""
        filler.go.set()

        async def fill() -> object:
            other = await backend.cache.get_or_fill("b", filler, ttl=1000)
            await backend.cache.delete("a")
            return [other, await backend.cache.get_or_fill("a", filler, ttl=1000)]

        found = await backend.cache.get_or_fill("a", fill, ttl=1000)
        assert found == ["filled", "filled"]

    @pytest.mark.parametrize("there", [True, False])
    async def test_a_delete_is_not_undone_by_a_fill(
        self, backend: CacheBackend, filler: Filler, there: bool
    ) -> None:
        """What was read before it may be old; it is returned, and not kept."""
        task = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await filler.begun.wait()
        await {True: backend.cache, False: backend.other}[there].delete("a")
        filler.go.set()

        assert await task == "filled"
        assert await backend.cache.get("a") is None

    @pytest.mark.parametrize("there", [True, False])
    async def test_a_set_is_not_undone_by_a_fill(
        self, backend: CacheBackend, filler: Filler, there: bool
    ) -> None:
        """What was set meanwhile is newer."""
        task = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await filler.begun.wait()
        await {True: backend.cache, False: backend.other}[there].set("a", 2, ttl=1000)
        filler.go.set()

        assert await task == "filled"
        assert await backend.other.get("a") == 2

    async def test_after_a_delete_the_next_fills_anew(
        self, backend: CacheBackend, filler: Filler
    ) -> None:
        """It does not join a fill that began before."""
        old = asyncio.create_task(backend.cache.get_or_fill("a", filler, ttl=1000))
        await filler.begun.wait()
        await backend.cache.delete("a")
        new = Filler("new")
        new.go.set()

        assert await backend.cache.get_or_fill("a", new, ttl=1000) == "new"
        filler.go.set()
        assert await old == "filled"
        assert await backend.cache.get("a") == "new"

    @pytest.mark.parametrize("ttl", [0, -1, inf, nan, True, "1", 10**12])
    async def test_bad_times(self, backend: CacheBackend, ttl: Any) -> None:
        """Refused before the fill is called."""
        filler = Filler()

        with pytest.raises(ValueError, match="A ttl must be seconds above 0 and up to"):
            await backend.cache.set("a", 1, ttl=ttl)
        with pytest.raises(ValueError, match="A ttl must be seconds above 0 and up to"):
            await backend.cache.get_or_fill("a", filler, ttl=ttl)
        assert filler.calls == 0

    @pytest.mark.parametrize("key", ["", None, b"a"])
    async def test_bad_keys(self, backend: CacheBackend, key: Any) -> None:
        """One clear error, whatever is asked."""
        message = "The key of a cache must be text that is not empty"
        cache = backend.cache

        with pytest.raises(ValueError, match=message):
            await cache.get(key)
        with pytest.raises(ValueError, match=message):
            await cache.set(key, 1, ttl=1)
        with pytest.raises(ValueError, match=message):
            await cache.delete(key)
        with pytest.raises(ValueError, match=message):
            await cache.get_or_fill(key, Filler(), ttl=1)

    @pytest.mark.parametrize("value", [object(), nan, {"password": b"hidden"}])
    async def test_a_value_that_can_t_be_encoded(
        self, backend: CacheBackend, value: Any
    ) -> None:
        """The caller is told, without the value, and the old one stays."""
        await backend.cache.set("a", 1, ttl=1000)
        filler = Filler(value)
        filler.go.set()

        kind = type(value).__name__
        with pytest.raises(
            ValueError, match=f"^The cache's codec can't encode a {kind}"
        ):
            await backend.cache.set("a", value, ttl=1000)
        with pytest.raises(
            ValueError, match=f"^The cache's codec can't encode a {kind}"
        ):
            await backend.cache.get_or_fill("b", filler, ttl=1000)
        assert await backend.cache.get("a") == 1
