"""Names of files that come from people, made safe to write anywhere.

Private: import these names from ``shared.utils``.
"""

from __future__ import annotations

import unicodedata
from itertools import accumulate
from typing import Final
from uuid import uuid4

from shared.utils._graphemes import graphemes

_MOST: Final = (
    255  # bytes of a name in ext4, XFS and APFS; NTFS counts no more than that
)
_LEAST: Final = (
    64  # room for an extension, the mark of unique_filename, and a bit of name
)
_EXTENSION: Final = 16  # the most bytes of one; a longer one is part of the name
_READ: Final = 1024  # characters of each end of a name that are looked at
_NAMELESS: Final = "unnamed"

# Hidden files, options and lists of options, at the beginning of a name. PowerShell
# takes dashes for hyphens.
_WEAK: Final = ".-\u2013\u2014\u2015@"
_FORBIDDEN: Final = frozenset(
    '<>:"/\\|?*'  # in Windows; the slashes anywhere
    "&;$`'(){}[]!#%^~"  # what shells act on, some of them within a word
    ",="  # where cmd, and PowerShell at the first, begin another word
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e"  # quotes, to PowerShell
)
_RESERVED: Final = frozenset(  # those with a dollar sign can't be left
    ["CON", "PRN", "AUX", "NUL"]
    + [port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)


def sanitize_filename(name: str, *, max_bytes: int = _MOST) -> str:
    """*name* as the name of one file, safe in every common file system and shell.

    ``"my file.pdf"`` gives ``"my_file.pdf"``. Runs of white space, path separators,
    control characters, what Windows forbids and what shells act on (quotes, brackets
    and ``&;$`!#%^~,=``) become one ``_``, at an end nothing; characters that are not
    seen, such as those that reverse the text around them, are dropped. Letters of any
    script stay. The name does not start with a dot, hyphen, dash or ``@``, does not end
    with a dot, is none of Windows' devices (``con.txt`` gives ``_con.txt``), is in NFC,
    and keeps its extension when it is cut. Nothing is left to do in the result.

    Safe is not unique: see `unique_filename`. And it says nothing of what is inside.

    Args:
        name: What a person or another program calls it, with a path or without.
        max_bytes: The most bytes in UTF-8; from 64 to 255.

    Returns:
        A name, ``"unnamed"`` if nothing of *name* can stay.

    Raises:
        ValueError: *max_bytes* is out of range.
    """
    if not _LEAST <= max_bytes <= _MOST:
        raise ValueError(
            f"max_bytes must be from {_LEAST} to {_MOST} (got {max_bytes})."
        )
    return _cut(_clean(name), max_bytes)


def unique_filename(name: str, *, max_bytes: int = _MOST) -> str:
    """*name*, sanitized, with 128 random bits before its extension.

    ``"my file.pdf"`` gives ``"my_file-0b54…c1.pdf"``: nobody can guess it, and no two
    uploads meet, in file systems that ignore case neither.

    Args:
        name: As in `sanitize_filename`.
        max_bytes: As there.

    Raises:
        ValueError: As there.
    """
    mark = f"-{uuid4().hex}"
    stem, extension = _split(sanitize_filename(name, max_bytes=max_bytes))
    return _fit(stem, mark + extension, max_bytes)


def file_extension(name: str) -> str:
    """The extension of *name*, in lowercase and without its dot; ``""`` if it has none.

    ``"Photo.JPG"`` gives ``"jpg"``, ``"a.tar.gz"`` gives ``"gz"``, ``".bashrc"`` none.
    It is that of the sanitized name, whatever hides in *name*.
    """
    return _split(sanitize_filename(name))[1][1:].lower()


def _clean(name: str) -> str:
    if len(name) > 2 * _READ:
        # NFC is slow where thousands of marks are on one letter.
        name = name[:_READ] + name[-_READ:]
    visible = (char for char in name if unicodedata.category(char) != "Cf")
    text = unicodedata.normalize("NFC", "".join(visible))
    marked = "".join("/" if _is_bad(char) else char for char in text)
    parts = [part for part in marked.split("/") if part.strip(_WEAK)]
    return "_".join(parts).lstrip(_WEAK).rstrip(".")


def _is_bad(char: str) -> bool:
    """Whether *char* is a control, a space, not a character, or forbidden somewhere.

    Also when another system may take it for one that is, such as U+FF0F for the slash.
    """
    if unicodedata.category(char)[0] in "CZ":
        return True
    return not _FORBIDDEN.isdisjoint(unicodedata.normalize("NFKC", char))


def _cut(name: str, max_bytes: int) -> str:
    name = _fit(*_split(name or _NAMELESS), max_bytes)
    if name.partition(".")[0].upper() in _RESERVED:
        name = _fit(*_split(f"_{name}"), max_bytes)
    return name


def _split(name: str) -> tuple[str, str]:
    """*name* as stem and extension, the dot in the latter."""
    stem, dot, extension = name.rpartition(".")
    if not stem.strip(".") or not 0 < len(extension.encode()) <= _EXTENSION:
        return name, ""
    return stem, dot + extension


def _fit(stem: str, tail: str, max_bytes: int) -> str:
    room = max_bytes - len(tail.encode())
    if len(stem.encode()) <= room:
        return stem + tail
    characters = list(graphemes(stem))
    ends = accumulate(len(character.encode()) for character in characters)
    kept = [char for char, end in zip(characters, ends, strict=True) if end <= room]
    # One character alone may be too long: hundreds of accents on a letter.
    cut = "".join(kept) or stem.encode()[:room].decode(errors="ignore")
    return cut + tail if tail else cut.rstrip(".")
