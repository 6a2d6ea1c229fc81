from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from shared.validation._identifiers import (
    validate_slug,
    validate_social_handle,
    validate_username_format,
)


def broken_rules(validate: Callable[[str], str], value: str) -> tuple[str, list[str]]:
    with pytest.raises(PydanticCustomError, match="must have") as caught:
        validate(value)
    assert caught.value.context is not None
    return caught.value.type, caught.value.context["rules"]


@settings(deadline=None)
@given(st.from_regex(r"[a-zA-Z0-9_]{3,50}", fullmatch=True))
def test_what_the_spec_accepts_as_username_is_accepted(username: str) -> None:
    """The specification's expression and ours accept the same names."""
    assert validate_username_format(username) == username


@pytest.mark.parametrize(
    ("username", "rules"),
    [
        ("", ["length"]),
        ("ab", ["length"]),
        ("a" * 51, ["length"]),
        ("abc\n", ["characters"]),  # `$` in the specification lets it in
        ("jane.doe", ["characters"]),
        ("jané", ["characters"]),
        ("\u0430dmin", ["characters"]),  # the first letter is Cyrillic
        ("٣٣٣", ["characters"]),
        ("!", ["length", "characters"]),
    ],
)
def test_other_usernames_are_refused(username: str, rules: list[str]) -> None:
    """A whole-string match in ASCII, and both rules at once."""
    assert broken_rules(validate_username_format, username) == (
        "username_format",
        rules,
    )


@pytest.mark.parametrize("slug", ["a", "7", "summer-sale-2026", "a" * 63])
def test_slugs_are_words_joined_by_hyphens(slug: str) -> None:
    """A slug comes back as it went in."""
    assert validate_slug(slug) == slug


@pytest.mark.parametrize(
    ("slug", "rules"),
    [
        ("", ["length"]),
        ("a" * 64, ["length"]),
        ("Summer", ["characters"]),
        ("a_b", ["characters"]),
        ("a\n", ["characters"]),
        ("-a", ["hyphens"]),
        ("a-", ["hyphens"]),
        ("a--b", ["hyphens"]),
        ("-\n" + "A" * 62, ["length", "characters", "hyphens"]),
    ],
)
def test_other_slugs_are_refused(slug: str, rules: list[str]) -> None:
    """Each rule has its name."""
    assert broken_rules(validate_slug, slug) == ("slug_format", rules)


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("ada", "ada"),
        ("@ada", "ada"),
        ("ada.lovelace_1815", "ada.lovelace_1815"),
        ("_x_", "_x_"),
        ("brand-name", "brand-name"),
        ("a" * 100, "a" * 100),
    ],
)
def test_a_handle_loses_its_at_sign(handle: str, name: str) -> None:
    """``@ada`` and ``ada`` are one account, so they are stored as one."""
    assert validate_social_handle(handle) == name


@pytest.mark.parametrize(
    ("handle", "rules"),
    [
        ("", ["length"]),
        ("@", ["length"]),
        ("a" * 101, ["length"]),
        ("@" + "a" * 100, ["length"]),
        ("@@ada", ["characters"]),
        ("ada@example.com", ["characters"]),
        ("adá", ["characters"]),
        ("ada\n", ["characters"]),
        (".ada", ["joints"]),
        ("ada-", ["joints"]),
        ("a..b", ["joints"]),
        ("a.-b", ["joints"]),
    ],
)
def test_other_handles_are_refused(handle: str, rules: list[str]) -> None:
    """Rules that all networks share; each has its name."""
    assert broken_rules(validate_social_handle, handle) == (
        "social_handle_format",
        rules,
    )
