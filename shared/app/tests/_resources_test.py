"""Opened in order, closed in reverse, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.app import Resource, StartError
from shared.app._resources import Factory, Resources
from shared.testing import captured_logs

PLENTY = 3600.0


class Shelf:
    """Factories that write down what happens."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def item(
        self, name: str, *, opens: bool = True, closes: bool = True
    ) -> Factory[str]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[str]:
            if not opens:
                raise ConnectionRefusedError("nobody\nlistens")
            self.events.append(f"open {name}")
            yield name.upper()
            self.events.append(f"close {name}")
            if not closes:
                raise OSError("stuck")

        return opened


def resources(*factories: Factory[str], timeout: float = PLENTY) -> Resources:
    """Resources named by their place."""
    made = Resources()
    for number, factory in enumerate(factories):
        made.add(Resource(f"r{number}", factory, timeout=timeout))
    return made


def budget() -> float:
    """Time enough to close."""
    return PLENTY


async def test_in_order_and_in_reverse() -> None:
    """What comes later may need what came before, to its end."""
    shelf = Shelf()
    held = resources(shelf.item("a"), shelf.item("b"))
    await held.start(budget=budget)
    await held.stop(budget=budget)

    assert shelf.events == ["open a", "open b", "close b", "close a"]


async def test_one_that_does_not_open() -> None:
    """Those before it are closed, those after it are not opened; one line says why."""
    shelf = Shelf()
    held = resources(shelf.item("a"), shelf.item("b", opens=False), shelf.item("c"))

    with pytest.raises(StartError) as caught:
        await held.start(budget=budget)

    assert str(caught.value) == (
        "Resource 'r1' could not be opened: ConnectionRefusedError: nobody listens"
    )
    assert shelf.events == ["open a", "close a"]
    assert not held.open


async def test_one_that_takes_too_long_to_open() -> None:
    """An unreachable server is no reason to hang."""

    @asynccontextmanager
    async def endless() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    with pytest.raises(StartError, match=r"'r0' could not be opened: TimeoutError\.$"):
        await resources(endless, timeout=0.001).start(budget=budget)


async def test_one_that_does_not_close() -> None:
    """It is logged, with its cause, and the others are closed."""
    shelf = Shelf()
    held = resources(shelf.item("a"), shelf.item("b", closes=False))
    await held.start(budget=budget)
    with captured_logs("shared.app") as logs:
        await held.stop(budget=budget)

    assert shelf.events[2:] == ["close b", "close a"]
    assert logs.messages == ["Resource 'r1' did not close: OSError: stuck"]


async def test_one_that_takes_too_long_to_close() -> None:
    """It gets its budget; then it is the next one's turn."""
    shelf = Shelf()

    @asynccontextmanager
    async def endless() -> AsyncIterator[str]:
        yield ""
        await asyncio.Event().wait()

    held = resources(shelf.item("a"), endless)
    await held.start(budget=budget)
    with captured_logs("shared.app") as logs:
        await held.stop(budget=lambda: 0.001)

    assert shelf.events[-1] == "close a"
    assert logs.messages == ["Resource 'r1' did not close: TimeoutError."]


async def test_a_stop_that_is_cancelled() -> None:
    """A second signal cuts one close short, and the others happen."""
    shelf = Shelf()
    closing = asyncio.Event()

    @asynccontextmanager
    async def endless() -> AsyncIterator[str]:
        yield ""
        closing.set()
        await asyncio.Event().wait()

    held = resources(shelf.item("a"), endless)
    await held.start(budget=budget)
    stopping = asyncio.create_task(held.stop(budget=budget))
    await closing.wait()
    stopping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert shelf.events[-1] == "close a"


async def test_the_value_is_there_while_the_service_runs() -> None:
    """Before and after, asking for it is a mistake with a name."""
    resource = Resource("cache", Shelf().item("a"), timeout=PLENTY)
    held = Resources()
    held.add(resource)

    with pytest.raises(RuntimeError, match="'cache' is open while the service runs"):
        _ = resource.value
    await held.start(budget=budget)
    value = resource.value
    await held.stop(budget=budget)

    assert value == "A"
    with pytest.raises(RuntimeError, match="not before and not after"):
        _ = resource.value


async def test_a_name_is_taken_once_and_in_time() -> None:
    """Two would be one in the messages; a late one would never open."""
    held = resources(Shelf().item("a"))

    with pytest.raises(ValueError, match="a resource named 'r0' already"):
        held.add(Resource("r0", Shelf().item("a"), timeout=PLENTY))
    await held.start(budget=budget)
    with pytest.raises(RuntimeError, match="Add resource 'late' before the start"):
        held.add(Resource("late", Shelf().item("a"), timeout=PLENTY))
    await held.stop(budget=budget)


@given(plan=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6))
def test_what_was_opened_is_closed_once(plan: list[tuple[bool, bool]]) -> None:
    """However opening and closing go, each open has its close, in reverse order."""
    shelf = Shelf()
    held = resources(
        *(
            shelf.item(str(number), opens=opens, closes=closes)
            for number, (opens, closes) in enumerate(plan)
        )
    )

    async def run() -> None:
        try:
            await held.start(budget=budget)
        except StartError:
            return
        await held.stop(budget=budget)

    with captured_logs("shared.app"):
        asyncio.run(run())

    opened = [event[5:] for event in shelf.events if event.startswith("open")]
    closed = [event[6:] for event in shelf.events if event.startswith("close")]
    assert closed == opened[::-1]


async def test_one_may_take_longer_to_close_than_all_share() -> None:
    """A bus whose handlers finish; the others have what they had."""
    slow, quick = Shelf(), Shelf()

    def sleeper(shelf: Shelf) -> Factory[None]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[None]:
            yield
            await asyncio.sleep(0.2)
            shelf.events.append("closed")

        return opened

    held = Resources()
    held.add(Resource("quick", sleeper(quick), timeout=PLENTY))
    held.add(Resource("slow", sleeper(slow), timeout=PLENTY, close_timeout=PLENTY))
    await held.start(budget=budget)
    with captured_logs() as logs:
        await held.stop(budget=lambda: 0.01)

    assert held.close_timeout == PLENTY
    assert (slow.events, quick.events) == (["closed"], [])
    assert "'quick' did not close" in str(logs)
