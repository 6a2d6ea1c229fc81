from __future__ import annotations

import unicodedata
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from shared.validation._text import BoundedText, validate_text

line = partial(validate_text, max_length=100)
lines = partial(validate_text, max_length=100, multiline=True)


def broken_rules(text: str, *, multiline: bool = False) -> list[str]:
    with pytest.raises(PydanticCustomError, match="Text must have") as caught:
        validate_text(text, max_length=100, multiline=multiline)
    assert caught.value.type == "text_format"
    assert caught.value.context is not None
    names: list[str] = caught.value.context["rules"]
    return names


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace",
        "  kept  ",
        "می\u200cشود",  # Persian, spelt with a zero width non-joiner
        "क्\u200dष",  # Devanagari, with a zero width joiner
        "👩\u200d👩\u200d👧",
        "שלום\u200f!",
        "Việt Nam",
        "日本語",
    ],
)
def test_ordinary_text_is_accepted(text: str) -> None:
    """Names and titles of all scripts come back as they were."""
    assert line(text) == text
    assert lines(text) == text


def test_text_is_put_in_nfc() -> None:
    """One text has one form, so that comparing and searching work."""
    assert line("Cafe\u0301") == "Caf\u00e9"


def test_line_breaks_are_unified() -> None:
    r"""Several lines are joined by ``\n``, wherever they were typed."""
    assert lines("a\r\nb\rc\nd\te") == "a\nb\nc\nd\te"


@pytest.mark.parametrize(
    ("text", "in_a_line", "in_lines"),
    [
        ("\x00", ["control"], ["control"]),
        ("a\x1b[31m", ["control"], ["control"]),
        ("a\x7f", ["control"], ["control"]),
        ("a\x85", ["control"], ["control"]),
        ("a\ud83d", ["control"], ["control"]),
        ("a\u202etxt.exe", ["bidi"], ["bidi"]),
        ("a\u2066b", ["bidi"], ["bidi"]),
        ("a" + "\u0301" * 31, ["combining"], ["combining"]),
        ("", ["length"], ["length"]),
        ("a" * 101, ["length"], ["length"]),
        ("\u0958" * 51, ["length"], ["length"]),  # NFC makes two characters of each
        ("\t\u3000 ", ["blank", "control"], ["blank"]),
        ("\ufeff", ["blank", "invisible"], ["blank"]),
    ],
)
def test_what_hides_or_reorders_is_refused(
    text: str, in_a_line: list[str], in_lines: list[str]
) -> None:
    """Each rule has its name, and all broken ones are named."""
    assert broken_rules(text) == in_a_line
    assert broken_rules(text, multiline=True) == in_lines


@pytest.mark.parametrize("mark", ["\u200b", "\u2028", "\u2029", "\u2060", "\ufeff"])
def test_characters_without_width_are_for_several_lines(mark: str) -> None:
    """They would make two names look alike, but some scripts need them in prose."""
    assert broken_rules(f"ad{mark}min") == ["invisible"]
    assert lines(f"ad{mark}min") == f"ad{mark}min"


@pytest.mark.parametrize("character", ["\t", "\n", "\r"])
def test_a_line_holds_no_breaks(character: str) -> None:
    """A name with a line break can forge a line of a log or a mail header."""
    assert broken_rules(f"a{character}b") == ["control"]


def test_empty_and_blank_text_is_accepted_where_asked_for() -> None:
    """``min_length=0`` says that there may be nothing."""
    assert line("", min_length=0) == ""
    assert line("  ", min_length=0) == "  "


def test_a_decomposed_text_within_the_bounds_is_measured_as_sent() -> None:
    """Length holds before NFC too, as the schema's maxLength says."""
    assert broken_rules("e\u0301" * 60) == ["length"]


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.booleans())
def test_accepted_text_is_clean_and_stays_so(text: str, multiline: bool) -> None:
    """What comes out is in NFC, encodable, and accepted again unchanged."""
    try:
        clean = validate_text(text, max_length=50, multiline=multiline)
    except ValueError:
        return
    assert unicodedata.is_normalized("NFC", clean)
    assert clean.encode().decode() == clean
    assert validate_text(clean, max_length=50, multiline=multiline) == clean


@pytest.mark.parametrize("bounds", [(-1, 5), (6, 5)])
def test_bounds_that_make_no_sense_fail_where_they_are_written(
    bounds: tuple[int, int],
) -> None:
    """A model with an impossible field does not get as far as a request."""
    with pytest.raises(ValueError, match="BoundedText needs 0 <= min_length <= max"):
        BoundedText(min_length=bounds[0], max_length=bounds[1])
