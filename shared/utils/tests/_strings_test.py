from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.utils._graphemes import graphemes
from shared.utils._strings import mask, slugify, to_camel_case, to_snake_case, truncate
from shared.validation import validate_slug

# ------------------------------------------------------------------------- slugs


@settings(deadline=None)
@given(st.text(), st.integers(1, 63))
def test_slug_is_what_validation_accepts(text: str, length: int) -> None:
    """Or the fallback; and a slug is its own."""
    slug = slugify(text, max_length=length, fallback="none")

    assert slug == "none" or len(slug) <= length
    assert validate_slug(slug) == slug
    assert slugify(slug) == slug


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Été à Paris!", "ete-a-paris"),
        ("Straße Ærø, Łódź", "strasse-aero-lodz"),
        ("ǿ ﬁ ½ İ", "o-fi-1-2-i"),
        ("Don't \u2013 stop\u2019s", "dont-stops"),
        ("  a__b--c  ", "a-b-c"),
        ("naïve日本x", "naive-x"),
        ("日本", ""),
        ("", ""),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    """Latin letters lose their marks; the rest parts words."""
    assert slugify(text) == slug


@pytest.mark.parametrize(
    ("length", "slug"), [(11, "hello-world"), (10, "hello"), (5, "hello"), (3, "hel")]
)
def test_slug_is_cut_between_words(length: int, slug: str) -> None:
    """Where there is a place."""
    assert slugify("Hello World", max_length=length) == slug


# -------------------------------------------------------------------- truncation


@settings(deadline=None)
@given(st.text(), st.integers(1, 30))
def test_truncated_text_fits(text: str, length: int) -> None:
    """It is the text itself, or its beginning with the mark of a cut."""
    short = truncate(text, length)

    assert len(list(graphemes(short))) <= length
    assert text.startswith(short.removesuffix("…"))


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(0, 5))
def test_text_that_fits_is_left_alone(text: str, more: int) -> None:
    """By the characters that readers count."""
    assert truncate(text, len(list(graphemes(text))) + more or 1) == text


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("hello world", 11, "hello world"),
        ("hello world", 7, "hello…"),
        ("cafe\u0301s", 5, "cafe\u0301s"),
        ("cafe\u0301s!", 5, "cafe\u0301…"),
        ("👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", 2, "👨‍👩‍👧…"),
        ("hello", 1, "…"),
    ],
)
def test_truncation(text: str, length: int, short: str) -> None:
    """By what readers see, without a space before the mark."""
    assert truncate(text, length) == short


def test_other_marks() -> None:
    """Also none at all."""
    assert truncate("hello world", 8, ellipsis="...") == "hello..."
    assert truncate("hello world", 5, ellipsis="") == "hello"


# ------------------------------------------------------------------- identifiers

SNAKE = st.from_regex(
    r"[a-z]{2,5}[0-9]{0,2}(_[a-z]{2,5}[0-9]{0,2}){0,4}", fullmatch=True
)


@settings(deadline=None)
@given(SNAKE)
def test_case_goes_round(name: str) -> None:
    """An identifier is the same after there and back."""
    camel = to_camel_case(name)

    assert to_snake_case(camel) == name == to_snake_case(name)
    assert to_camel_case(camel) == camel
    assert re.fullmatch(r"[a-z0-9]+([A-Z][a-z0-9]*)*", camel)


@settings(deadline=None)
@given(st.text())
def test_snake_case_is_snake_case(text: str) -> None:
    """Of any text, and done twice it is the same."""
    snake = to_snake_case(text)

    assert to_snake_case(snake) == snake
    assert not snake.startswith("_")
    assert not snake.endswith("_")
    assert "__" not in snake


@pytest.mark.parametrize(
    ("text", "snake", "camel"),
    [
        ("HTTPServerError", "http_server_error", "httpServerError"),
        ("http-server error", "http_server_error", "httpServerError"),
        ("userName", "user_name", "userName"),
        ("userID", "user_id", "userId"),
        ("sha256Hash", "sha256_hash", "sha256Hash"),
        ("ÉtéÀParis", "été_à_paris", "étéÀParis"),
        ("__private__", "private", "private"),
        ("", "", ""),
        ("!?", "", ""),
    ],
)
def test_cases(text: str, snake: str, camel: str) -> None:
    """Abbreviations are words, and digits belong to what stands before them."""
    assert (to_snake_case(text), to_camel_case(text)) == (snake, camel)


# ----------------------------------------------------------------------- masking


@settings(deadline=None)
@given(st.text(), st.integers(0, 8))
def test_mask_hides(secret: str, visible: int) -> None:
    """At most a quarter of it is seen, and its length is not."""
    shown = mask(secret, visible=visible).removeprefix("********")

    assert secret.endswith(shown)
    assert len(shown) in (0, visible)
    assert 4 * len(shown) <= len(secret)


def test_masks() -> None:
    """Enough to tell two keys apart."""
    assert mask("sk_live_0123456789abcdef") == "********cdef"
    assert mask("short") == mask("") == mask("x" * 99, visible=0) == "********"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: slugify("a", max_length=0),
            r"max_length must be at least 1 \(got 0\)",
        ),
        (lambda: truncate("a", 0), "length minus that of ellipsis must be at least 0"),
        (lambda: mask("a", visible=-1), r"visible must be at least 0 \(got -1\)"),
    ],
)
def test_number_that_makes_no_sense_is_refused(call: object, message: str) -> None:
    """Whatever the text."""
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
