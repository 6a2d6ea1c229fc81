"""What readers take for one character, although it is written as several.

The rules of UAX #29 for marks, joined emoji, flags, Hangul and line ends, by what the
standard library knows of characters. It lacks the table of prepended marks and of Indic
conjuncts, so a cluster of those counts as two.

Private: used by ``shared.utils`` only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

_JOINER: Final = "\u200d"
_NON_JOINER: Final = "\u200c"

_Range = tuple[str, str]
_SKIN_TONES: Final[_Range] = ("\U0001f3fb", "\U0001f3ff")
_TAGS: Final[_Range] = ("\U000e0020", "\U000e007f")
_FLAG_LETTERS: Final[_Range] = ("\U0001f1e6", "\U0001f1ff")
# Hangul: leading consonants, vowels, trailing consonants, and whole syllables.
_LEADING: Final[_Range] = ("\u1100", "\u115f")
_VOWELS: Final[_Range] = ("\u1160", "\u11a7")
_TRAILING: Final[_Range] = ("\u11a8", "\u11ff")
_SYLLABLES: Final[_Range] = ("\uac00", "\ud7a3")


def graphemes(text: str) -> Iterator[str]:
    """The characters of *text* as readers count them; joined again they are *text*."""
    start = flags = 0
    for index in range(1, len(text)):
        before, char = text[index - 1], text[index]
        flags = flags + 1 if _within(before, _FLAG_LETTERS) else 0
        # The second letter of a flag, not the first of the next one.
        pairs = flags % 2 == 1 and _within(char, _FLAG_LETTERS)
        if not (pairs or _belongs(before, char)):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _belongs(before: str, char: str) -> bool:
    """Whether *char* belongs to the character that *before* is the end of."""
    if before in "\r\n" or char in "\r\n":
        return before + char == "\r\n"
    if before.isascii() and char.isascii():
        return False
    if _extends(char):
        return unicodedata.category(before) not in ("Cc", "Zl", "Zp")
    if before == _JOINER:
        return unicodedata.category(char) == "So"
    if _within(before, _LEADING):
        return any(_within(char, r) for r in (_LEADING, _VOWELS, _SYLLABLES))
    if _within(char, _VOWELS):
        return _within(before, _VOWELS) or _is_open_syllable(before)
    if _within(char, _TRAILING):
        return any(_within(before, r) for r in (_VOWELS, _TRAILING, _SYLLABLES))
    return False


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in (_JOINER, _NON_JOINER)
        or _within(char, _SKIN_TONES)
        or _within(char, _TAGS)
    )


def _is_open_syllable(char: str) -> bool:
    """Whether *char* is a Hangul syllable that ends in its vowel."""
    return _within(char, _SYLLABLES) and (ord(char) - ord(_SYLLABLES[0])) % 28 == 0


def _within(char: str, span: _Range) -> bool:
    return span[0] <= char <= span[1]
