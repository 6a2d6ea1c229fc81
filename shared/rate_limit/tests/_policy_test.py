from __future__ import annotations

from typing import Any

import pytest

from shared.rate_limit import RateLimitPolicy


@pytest.mark.parametrize("name", ["burst", "per-user.daily_2", "7", "x" * 64])
def test_good_names(name: str) -> None:
    """What fits in a header, a Redis key and a label of a metric."""
    assert RateLimitPolicy(name, limit=1, window=1).name == name


@pytest.mark.parametrize("name", ["", "-a", "a b", 'a"', "é", "a\n", "x" * 65, None])
def test_bad_names(name: Any) -> None:
    """Anything else would have to be escaped somewhere."""
    with pytest.raises(ValueError, match="must be 1 to 64 of A-Z a-z 0-9"):
        RateLimitPolicy(name, limit=1, window=1)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "5", 10**15])
def test_bad_limits(limit: Any) -> None:
    """Units are whole, and at least one fits."""
    with pytest.raises(ValueError, match="The limit of policy 'a' must be a whole"):
        RateLimitPolicy("a", limit=limit, window=1)


@pytest.mark.parametrize("window", [0, -1, 0.5, True, None, 366 * 86_400 + 1])
def test_bad_windows(window: Any) -> None:
    """The wire format knows whole seconds only."""
    with pytest.raises(ValueError, match="The window of policy 'a' must be whole sec"):
        RateLimitPolicy("a", limit=1, window=window)
