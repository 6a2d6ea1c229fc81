from __future__ import annotations

from typing import Any

import pytest

from shared.http_client._numbers import count, seconds


@pytest.mark.parametrize("value", [0, -1, True, None, "1", float("nan"), float("inf")])
def test_seconds(value: Any) -> None:
    """A time is finite and above 0, or 0 where that makes sense."""
    with pytest.raises(ValueError, match=r"^a must be a finite number above 0"):
        seconds("a", value)
    seconds("a", 0.001)
    seconds("a", 0, zero=True)


@pytest.mark.parametrize("value", [0, 1.0, True, None, "s3cret"])
def test_counts(value: Any) -> None:
    """A count is a whole number; what is none is not shown."""
    with pytest.raises(ValueError, match=r"^a must be a whole number") as raised:
        count("a", value, least=1)
    count("a", 1, least=1)

    assert "s3cret" not in str(raised.value)
