"""The way through a queue, on a queue of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pamqp.commands import Basic

from shared.messaging._cli_broker import Broker
from shared.messaging._cli_errors import CommandError
from shared.messaging._cli_filter import parse_filter
from shared.messaging._cli_message import Message
from shared.messaging._cli_move import Pace, Stop, Tally, Walk, drop
from shared.testing import FakeClock


class FakeQueue:
    """What `Walk` needs of a broker: messages that go back to their places."""

    def __init__(self, types: str) -> None:
        self.types = list(types)
        self.hands = 0

    async def messages(self, queue: str) -> int:
        """How many wait."""
        return len(self.types)

    @asynccontextmanager
    async def hand(
        self, queue: str, *, at_most: int, there: int
    ) -> AsyncIterator[FakeHand]:
        """Take them in hand."""
        self.hands += 1
        hand = FakeHand(self)
        yield hand
        self.types[:0] = [kind for _, kind in sorted(hand.held.items())]


class FakeHand:
    """Those that were taken."""

    def __init__(self, queue: FakeQueue) -> None:
        self.queue = queue
        self.held: dict[int, str] = {}
        self.tag = 0

    async def take(self) -> Message | None:
        """The next."""
        if not self.queue.types:
            return None
        self.tag += 1
        kind = self.held[self.tag] = self.queue.types.pop(0)
        properties = Basic.Properties(message_type=kind)
        return Message(self.tag, "", "q", properties, {}, b"")

    def done(self, message: Message) -> None:
        """It is gone."""
        del self.held[message.tag]


class Scene:
    """A walk through a queue, in a time of its own."""

    def __init__(
        self,
        types: str,
        conditions: str | None = "type=x",
        *,
        limit: int | None = None,
        interval: float | None = None,
        hold_seconds: float = 300.0,
    ) -> None:
        self.queue = FakeQueue(types)
        self.clock = FakeClock()
        self.stop = ClockedStop(self.clock)
        self.told: list[tuple[int, int]] = []
        self.went: list[float] = []
        pace = None
        if interval is not None:
            pace = Pace(interval, clock=self.clock.monotonic)
        self.walk = Walk(
            cast("Broker", self.queue),
            "q",
            parse_filter(conditions),
            now=self.clock,
            limit=limit,
            pace=pace,
            stop=self.stop,
            tell=lambda tally: self.told.append((tally.seen, tally.done)),
            hold_seconds=hold_seconds,
            clock=self.clock.monotonic,
        )

    def run(self, act: Callable[[Message], Awaitable[bool]] | None = None) -> Tally:
        """Go."""

        async def move(message: Message) -> bool:
            self.went.append(self.clock.monotonic() - 1000.0)
            return True

        return asyncio.run(self.walk.run(act or move))

    @property
    def left(self) -> str:
        """What is in the queue, in its order."""
        return "".join(self.queue.types)


class ClockedStop(Stop):
    """Waits without waiting."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self._clock.advance(max(0.0, seconds))


def test_what_is_meant_goes_and_the_rest_stays_in_its_order() -> None:
    """And it is told how far it is."""
    scene = Scene("axbxc")

    tally = scene.run()

    assert (tally.total, tally.seen, tally.done) == (5, 5, 2)
    assert scene.left == "abc"
    assert scene.told == [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]


def test_what_comes_in_meanwhile_is_left_alone() -> None:
    """Else a message that dies again at once would go round for ever."""
    scene = Scene("axbx")

    async def come_back(_: Message) -> bool:
        scene.queue.types.append("x")
        return True

    tally = scene.run(come_back)

    assert tally.done == 2
    assert scene.left == "abxx"


def test_the_limit() -> None:
    """Of those that are meant, and not of those that are looked at."""
    scene = Scene("axxxb", limit=2)

    assert scene.run().done == 2
    assert scene.left == "axb"


def test_a_look_changes_nothing() -> None:
    """It counts, by what they have in common; a limit is one here too."""
    scene = Scene("axxxb", "type=?", limit=3)

    tally = asyncio.run(scene.walk.look())

    assert (tally.done, dict(tally.kinds)) == (
        0,
        {("a", None, None, None): 1, ("x", None, None, None): 2},
    )
    assert scene.left == "axxxb"


def test_the_pace() -> None:
    """The first at once, and those that stay cost no time."""
    scene = Scene("xaaxax", interval=10.0)

    scene.run()

    assert scene.went == [0.0, 10.0, 20.0]


def test_what_is_in_hand_is_given_back_in_time() -> None:
    """A broker closes the channel of who keeps a message for too long."""
    scene = Scene("axbxcxdx", interval=100.0, hold_seconds=250.0)

    tally = scene.run()

    assert (tally.seen, tally.done) == (8, 4)
    assert scene.left == "abcd"
    assert scene.went == [0.0, 100.0, 200.0, 300.0]
    assert scene.queue.hands == 2


def test_the_slowest_pace_still_gets_there() -> None:
    """Also where one wait is longer than a message may be kept."""
    scene = Scene("axbxcx", interval=3600.0, hold_seconds=300.0)

    assert scene.run().done == 3
    assert scene.left == "abc"


def test_an_end_that_is_asked_for() -> None:
    """After the message that is in hand."""
    scene = Scene("axxxb")

    async def ask(_: Message) -> bool:
        scene.stop.ask()
        return True

    tally = scene.run(ask)

    assert (tally.done, tally.stopped) == (1, True)
    assert scene.left == "axxb"


async def test_a_wait_ends_when_it_is_asked_for() -> None:
    """Nobody waits an hour for the next message to be interrupted."""
    stop = Stop()
    waiting = asyncio.create_task(stop.sleep(3600.0))
    await asyncio.sleep(0)
    stop.ask()

    async with asyncio.timeout(30):
        await waiting


def test_an_error_leaves_what_was_done() -> None:
    """The tally says how much that was."""
    scene = Scene("xxx")

    async def fail(_: Message) -> bool:
        if scene.walk.tally.done == 1:
            raise CommandError("no")
        return True

    with pytest.raises(CommandError, match="no"):
        scene.run(fail)
    assert scene.walk.tally.done == 1


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    types=st.text("abx", max_size=30),
    limit=st.none() | st.integers(1, 10),
    interval=st.none() | st.floats(0.1, 1000),
    hold_seconds=st.floats(0, 1000),
)
def test_any_walk_takes_what_is_meant_and_nothing_else(
    types: str, limit: int | None, interval: float | None, hold_seconds: float
) -> None:
    """However slow it is, and however short messages may be kept."""
    scene = Scene(types, limit=limit, interval=interval, hold_seconds=hold_seconds)
    count = types.count("x")
    most = count if limit is None else min(count, limit)

    tally = scene.run(drop)

    assert tally.done == most
    assert scene.left == types.replace("x", "", most)
