"""Code blocks in a page of Markdown, found by the parser that the site uses too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser

_CODE = ("fence", "code_block")
_PARSER = create_md_parser(MdParserConfig(), DocutilsRenderer)


@dataclass(frozen=True)
class Block:
    """One code block, fenced or indented."""

    line: int
    """Of its first line of code, counted from 1."""
    language: str
    """As the fence gives it; "" for one without, and for an indented block."""
    code: str
    comment: str = ""
    """The HTML comment on the line before it, without its marks."""


def blocks(text: str) -> Iterator[Block]:
    """Every code block of the page *text*, in order; those in lists and quotes too."""
    tokens: Sequence[Any] = _PARSER.parse(text)
    comment, comment_ends = "", -1
    for token in tokens:
        if token.type in ("html_block", "myst_line_comment"):
            found = token.content.strip()
            if found.startswith("<!--") and found.endswith("-->"):
                comment, comment_ends = found[4:-3].strip(), _end(text, token.map)
        elif token.type in _CODE:
            fence = token.type == "fence"
            start = token.map[0]
            info = token.info.split()[0] if fence and token.info.strip() else ""
            beside = start == comment_ends or (not fence and start == comment_ends + 1)
            yield Block(
                start + (2 if fence else 1), info, token.content, comment * beside
            )


def _end(text: str, lines: Sequence[int]) -> int:
    """The line after a comment; the parser may count the empty ones behind it too."""
    end = lines[1]
    while end > lines[0] and not text.splitlines()[end - 1].strip():
        end -= 1
    return end


def code_lines(text: str) -> frozenset[int]:
    """The lines of *text* that are code or HTML, counted from 0."""
    return frozenset(
        number
        for token in _PARSER.parse(text)
        if token.type in (*_CODE, "html_block") and token.map
        for number in range(*token.map)
    )
