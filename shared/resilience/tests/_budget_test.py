from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.resilience._budget import RetryBudget


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def empty(budget: RetryBudget) -> int:
    """Take all tokens; how many there were."""
    taken = 0
    while budget.withdraw():
        taken += 1
    return taken


def test_starts_full() -> None:
    """A service that has just started may retry."""
    budget = RetryBudget(burst=5, clock=Clock())

    assert (budget.tokens, empty(budget), budget.withdraw()) == (5, 5, False)


def test_calls_fill_it_by_the_ratio() -> None:
    """One retry for ten calls; looking at it is no call."""
    budget = RetryBudget(0.1, per_second=0, burst=5, clock=Clock())
    empty(budget)
    for _ in range(35):
        budget.deposit()
        assert budget.tokens <= 3.51

    assert budget.tokens == pytest.approx(3.5)
    assert empty(budget) == 3


def test_time_fills_it() -> None:
    """A target with few calls has retries too; a clock that goes back takes none."""
    clock = Clock()
    budget = RetryBudget(0, per_second=0.5, burst=5, clock=clock)
    empty(budget)
    clock.now += 4
    assert empty(budget) == 2
    clock.now -= 100

    assert budget.tokens == 0


def test_never_holds_more_than_the_burst() -> None:
    """A quiet week is no reason for a storm."""
    clock = Clock()
    budget = RetryBudget(1, per_second=1, burst=5, clock=clock)
    clock.now += 1e6
    for _ in range(100):
        budget.deposit()

    assert empty(budget) == 5


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["call", "retry"]), max_size=200),
    st.floats(0, 1),
    st.integers(1, 10),
)
def test_retries_are_a_share_of_calls(
    events: list[str], ratio: float, burst: int
) -> None:
    """Whatever happens in whatever order."""
    budget = RetryBudget(ratio, per_second=0, burst=burst, clock=Clock())
    calls = retries = 0
    for event in events:
        if event == "call":
            budget.deposit()
            calls += 1
        else:
            retries += budget.withdraw()

        assert retries <= burst + ratio * calls + 1e-6


def test_threads_lose_no_token_and_make_none() -> None:
    """Calls and retries from many threads add up."""
    budget = RetryBudget(0.25, per_second=0, burst=10_000, clock=Clock())
    empty(budget)

    def work(_: int) -> int:
        for _ in range(1000):
            budget.deposit()
        return sum(budget.withdraw() for _ in range(100))

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(work, range(8)))

    assert taken + empty(budget) == 2000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": -0.1}, "ratio must be a finite number of at least 0"),
        ({"per_second": float("nan")}, "per_second must be a finite number"),
        ({"burst": 0}, "burst must be a whole number of at least 1"),
    ],
)
def test_bad_number_is_refused(settings: dict[str, Any], message: str) -> None:
    """Where it is written."""
    with pytest.raises(ValueError, match=message):
        RetryBudget(**settings)
