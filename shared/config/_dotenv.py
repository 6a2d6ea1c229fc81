"""Reading ``.env``: the lines that python-dotenv, Docker and shells read alike.

``NAME=value``, ``export NAME=value``; a value may be quoted and then hold line breaks;
``#`` after a blank begins a comment. What those tools read differently is refused
instead of guessed: ``${NAME}``, and ``$NAME`` outside of quotes, which one expands and
the other doesn't, and a line that is no assignment.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(
    r"""
    [^\S\n]* (?:export[^\S\n]+)? (?P<name>[A-Za-z_][A-Za-z0-9_.-]*) [^\S\n]*=[^\S\n]*
    (?:
        '(?P<single>(?:[^'\\]|\\.)*)'
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<plain>[^'"\n][^\n]*?)??
    )
    [^\S\n]* (?:(?<=\s)\#[^\n]*)? (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"[^\S\n]*(?:\#[^\n]*)?(?:\n|\Z)")
_REST = re.compile(r"[^\n]*(?:\n|\Z)")
_EXPANDED = re.compile(r"\$[A-Za-z_]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name=value`` in the line of this number."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be read, and why; without its text."""

    line: int
    rule: str
    advice: str
    name: str | None = None


def read_dotenv(text: str) -> Iterator[Assignment | BadLine]:
    """Yield what the lines of *text* say, in their order."""
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    position, line = 0, 1
    while position < len(text):
        if match := _BLANK.match(text, position):
            pass
        elif match := _LINE.match(text, position):
            yield _assignment(match, line)
        else:
            match = _REST.match(text, position)
            assert match  # noqa: S101 - it matches anything
            yield BadLine(
                line,
                "Is no assignment, or its quotes don't close.",
                "Write NAME=value, or NAME='value with blanks'.",
            )
        line += text.count("\n", position, match.end())
        position = match.end()


def _assignment(match: re.Match[str], line: int) -> Assignment | BadLine:
    name = match["name"]
    if (single := match["single"]) is not None:
        return Assignment(line, name, re.sub(r"\\(['\\])", r"\1", single))
    if (value := match["double"]) is not None:
        escaped = _ESCAPE.sub(lambda found: _unescape(found[1]), value)
    else:
        value = escaped = match["plain"] or ""
    if "${" in value or _EXPANDED.search(match["plain"] or ""):
        written = "${...}" if "${" in value else "$NAME"
        return BadLine(
            line,
            f"{written} is not expanded here, and other tools do expand it.",
            "Write the value itself, or in single quotes if it is meant as it stands.",
            name,
        )
    return Assignment(line, name, escaped)


def _unescape(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    return character if character in "\\\"'" else f"\\{character}"
