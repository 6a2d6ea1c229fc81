from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from shared.validation._password import validate_password_complexity

# The specification's own expression.
SPEC = re.compile(
    r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&])[A-Za-z\d@$!%*?&]{12,}$"
)
GOOD = "Correct-Horse-1"


def broken_rules(password: str) -> list[str]:
    with pytest.raises(PydanticCustomError, match="Password must have") as caught:
        validate_password_complexity(password)
    assert caught.value.type == "password_complexity"
    assert caught.value.context is not None
    names: list[str] = caught.value.context["rules"]
    return names


@st.composite
def passwords_of_the_spec(draw: st.DrawFn) -> str:
    lower = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
    upper = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    digit = st.characters(categories=["Nd"])  # what \d means to Python
    symbol = st.sampled_from("@$!%*?&")
    kinds = [lower, upper, digit, symbol]
    more = draw(st.lists(st.one_of(kinds), min_size=8, max_size=124))
    return "".join(draw(st.permutations([draw(kind) for kind in kinds] + more)))


@settings(deadline=None, max_examples=100)
@given(passwords_of_the_spec())
def test_what_the_spec_accepts_is_accepted(password: str) -> None:
    """No password that the specification's expression lets in is turned away."""
    assume(SPEC.fullmatch(password))

    assert validate_password_complexity(password) == password


@settings(deadline=None)
@given(st.characters(exclude_categories=["Cc", "Cs", "L", "N"]))
def test_any_character_that_is_no_letter_or_digit_is_a_symbol(symbol: str) -> None:
    """The spec's seven symbols forbid a hash, a space and an emoji; we don't."""
    assert validate_password_complexity(f"Abcdefgh1234{symbol}").endswith(symbol)


def test_alphanumeric_means_letters_and_digits_of_unicode() -> None:
    """``str.isalnum`` draws the line that the documentation speaks of."""
    for character in map(chr, range(0, sys.maxunicode, 7)):
        is_letter_or_digit = unicodedata.category(character)[0] in "LN"

        assert character.isalnum() == is_letter_or_digit


@pytest.mark.parametrize(
    ("password", "rules"),
    [
        ("", ["min_length", "uppercase", "lowercase", "digit", "symbol"]),
        ("short", ["min_length", "uppercase", "digit", "symbol"]),
        ("a" * 129, ["max_length", "uppercase", "digit", "symbol"]),
        (GOOD.lower(), ["uppercase"]),
        (GOOD.upper(), ["lowercase"]),
        (GOOD.replace("1", "x"), ["digit"]),
        (GOOD.replace("-", "x"), ["symbol"]),
        (GOOD + "\n", ["control"]),
        (GOOD + "\x00", ["control"]),
        (GOOD + "\x85", ["control"]),
        (GOOD + "\ud800", ["control"]),
    ],
)
def test_every_broken_rule_is_named_at_once(password: str, rules: list[str]) -> None:
    """Nobody has to submit a form five times to learn five rules."""
    assert broken_rules(password) == rules


@pytest.mark.parametrize(
    ("length", "extra"), [(12, "a" * 8), (13, "a" * 9), (128, "a" * 124)]
)
def test_lengths_at_the_bounds_are_accepted(length: int, extra: str) -> None:
    """12 and 128 characters are the first and the last accepted."""
    password = "aB1#" + extra

    assert len(validate_password_complexity(password)) == length


def test_a_password_is_not_changed() -> None:
    """What is hashed must be what was sent: no stripping, no normalisation."""
    decomposed = " Cafe\u0301 Noir 1 "

    assert validate_password_complexity(decomposed) == decomposed


def test_letters_and_digits_of_any_script_count() -> None:
    """A Russian or an Arab need not switch the keyboard for one letter."""
    assert validate_password_complexity("Пароль надёжный ٣")
