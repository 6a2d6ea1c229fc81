"""Free text as it must stand in each kind of file, so that it stays text.

The text is one line of printable characters; `answers` sees to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

WIDTH = 88  # of ruff


def _escaped(text: str, quote: str) -> Iterator[str]:
    """Each character as it stands in a Python string.

    ASCII and the accented letters of Latin-1 and Latin Extended-A stand as they are.
    The rest is escaped: ruff refuses what looks like something else (RUF001).
    """
    for char in text:
        number = ord(char)
        if char in ("\\", quote):
            yield f"\\{char}"
        elif number < 0x7F or (0xC0 <= number <= 0x17F and char.isalpha()):
            yield char
        elif number <= 0xFF:
            yield f"\\x{number:02x}"
        elif number <= 0xFFFF:
            yield f"\\u{number:04x}"
        else:
            yield f"\\U{number:08x}"


def python(text: str) -> str:
    """A string literal, in the quotes that ruff would choose."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(text, quote)) + quote


def python_constant(name: str, text: str) -> str:
    """An assignment of *text*, wrapped as ruff would have it."""
    whole = f"{name} = {python(text)}"
    if len(whole) <= WIDTH:
        return whole
    lines: list[str] = []
    words = re.findall(r" *[^ ]+", text)
    pieces = [word[i : i + 7] for word in words for i in range(0, len(word), 7)]
    for piece in pieces:
        # A break in a word only where a word is longer than a line.
        if lines and len(f"    {python(lines[-1] + piece)}") <= WIDTH:
            lines[-1] += piece
        else:
            lines.append(piece)
    return "\n".join([f"{name} = (", *(f"    {python(line)}" for line in lines), ")"])


def python_import(module: str, *names: str) -> str:
    """A `from` import, wrapped as ruff would have it."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return python_list(f"from {module} import (", *names, end=")")


def python_list(start: str, *items: str, end: str) -> str:
    """A bracket and what is in it, wrapped as ruff would have it."""
    line = f"{start}{', '.join(items)}{end}"
    if len(line) <= WIDTH:
        return line
    indent = " " * (len(start) - len(start.lstrip()) + 4)
    listed = "".join(f"{indent}{item},\n" for item in items)
    return f"{start}\n{listed}{indent[4:]}{end}"


def quoted(text: str) -> str:
    """A basic string of TOML, which is also one of YAML and of JSON."""
    return json.dumps(text, ensure_ascii=False)


def compose(text: str) -> str:
    """A string in a compose file, where $ starts a variable."""
    return quoted(text).replace("$", "$$")


def dockerfile(text: str) -> str:
    """The value of a LABEL."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def markdown(text: str) -> str:
    """A line of Markdown that shows the text and no mark-up."""
    escaped = re.sub(r"([\\`*_\[\]<>#|&~$])", r"\\\1", text)
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escaped)
