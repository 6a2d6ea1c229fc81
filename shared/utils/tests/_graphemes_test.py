from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.utils._graphemes import graphemes


@pytest.mark.parametrize(
    "clusters",
    [
        [],
        ["a", "b", " "],
        ["\r\n", "\n", "\r", "\u0301"],
        ["e\u0301\u0323", "e"],
        ["👨‍👩‍👧", "👍🏽", "👍"],
        ["🇳🇱", "🇧🇪", "🇩"],
        ["🏴\U000e0067\U000e0062\U000e007f", "x"],
        ["❤\ufe0f", "1\ufe0f\u20e3"],
        ["\u1112\u1161\u11ab", "한", "\ud558\u11ab", "글"],
        ["\u1100\u1100\u1161\u1161\u11a8\u11a8", "\u1100"],
        ["한", "\u1161"],
        ["\u1100가"],
        ["நி", "க"],
        ["a\u200d", "b"],
        ["\u200d", "x"][1:],
    ],
    ids=ascii,
)
def test_clusters(clusters: list[str]) -> None:
    """Marks, joined emoji, flags, Hangul and line ends stay together."""
    assert list(graphemes("".join(clusters))) == clusters


@settings(deadline=None)
@given(st.text())
def test_nothing_is_lost(text: str) -> None:
    """Joined again, it is what it was; no part is empty."""
    parts = list(graphemes(text))

    assert "".join(parts) == text
    assert all(parts)


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_characters="\r\n")))
def test_ascii_is_its_own(text: str) -> None:
    """A character each."""
    assert list(graphemes(text)) == list(text)
