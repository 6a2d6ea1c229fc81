from __future__ import annotations

import asyncio
import time
from contextvars import copy_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.resilience._deadline import (
    DEADLINE_HEADER,
    Deadline,
    current_deadline,
    deadline_scope,
)
from shared.resilience._errors import DeadlineExceededError


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


def test_time_passes(clock: Clock) -> None:
    """What remains shrinks to 0 and no further; at the moment itself it is too late."""
    deadline = Deadline.after(2, clock=clock)
    seen = []
    for clock.now in (1000.0, 1001.5, 1002.0, 1003.0):
        seen.append((deadline.remaining(), deadline.expired))

    assert seen == [(2.0, False), (0.5, False), (0.0, True), (0.0, True)]


def test_the_usual_clock_never_goes_back() -> None:
    """Nobody who sets the wall clock moves a deadline."""
    deadline = Deadline.after(3600)

    assert 0 < deadline.remaining() <= 3600
    assert Deadline(time.monotonic() - 1, clock=time.monotonic).expired


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_impossible_deadline_is_refused(seconds: float) -> None:
    """No deadline at all is None, not infinity."""
    with pytest.raises(ValueError, match="seconds must be a finite number of at least"):
        Deadline.after(seconds)


def test_check_stops_what_nobody_waits_for(clock: Clock) -> None:
    """Before the last moment it does nothing."""
    deadline = Deadline.after(1, clock=clock)
    deadline.check()
    clock.now += 1

    with pytest.raises(DeadlineExceededError, match="did not finish in time") as raised:
        deadline.check()
    assert raised.value.of_caller


def test_repr_tells_what_remains(clock: Clock) -> None:
    """The moment itself means nothing to a reader."""
    assert repr(Deadline.after(1.5, clock=clock)) == "<Deadline in 1.500 s>"


# ----------------------------------------------------------------------- header


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_header_goes_round(milliseconds: int) -> None:
    """What a service sends, the next one reads; it never has more time than that."""
    clock = Clock()
    clock.now = 0.0
    deadline = Deadline.from_header(str(milliseconds), clock=clock)
    assert deadline is not None

    assert milliseconds - 1 <= int(deadline.to_header()) <= milliseconds


@settings(deadline=None)
@given(st.floats(0, 1e9))
def test_sent_time_is_never_more_than_there_is(seconds: float) -> None:
    """Rounded down: who is called must give up first."""
    deadline = Deadline.after(seconds, clock=Clock())

    assert int(deadline.to_header()) / 1000 <= deadline.remaining()


@settings(deadline=None)
@given(
    st.text() | st.sampled_from(["", "-1", "+1", "1.5", "1e3", "٣", "1_000", "9" * 13])
)
def test_anything_else_is_ignored(value: str) -> None:
    """A bad header gives no error and no deadline: it came from outside."""
    deadline = Deadline.from_header(value, clock=Clock())

    assert (deadline is not None) == (
        value.strip(" \t").isascii()
        and value.strip(" \t").isdigit()
        and len(value.strip(" \t")) <= 12
    )


def test_absent_header_is_no_deadline() -> None:
    """Most callers send none."""
    assert Deadline.from_header(None) is None


def test_caller_gets_no_more_time_than_allowed(clock: Clock) -> None:
    """Else one request could hold a worker for a day."""
    long = Deadline.from_header("999999999999", at_most=30, clock=clock)
    short = Deadline.from_header("250", at_most=30, clock=clock)
    assert long is not None
    assert short is not None

    assert (long.remaining(), short.remaining()) == (30, 0.25)


def test_name_of_the_header() -> None:
    """Other services know it by this name."""
    assert DEADLINE_HEADER == "X-Request-Timeout-Ms"


# ------------------------------------------------------------------------ scope


def test_scope_sets_and_restores(clock: Clock) -> None:
    """Also when what is inside fails."""
    deadline = Deadline.after(1, clock=clock)
    seen = [current_deadline()]

    def fail() -> None:
        with deadline_scope(deadline) as given:
            seen.extend([given, current_deadline()])
            raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        fail()

    assert [*seen, current_deadline()] == [None, deadline, deadline, None]


def test_inner_scope_only_shortens(clock: Clock) -> None:
    """Whoever waits outside has left by the outer deadline."""
    soon, late = Deadline.after(1, clock=clock), Deadline.after(9, clock=clock)

    with deadline_scope(soon), deadline_scope(late) as inner:
        assert inner is current_deadline() is soon
    with deadline_scope(late), deadline_scope(soon) as inner:
        assert inner is current_deadline() is soon


def test_none_lifts_the_deadline(clock: Clock) -> None:
    """Work that outlives the request is not bound by it."""
    outer = Deadline.after(1, clock=clock)
    with deadline_scope(outer):
        with deadline_scope(None) as inner:
            assert inner is current_deadline() is None
        assert current_deadline() is outer


async def test_tasks_inherit_and_do_not_leak(clock: Clock) -> None:
    """Each request has its own; what it starts shares it."""
    seen: dict[str, Deadline | None] = {}

    async def child(name: str) -> None:
        seen[name] = current_deadline()

    async def request(name: str, deadline: Deadline) -> None:
        with deadline_scope(deadline):
            await asyncio.sleep(0)
            await asyncio.create_task(child(name))

    one, two = Deadline.after(1, clock=clock), Deadline.after(2, clock=clock)
    await asyncio.gather(request("one", one), request("two", two))

    assert seen == {"one": one, "two": two}
    assert current_deadline() is None
    assert copy_context().run(current_deadline) is None
