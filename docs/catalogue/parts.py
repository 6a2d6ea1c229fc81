"""Pieces of text that a page shows: plain, code, or a link."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Some text. It is escaped where it is shown, not here."""

    text: str
    code: bool = False
    anchor: str = ""
    """The id in the page that it leads to."""


Text = tuple[Part, ...]


def words(text: str) -> Text:
    """Plain text."""
    return (Part(text),)


def code(text: str) -> Text:
    """Something that stands in code like this."""
    return (Part(text, code=True),)


def joined(texts: Iterable[Text], between: str) -> Text:
    """The texts with words between them."""
    found: list[Part] = []
    for text in texts:
        if found:
            found.append(Part(between))
        found += text
    return tuple(found)


def plain(text: Text) -> str:
    """What it reads as without code and links."""
    return "".join(part.text for part in text)


def anchor(kind: str, *names: str) -> str:
    """The id of an entry: ``event-user.registered``. The same for the same names."""
    return "-".join([kind, *(re.sub(r"[^\w.:]+", "_", name) for name in names)])
