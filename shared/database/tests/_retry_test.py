from __future__ import annotations

import pytest

from shared.database._errors import TransactionConflictException
from shared.database._retry import collisions_retried
from shared.errors import ConflictException
from shared.resilience import Deadline, deadline_scope


class Work:
    """Fails so many times, then returns how often it was tried."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or TransactionConflictException()
        self.tries = 0

    def __call__(self) -> int:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error
        return self.tries

    async def later(self) -> int:
        return self()


class Sleeps(list[float]):
    async def later(self, seconds: float) -> None:
        self.append(seconds)


async def test_collisions_are_repeated() -> None:
    """Until one try succeeds, with a pause before each repetition."""
    work, twin, pauses = Work(2), Work(2), Sleeps()
    retrying = collisions_retried(3, sleep=pauses.append, sleep_async=pauses.later)
    assert await retrying.call_async(work.later) == 3
    assert retrying.call(twin) == 3

    assert len(pauses) == 4
    assert all(0 <= pause <= 0.04 for pause in pauses)


async def test_the_last_error_is_raised() -> None:
    """After as many tries as were allowed."""
    work, twin, pauses = Work(9), Work(9), Sleeps()
    retrying = collisions_retried(4, sleep=pauses.append, sleep_async=pauses.later)
    with pytest.raises(TransactionConflictException, match="collided"):
        await retrying.call_async(work.later)
    with pytest.raises(TransactionConflictException, match="collided"):
        retrying.call(twin)

    assert (work.tries, twin.tries) == (4, 4)


async def test_other_errors_are_not_repeated() -> None:
    """A duplicate stays one."""
    work, twin = Work(9, ConflictException()), Work(9, ConflictException())
    with pytest.raises(ConflictException, match="existing"):
        await collisions_retried(3).call_async(work.later)
    with pytest.raises(ConflictException, match="existing"):
        collisions_retried(3).call(twin)

    assert (work.tries, twin.tries) == (1, 1)


def test_pauses_are_bounded() -> None:
    """However often it collides."""
    pauses = Sleeps()
    assert collisions_retried(31, sleep=pauses.append).call(Work(30)) == 31

    assert max(pauses) <= 1


def test_a_request_out_of_time_is_not_repeated() -> None:
    """Nobody would see the result."""
    work = Work(1)
    with (
        deadline_scope(Deadline.after(0.0)),
        pytest.raises(TransactionConflictException, match="collided"),
    ):
        collisions_retried(3).call(work)

    assert work.tries == 1


def test_the_clock_of_the_system_is_the_default() -> None:
    """Without another one."""
    assert collisions_retried(2).call(Work(1)) == 2


def test_no_try_is_a_mistake() -> None:
    """At least one."""
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        collisions_retried(0)
