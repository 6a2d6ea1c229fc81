"""When it is tried again: for any failures, and any wishes of a target."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api_platform.delivery import SCHEDULE, Choice, RetryPolicy
from services.api_platform.toggles import CanarySettings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CHANCES = st.floats(0, 1)
NUMBERS = st.integers(1, len(SCHEDULE))
DAY = timedelta(hours=24)


def pause(chance: float, number: int, retry_after: float | None = None) -> timedelta:
    """The time to the next attempt."""
    policy = RetryPolicy(rng=lambda: chance)
    following = policy.next_attempt(number, now=NOW, retry_after=retry_after)
    assert following is not None
    return following - NOW


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """Ten attempts in some 75 hours."""
    assert RetryPolicy().attempts == 10
    assert sum(SCHEDULE, timedelta()) // timedelta(hours=1) == 75
    assert [*SCHEDULE] == sorted(SCHEDULE)


@given(chance=CHANCES, number=NUMBERS)
def test_a_pause_is_within_a_tenth_of_the_schedule(chance: float, number: int) -> None:
    """In either direction."""
    planned = SCHEDULE[number - 1]

    assert abs(pause(chance, number) - planned) <= 0.1 * planned + timedelta.resolution


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_chance_moves_all_of_it(chance: float, share: float) -> None:
    """From the earliest moment to the latest."""
    assert pause(chance, 3) == share * SCHEDULE[2]


@given(
    chance=CHANCES,
    number=NUMBERS,
    asked=st.floats(min_value=0, allow_nan=False, allow_infinity=True),
)
def test_a_target_can_ask_for_more_time_and_not_for_less(
    chance: float, number: int, asked: float
) -> None:
    """Up to a day; whatever it says, it is a moment that can be written."""
    given_one = pause(chance, number, asked)

    assert given_one >= pause(chance, number)
    assert given_one >= min(timedelta(seconds=min(asked, 86_400.0)), DAY)
    assert given_one <= 1.1 * DAY + timedelta.resolution


@given(number=st.integers(min_value=10))
def test_the_tenth_attempt_is_the_last(number: int) -> None:
    """Whatever a target asks for."""
    assert RetryPolicy().next_attempt(number, now=NOW, retry_after=1.0) is None


@given(endpoints=st.lists(st.uuids(), max_size=50), shares=st.tuples(CHANCES, CHANCES))
def test_who_is_in_a_share_stays_in_a_larger_one(
    endpoints: list[UUID], shares: tuple[float, float]
) -> None:
    """An endpoint has one kind of settings, and not now these and then those."""
    small, large = (
        Choice(CanarySettings(share=share)) for share in (min(shares), max(shares))
    )

    for endpoint in endpoints:
        assert small.of(endpoint) == small.of(endpoint)
        names = {small.of(endpoint).name, large.of(endpoint).name}
        assert names != {"canary", "stable"} or large.of(endpoint).name == "canary"


def test_nobody_stands_behind_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the highest hash that there is, too little is kept for it to become 1."""
    highest = SimpleNamespace(digest=lambda: b"\xff" * 32)
    monkeypatch.setattr(hashlib, "sha256", lambda _: highest)

    assert Choice(CanarySettings(share=1.0)).of(uuid4()).name == "canary"


def test_a_share_is_about_that_much() -> None:
    """And none and all are just that."""
    endpoints = [uuid4() for _ in range(2000)]

    def share(of: float) -> float:
        choice = Choice(CanarySettings(share=of))
        chosen = [each for each in endpoints if choice.of(each).name == "canary"]
        return len(chosen) / len(endpoints)

    assert (share(0.0), share(1.0)) == (0.0, 1.0)
    assert share(0.2) == pytest.approx(0.2, abs=0.05)
