"""Text that an expression matches, of the length that is asked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.validation import HttpsUrl, LocaleTag
from tools.contracts._vectors_regex import Regex, UnsampledError, regex

EXPRESSIONS = [
    *(TypeAdapter(kind).json_schema()["pattern"] for kind in (HttpsUrl, LocaleTag)),
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
    r"^[A-Za-z0-9._~+/-]+=*$",
    r"^[^@\s]+@[^@\s]+$",
    r"^(?:ab|cde)*$",
    r"^(a{3}|b{5})+$",
    r"^\d{2,4}\W?$",
    r"[^\s\uFEFF]",
    r"^start",
    r"end$",
]


@settings(deadline=None)
@given(st.sampled_from(EXPRESSIONS), st.integers(0, 90))
def test_of_that_length_and_matching(pattern: str, length: int) -> None:
    """What is found has the length, and matches."""
    text = regex(pattern).sample(length, lambda at: "a") or ""

    assert not text or len(text) == length
    assert not text or re.search(pattern, text)


@settings(deadline=None)
@given(st.from_regex(r"\A(?:ab|cde)*\Z", fullmatch=True))
def test_finds_every_length_that_there_is(other: str) -> None:
    """If some text of a length matches, text of that length is found."""
    assert regex(r"^(?:ab|cde)*$").sample(len(other), lambda at: "a") is not None


@settings(deadline=None)
@given(st.from_regex(r"\A#(?:[0-9a-f]{3}|[0-9a-f]{6})-?\Z", fullmatch=True))
def test_knows_the_lengths(other: str) -> None:
    """The lengths are those of all matching text."""
    found = Regex("^#(?:[0-9a-f]{3}|[0-9a-f]{6})-?$")

    assert len(other) in set(found.lengths())
    assert list(found.lengths()) == [4, 5, 7, 8]


@pytest.mark.parametrize(
    ("pattern", "length", "text"),
    [
        ("^[a-z0-9]+(?:-[a-z0-9]+)*$", 4, "aaaa"),
        ("^(?:ab|cde)*$", 7, "ababcde"),
        ("^[Hh][Tt]$", 2, "ht"),
        ("^[^a-z]{3}$", 3, "AAA"),
        ("^x{3}$", 2, None),
        ("b", 3, "aab"),
    ],
)
def test_is_plain(pattern: str, length: int, text: str | None) -> None:
    """People read it: the same small letter, wherever it fits."""
    assert Regex(pattern).sample(length, lambda at: "a") == text


def test_takes_the_preferred_character() -> None:
    """Where a class has it; elsewhere a plain one."""
    wide = Regex("^[^@]{2}@[a-z]$").sample(4, lambda at: "😀")

    assert wide == "😀😀@a"


def test_long_text_is_found_at_once() -> None:
    """A bound of some thousands is worked out, not tried."""
    assert regex("^(?:a|bcd)*$").sample(10_000, lambda at: "a") == "a" * 10_000
    assert regex("^(?:bcd)*$").sample(10_000, lambda at: "a") is None


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", r"\bword"])
def test_says_what_it_does_not_know(pattern: str) -> None:
    """A part that no text is made for is no silent failure."""
    with pytest.raises(UnsampledError, match="no text can be made for"):
        Regex(pattern)
