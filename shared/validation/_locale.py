"""Languages: a subset of BCP 47.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")


def validate_locale_tag(tag: str) -> str:
    """Return *tag* in the letter case of RFC 5646 section 2.1.1: ``zh-Hant-TW``.

    The subset is ``language[-Script][-REGION]``: a language of two or three letters,
    a script of four, a region of two letters or three digits. Variants, extensions
    and private use are refused, and so is the POSIX form ``en_US``. A tag is checked
    for its form; whether the subtags are registered is not.

    Raises:
        ValueError: Code ``locale_format``; rule ``form``.
    """
    match = _LOCALE.fullmatch(tag)
    require(
        "locale_format",
        "Locale",
        [
            Rule(
                "form",
                "the form language[-Script][-REGION], such as pt-BR",
                match is not None,
            )
        ],
    )
    language, *others = tag.split("-")
    cased = [part.title() if len(part) == 4 else part.upper() for part in others]
    return "-".join([language.lower(), *cased])


LocaleTag = Annotated[
    str,
    AfterValidator(validate_locale_tag),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 2,
            "maxLength": 12,
            "pattern": f"^{_LOCALE.pattern}$",
            "examples": ["en", "pt-BR", "zh-Hant-TW"],
        }
    ),
]
"""``language[-Script][-REGION]`` in its canonical letter case."""
