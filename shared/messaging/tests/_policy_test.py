from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.messaging import FailurePolicy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"immediate_retries": -1}, r"0 to 100 \(got -1\)"),
        ({"immediate_retries": 101}, r"0 to 100 \(got 101\)"),
        ({"timeout": 0}, r"at most 1200 seconds \(got 0\)"),
        ({"timeout": -1.0}, "at most 1200 seconds"),
        ({"timeout": 1200.5}, "at most 1200 seconds"),
        ({"timeout": inf}, r"\(got inf\)"),
        ({"timeout": nan}, r"\(got nan\)"),
        ({"delays": (1.0, 0.0)}, r"0\.001 to 86400 seconds each \(got 0\.0\)"),
        ({"delays": (86401,)}, r"\(got 86401\)"),
        ({"delays": (nan,)}, r"\(got nan\)"),
        ({"delays": (1.0,) * 1001}, r"at most 1000 \(got 1001\)"),
    ],
)
def test_a_number_out_of_range_is_refused(
    options: dict[str, Any], message: str
) -> None:
    """Where it is written, not when the first event fails."""
    with pytest.raises(ValueError, match=message):
        FailurePolicy(**options)


@pytest.mark.parametrize("name", ["never_retry", "hold_on"])
@pytest.mark.parametrize("wrong", [KeyboardInterrupt, "ValueError", ValueError()])
def test_lists_of_errors_hold_classes_of_exceptions(name: str, wrong: Any) -> None:
    """Anything else would never match."""
    options: Any = {name: (wrong,)}
    with pytest.raises(TypeError, match=f"{name} must hold classes of exceptions"):
        FailurePolicy(**options)


def test_who_holds_on_needs_a_delay() -> None:
    """Or it would try again and again without a pause."""
    with pytest.raises(ValueError, match="hold_on needs delays"):
        FailurePolicy(delays=(), hold_on=(OSError,))


@pytest.mark.parametrize("name", ["delays", "never_retry", "hold_on"])
def test_lists_are_tuples(name: str) -> None:
    """A policy can't change, and one delay is not several."""
    wrong: Any = [1.0] if name == "delays" else [ValueError]
    with pytest.raises(TypeError, match=f"{name} must be a tuple"):
        FailurePolicy(**{name: wrong})


def test_a_policy_can_not_change() -> None:
    """Handlers may share one."""
    policy: Any = FailurePolicy()
    with pytest.raises(FrozenInstanceError, match="timeout"):
        policy.timeout = 1


def test_the_longest_hold_counts_tries_and_delays() -> None:
    """Each try of each round, as long as it may take."""
    policy = FailurePolicy(immediate_retries=1, delays=(10.0, 20.0), timeout=5.0)

    assert policy.rounds == 3
    assert policy.longest_hold == 30 + 6 * 5


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    delays=st.lists(st.floats(0.001, 86400), max_size=8).map(tuple),
    most=st.floats(60, 2000),
)
def test_a_shortened_policy_holds_no_longer(
    delays: tuple[float, ...], most: float
) -> None:
    """It loses its last delays, no more than it must."""
    policy = FailurePolicy(immediate_retries=0, delays=delays, timeout=30.0)
    short = policy.shortened(at_most=most)
    kept = len(short.delays)

    assert short.delays == delays[:kept]
    assert short.longest_hold <= most
    longer = FailurePolicy(immediate_retries=0, delays=delays[: kept + 1], timeout=30.0)
    assert longer == short or longer.longest_hold > most
