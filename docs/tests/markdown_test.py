"""Code blocks in Markdown."""

from __future__ import annotations

import pytest

from docs.markdown import Block, blocks, code_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nx = 1\n```\n", [Block(2, "python", "x = 1\n")]),
        ("a\n\n    x = 1\n", [Block(3, "", "x = 1\n")]),
        ("1. a\n\n   ```sh\n   ls\n   ```\n", [Block(4, "sh", "ls\n")]),
        ("1. a\n\n       ls\n", [Block(3, "", "ls\n")]),
        ("> ```\n> x\n> ```\n", [Block(2, "", "x\n")]),
        ("~~~json title\n{}\n~~~\n", [Block(2, "json", "{}\n")]),
        ("`x` and\n    not code\n", []),
    ],
)
def test_every_form_of_code_is_found(text: str, expected: list[Block]) -> None:
    """Fenced and indented, in lists and quotes, with the line of its first code."""
    assert list(blocks(text)) == expected


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("<!-- file: a -->\n```\nx\n```\n", "file: a"),
        ("<!-- file: a -->\n    x\n", "file: a"),
        ("<!-- file: a -->\n\n    x\n", "file: a"),
        ("<!-- no-run: a\nb -->\n```\nx\n```\n", "no-run: a\nb"),
        ("1. a\n\n   <!-- file: a -->\n   ```\n   x\n   ```\n", "file: a"),
        ("<!-- file: a -->\n\n```\nx\n```\n", ""),
        ("<!-- file: a -->\n\nwords\n\n    x\n", ""),
        ("<!-- file: a -->\n```\ny\n```\n```\nx\n```\n", ""),
    ],
)
def test_a_comment_belongs_to_the_block_behind_it(text: str, comment: str) -> None:
    """On the line before it, and to no other."""
    assert list(blocks(text))[-1].comment == comment


def test_code_and_comments_are_no_prose() -> None:
    """Lines are counted from 0."""
    text = "a\n<!-- b -->\n```\nc\n```\nd\n\n    e\n"

    assert code_lines(text) == {1, 2, 3, 4, 7}
