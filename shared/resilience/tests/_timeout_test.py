from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.resilience._deadline import Deadline, current_deadline, deadline_scope
from shared.resilience._errors import DeadlineExceededError
from shared.resilience._timeout import timeout


async def for_ever() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def bounded(seconds: float | None) -> None:
    """Wait for it no longer than that."""
    async with timeout(seconds):
        await for_ever()


async def test_ends_what_takes_too_long() -> None:
    """The error is a 504 of ours and a ``TimeoutError`` of Python."""
    with pytest.raises(DeadlineExceededError, match="did not finish in time") as raised:
        await bounded(0.001)

    assert isinstance(raised.value.__cause__, TimeoutError)
    assert current_deadline() is None


async def test_result_in_time_is_a_result() -> None:
    """Nothing else happens."""
    async with timeout(60) as deadline:
        assert current_deadline() is deadline
        await asyncio.sleep(0)

    assert current_deadline() is None


async def test_sooner_deadline_holds() -> None:
    """A long time-out gives nobody more time than the request has."""
    for seconds in (60, None):
        with (
            deadline_scope(Deadline.after(0.001)),
            pytest.raises(DeadlineExceededError, match="did not finish in time"),
        ):
            await bounded(seconds)

    assert current_deadline() is None


async def test_inside_the_sooner_one_is_current() -> None:
    """Calls to other services pass it on."""
    outer = Deadline.after(60)
    with deadline_scope(outer):
        async with timeout(5) as inner:
            assert inner is current_deadline()
            assert inner is not outer
        async with timeout(600) as same:
            assert same is current_deadline() is outer
        assert current_deadline() is outer


async def test_without_any_bound_there_is_none() -> None:
    """None is "the deadline, if there is one"."""
    async with timeout(None) as deadline:
        await asyncio.sleep(0)

    assert deadline is None


async def test_nothing_starts_after_the_deadline() -> None:
    """Nobody waits for it."""
    started: list[int] = []

    async def work() -> None:
        async with timeout(1):
            started.append(1)

    with (
        deadline_scope(Deadline.after(0)) as deadline,
        pytest.raises(DeadlineExceededError, match="did not finish in time"),
    ):
        await work()

    assert started == []
    assert deadline is not None
    assert current_deadline() is None


async def test_time_out_of_something_inside_passes() -> None:
    """It is an error of that, and this time was not up."""

    async def work() -> None:
        async with timeout(60):
            raise TimeoutError("of a socket")

    with pytest.raises(TimeoutError, match="of a socket") as raised:
        await work()

    assert type(raised.value) is TimeoutError


async def test_cancellation_stays_one() -> None:
    """Whoever cancels the task is not told of a time-out."""
    task = asyncio.create_task(bounded(60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert task.cancelled()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1"])
def test_bad_number_is_refused(seconds: Any) -> None:
    """Before anything runs."""
    with pytest.raises(ValueError, match="seconds must be a finite number above 0"):
        timeout(seconds)


# ------------------------------------------------------------ whose time it was


async def ends_late(seconds: float | None) -> DeadlineExceededError:
    """What comes of waiting for ever, no longer than that."""
    with pytest.raises(DeadlineExceededError, match="did not finish in time") as raised:
        await bounded(seconds)
    return raised.value


@pytest.mark.parametrize("left", [0, 0.001])
@pytest.mark.parametrize("seconds", [60, None])
async def test_sooner_deadline_is_the_caller_s(
    left: float, seconds: float | None
) -> None:
    """Past or to come, it says nothing about what was waited for."""
    with deadline_scope(Deadline.after(left)):
        error = await ends_late(seconds)

    assert error.of_caller


async def test_own_time_is_not_the_caller_s() -> None:
    """Whatever the caller has left beyond it."""
    assert not (await ends_late(0.001)).of_caller
    with deadline_scope(Deadline.after(60)):
        assert not (await ends_late(0.001)).of_caller


async def test_what_is_inside_meets_the_time_out_that_set_the_deadline() -> None:
    """A check, an inner time-out: for whoever is outside it was this one's time."""
    with pytest.raises(DeadlineExceededError, match="did not finish in time") as raised:
        async with timeout(60):
            raise DeadlineExceededError(of_caller=True)
    assert not raised.value.of_caller

    group = ExceptionGroup("of tasks", [raised.value, OSError()])
    raised.value.of_caller = True
    with pytest.raises(ExceptionGroup, match="of tasks"):
        async with timeout(60):
            raise group
    assert not raised.value.of_caller


async def test_what_is_inside_meets_the_caller_s_deadline() -> None:
    """A time-out that is longer than the caller waits does not make it its own."""
    with (
        deadline_scope(Deadline.after(50)),
        pytest.raises(DeadlineExceededError, match="did not finish in time") as raised,
    ):
        async with timeout(60):
            raise DeadlineExceededError(of_caller=True)

    assert raised.value.of_caller
