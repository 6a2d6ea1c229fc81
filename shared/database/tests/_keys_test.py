from __future__ import annotations

from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from shared.database._keys import new_key

MOMENTS = st.integers(min_value=0, max_value=2**48 - 1)


@given(now_ms=MOMENTS)
def test_the_layout_is_that_of_version_7(now_ms: int) -> None:
    """RFC 9562, section 5.7: time, version, variant."""
    key = new_key(now_ms=now_ms)

    assert (key.version, key.variant) == (7, RFC_4122)
    assert key.int >> 80 == now_ms


@given(earlier=MOMENTS, later=MOMENTS)
def test_keys_sort_by_time(earlier: int, later: int) -> None:
    """As numbers, as text and as bytes, if they are not of the same millisecond."""
    earlier, later = sorted((earlier, later))
    one, other = new_key(now_ms=earlier), new_key(now_ms=later)

    assert earlier == later or (one < other and str(one) < str(other))


def test_keys_of_one_millisecond_differ() -> None:
    """There are 74 random bits, and all of them are used."""
    keys = {new_key(now_ms=0).int for _ in range(1000)}
    ones = zeros = 0
    for key in keys:
        ones |= key
        zeros |= ~key

    assert len(keys) == 1000
    assert (ones & zeros & (2**128 - 1)).bit_count() == 74


def test_the_clock_is_the_default() -> None:
    """Two in a row do not go back."""
    assert new_key().int >> 80 <= new_key().int >> 80
