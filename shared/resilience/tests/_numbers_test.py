from __future__ import annotations

from typing import Any

import pytest

from shared.resilience._numbers import count, seconds


def test_good_numbers_come_back() -> None:
    """As they are, so that a setting can be checked and kept in one line."""
    assert (seconds("a", 1), seconds("a", 0.5), seconds("a", 0, zero=True)) == (
        1,
        0.5,
        0,
    )
    assert (count("a", 0, least=0), count("a", 7, least=1)) == (0, 7)


@pytest.mark.parametrize(
    "value", [0, -1, float("nan"), float("inf"), True, "12", None, 1j]
)
def test_bad_seconds_are_refused(value: Any) -> None:
    """The error names the setting and the rule."""
    with pytest.raises(
        ValueError, match=r"^delay must be a finite number above 0 \(got .*\)\.$"
    ):
        seconds("delay", value)


def test_zero_may_be_allowed_and_less_is_not() -> None:
    """The message says what is."""
    with pytest.raises(ValueError, match=r"a finite number of at least 0 \(got -1\)"):
        seconds("delay", -1, zero=True)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "12", None])
def test_bad_counts_are_refused(value: Any) -> None:
    """Half a call is none."""
    with pytest.raises(
        ValueError, match=r"^probes must be a whole number of at least 1 \(got .*\)\.$"
    ):
        count("probes", value, least=1)


@pytest.mark.parametrize("check", [seconds, count])
def test_what_is_no_number_is_not_shown(check: Any) -> None:
    """Somebody passed the wrong setting, and it may be a secret."""
    options = {"least": 1} if check is count else {}

    with pytest.raises(ValueError, match=r"\(got str\)\.$"):
        check("delay", "hunter2", **options)
