"""Header fields that are safe to send, whatever they were made from.

Private: used by ``shared.errors`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MARKS: Final = frozenset("!#$%&'*+-.^_`|~")  # RFC 9110, section 5.6.2


def merge_headers(base: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """*base* overlaid with *more*; names match whatever their case.

    A value of *more* is made one line of ASCII, since it may hold input, and a line
    break would let that input add headers of its own.

    Raises:
        ValueError: A name of *more* is no token.
    """
    merged = dict(base)
    for name, value in more.items():
        if not _is_token(name):
            raise ValueError(f"{name!r} is not the name of a header.")
        for known in [known for known in merged if known.lower() == name.lower()]:
            del merged[known]
        merged[name] = "".join(map(_visible, str(value))).strip()
    return merged


def _visible(char: str) -> str:
    if " " <= char <= "~":
        return char
    return " " if char < " " else "?"


def _is_token(name: object) -> bool:
    return (
        isinstance(name, str)
        and bool(name)
        and all((char.isascii() and char.isalnum()) or char in _MARKS for char in name)
    )
