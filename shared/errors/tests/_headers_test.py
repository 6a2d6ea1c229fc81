from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors._headers import merge_headers


@given(value=st.text(st.characters()))
@settings(max_examples=100, deadline=None)
def test_any_value_is_one_that_http_allows(value: str) -> None:
    """RFC 9110, section 5.5: visible ASCII and spaces, not at the ends."""
    sent = merge_headers({}, {"X-A": value})["X-A"]

    assert sent == sent.strip()
    assert all(" " <= char <= "~" for char in sent)


def test_later_header_wins_whatever_its_case() -> None:
    """One name has one value."""
    merged = merge_headers({"Retry-After": "1", "X-A": "a"}, {"retry-AFTER": "2"})

    assert merged == {"X-A": "a", "retry-AFTER": "2"}
