"""Rules that hold for all validators alike, and for the facade."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import validation

FUNCTIONS: dict[str, Callable[[str], str]] = {
    "password": validation.validate_password_complexity,
    "username": validation.validate_username_format,
    "slug": validation.validate_slug,
    "handle": validation.validate_social_handle,
    "color": validation.validate_hex_color,
    "url": validation.validate_https_url,
    "locale": validation.validate_locale_tag,
    "zone": validation.validate_time_zone,
    "currency": validation.validate_currency_code,
    "email": validation.validate_email_address,
    "text": partial(validation.validate_text, max_length=10_000_000, multiline=True),
}


def test_all_is_what_is_public() -> None:
    """``__all__`` names each public thing of the package, and nothing else."""
    public = {
        name
        for name, value in vars(validation).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(validation.__all__) == public


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(deadline=None, max_examples=50)
@given(marker=st.text("☃\x1b", min_size=3), start=st.text(max_size=20))
def test_no_message_quotes_the_value(name: str, marker: str, start: str) -> None:
    """A refused value may be a secret, or an attack on who reads the log."""
    with pytest.raises(ValueError, match="must have") as caught:
        FUNCTIONS[name](f"{start}{marker}\0")

    assert marker not in f"{caught.value} {caught.value!r}"


# Long inputs, each made to send a careless expression back and forth.
HARD: dict[str, Callable[[int], str]] = {
    "password": lambda n: "a" * n,
    "username": lambda n: "a" * n + "!",
    "slug": lambda n: "a-" * n + "!",
    "handle": lambda n: "a." * n + "!",
    "color": lambda n: "#" + "a" * n,
    "url": lambda n: "https://" + "a-" * n + "!/" + "%41#" * n,
    "locale": lambda n: "aa-" * n,
    "zone": lambda n: "a/" * n,
    "currency": lambda n: "A" * n,
    "email": lambda n: "a." * n + "@" + "a." * n,
    "text": lambda n: "a" + "\u0301\u0323" * n,
}


def seconds(validate: Callable[[str], str], value: str) -> float:
    """Time the refusal of *value*, the best of three."""

    def once() -> float:
        start = time.thread_time()
        with pytest.raises(ValueError, match="must have"):
            validate(value)
        return time.thread_time() - start

    return min(once() for _ in range(3))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_time_grows_no_faster_than_the_input(name: str) -> None:
    """16 times the input takes some 16 times as long; backtracking takes 256."""
    small, large = (HARD[name](n) for n in (5_000, 80_000))
    noise = 0.001  # of the clock and of the first call

    ratio = seconds(FUNCTIONS[name], large) / (seconds(FUNCTIONS[name], small) + noise)

    assert ratio < 80
