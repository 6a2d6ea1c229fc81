from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.testing import FakeClock

STEPS = st.floats(min_value=0, max_value=1e6, allow_nan=False)


def test_time_stands_still() -> None:
    """Two readings with nothing between are the same."""
    clock = FakeClock()

    assert (clock.now(), clock.monotonic()) == (clock.now(), clock.monotonic())


@given(steps=st.lists(STEPS, max_size=5))
def test_all_faces_move_together(steps: list[float]) -> None:
    """Time of day, monotonic time and the seconds since 1970 advance alike."""
    clock = FakeClock()
    start, monotonic, seconds = clock.now(), clock.monotonic(), clock.time()

    for step in steps:
        clock.advance(step)

    passed = (clock.now() - start).total_seconds()
    assert passed == pytest.approx(sum(steps), abs=1e-5)
    assert clock.monotonic() - monotonic == pytest.approx(passed, abs=1e-5)
    assert clock.time() - seconds == pytest.approx(passed, abs=1e-5)


def test_now_is_aware_and_in_utc() -> None:
    """A start in another zone is the same moment."""
    start = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert FakeClock(start).now() == start
    assert FakeClock(start).now().tzinfo is UTC


def test_is_itself_a_now() -> None:
    """``now=clock`` works where a callable is asked for."""
    clock = FakeClock()

    assert clock() == clock.now()


def test_advance_takes_a_timedelta_and_returns_the_time() -> None:
    """Seconds or a ``timedelta``, whatever reads better."""
    clock = FakeClock()
    start = clock.now()

    assert clock.advance(timedelta(hours=1)) == start + timedelta(hours=1)


def test_a_zoneless_start_is_refused() -> None:
    """It could mean any of 24 moments."""
    with pytest.raises(ValueError, match="start must be an aware datetime"):
        FakeClock(datetime(2026, 1, 1))  # noqa: DTZ001  # what is refused


def test_a_step_back_is_refused() -> None:
    """Monotonic time never runs backwards, and a test that tries is wrong."""
    with pytest.raises(ValueError, match=r"by a negative time \(got -1\)"):
        FakeClock().advance(-1)


@pytest.mark.parametrize("by", [60, timedelta(minutes=1)])
def test_the_time_of_day_can_be_set_back(by: float | timedelta) -> None:
    """As NTP does, which monotonic time does not notice."""
    clock = FakeClock()
    start, monotonic = clock.now(), clock.monotonic()

    assert clock.turn_back(by) == start - timedelta(minutes=1)
    assert clock.monotonic() == monotonic


def test_sleep_passes_the_time_at_once() -> None:
    """What was asked for is recorded; a negative sleep passes none."""
    clock = FakeClock()
    start = clock.monotonic()

    clock.sleep(2)
    clock.sleep(-1)

    assert clock.slept == [2, -1]
    assert clock.monotonic() - start == 2


async def test_async_sleep_lets_others_run() -> None:
    """A loop that only sleeps does not starve the other tasks."""
    clock = FakeClock()
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    task = asyncio.create_task(other())
    await clock.async_sleep(5)

    assert (ran, clock.slept) == (["other"], [5])
    await task


def test_repr_shows_the_time() -> None:
    """What a failed assertion prints."""
    assert repr(FakeClock()) == "<FakeClock 2026-01-01T12:00:00+00:00>"
