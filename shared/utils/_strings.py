"""Texts in other forms: as a slug, shortened, as an identifier, masked.

Private: import these names from ``shared.utils``.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Final

from shared.utils._graphemes import graphemes

# Latin letters that Unicode does not take apart.
_LETTERS: Final = str.maketrans(
    {
        "Æ": "AE",
        "Ð": "D",
        "Ø": "O",
        "Þ": "TH",
        "ß": "ss",
        "æ": "ae",
        "ð": "d",
        "ø": "o",
        "þ": "th",
        "Đ": "D",
        "đ": "d",
        "Ħ": "H",
        "ħ": "h",
        "\u0131": "i",  # dotless
        "Ł": "L",
        "ł": "l",
        "Œ": "OE",
        "œ": "oe",
        "ẞ": "SS",
    }
)
_MASK: Final = "********"
_SLUG_LENGTH: Final = 63  # that of shared.validation.Slug: one label of a host name


def slugify(text: str, *, max_length: int = _SLUG_LENGTH, fallback: str = "") -> str:
    """*text* as part of a URL: ``"Été à Paris!"`` gives ``"ete-a-paris"``.

    Args:
        text: A title.
        max_length: The most characters; words are kept whole where that is possible.
        fallback: The result if no Latin letter or digit is left, as of ``"日本"``.

    Returns:
        What `shared.validation.Slug` accepts, or *fallback*.

    Raises:
        ValueError: *max_length* is below 1.
    """
    _require_at_least(1, max_length, "max_length")
    # Sorting thousands of marks on one letter takes long.
    text = unicodedata.normalize("NFKD", text[: 4 * max_length + 1024])
    plain = "".join(c for c in text if not unicodedata.combining(c))
    # An apostrophe is inside a word: "don't" is no two of them.
    plain = re.sub("['\u2019]", "", plain.translate(_LETTERS)).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) > max_length:
        whole = slug[: max_length + 1].rpartition("-")[0]
        slug = (whole or slug[:max_length]).strip("-")
    return slug or fallback


def truncate(text: str, length: int, *, ellipsis: str = "…") -> str:
    """*text* in no more than *length* characters; *ellipsis* shows where it was cut.

    Characters are those that readers see: an accent stays on its letter, and a family
    of emoji is not torn apart.

    Raises:
        ValueError: *length* has no room for *ellipsis*.
    """
    room = length - sum(1 for _ in graphemes(ellipsis))
    _require_at_least(0, room, "length minus that of ellipsis")
    if len(text) <= length:
        return text
    seen = list(itertools.islice(graphemes(text), length + 1))
    if len(seen) <= length:
        return text
    return "".join(seen[:room]).rstrip() + ellipsis


def to_snake_case(text: str) -> str:
    """``"HTTPServerError"``, ``"http-server error"``: ``"http_server_error"``."""
    return "_".join(word.lower() for word in _words(text))


def to_camel_case(text: str) -> str:
    """``"HTTPServerError"``, ``"http_server_error"``: ``"httpServerError"``."""
    first, *rest = [word.lower() for word in _words(text)] or [""]
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _words(text: str) -> list[str]:
    """Runs of letters and digits, parted where a capital begins a word too."""
    words = [""]
    text = unicodedata.normalize("NFC", text)
    for index, char in enumerate(text):
        if unicodedata.category(char)[0] not in "LMN":
            words.append("")
            continue
        # "userName" has one before N, "HTTPServer" before S.
        before, after = text[index - 1 : index], text[index + 1 : index + 2]
        if char.isupper() and (not before.isupper() or after.islower()):
            words.append("")
        words[-1] += char
    return [word for word in words if word]


def mask(secret: str, *, visible: int = 4) -> str:
    """*secret* as it may be shown: ``"********cdef"``.

    The stars are always eight, since the length is part of the secret. Of a secret
    shorter than four times *visible*, nothing is shown.

    Raises:
        ValueError: *visible* is negative.
    """
    _require_at_least(0, visible, "visible")
    if not visible or len(secret) < 4 * visible:
        return _MASK
    return _MASK + secret[-visible:]


def _require_at_least(least: int, value: int, name: str) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least} (got {value}).")
