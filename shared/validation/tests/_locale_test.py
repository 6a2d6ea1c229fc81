from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.validation._locale import validate_locale_tag


@pytest.mark.parametrize(
    ("tag", "canonical"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("pt-br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("SR-LATN", "sr-Latn"),
        ("es-419", "es-419"),
        ("haw-US", "haw-US"),
    ],
)
def test_a_tag_has_one_spelling(tag: str, canonical: str) -> None:
    """Letter case carries no meaning in BCP 47, so it is made uniform."""
    assert validate_locale_tag(tag) == canonical


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "e",
        "english",
        "en_US",
        "en-",
        "en-US-",
        "en-US-Latn",
        "en\n",
        "en-US\n",
        "de-1996",
        "de-CH-1901",
        "en-u-ca-buddhist",
        "x-private",
        "i-klingon",
        "\uff45n",
    ],
)
def test_tags_outside_the_subset_are_refused(tag: str) -> None:
    """Variants, extensions, private use and POSIX names are no locales of ours."""
    with pytest.raises(ValueError, match=r"Locale must have the form language\[-Scr"):
        validate_locale_tag(tag)


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-[A-Za-z]{2})?", fullmatch=True))
def test_letter_case_never_matters(tag: str) -> None:
    """All spellings of a tag lead to one, which is itself accepted."""
    canonical = validate_locale_tag(tag)

    assert canonical.lower() == tag.lower()
    assert validate_locale_tag(tag.upper()) == canonical
    assert validate_locale_tag(canonical) == canonical
