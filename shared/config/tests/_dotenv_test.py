from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from shared.config._dotenv import Assignment, BadLine, read_dotenv


def pairs(text: str) -> list[tuple[str, str]]:
    """What is assigned; anything else fails the test."""
    entries = [*read_dotenv(text)]
    assert [entry for entry in entries if isinstance(entry, BadLine)] == []
    return [(e.name, e.value) for e in entries if isinstance(e, Assignment)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A=", ""),
        ("  export  A = b  ", "b"),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A=#c", "#c"),
        ("A= # comment", ""),
        ("A=b c", "b c"),
        ("A=it's", "it's"),
        ("A='b # c'", "b # c"),
        ("A='b' # comment", "b"),
        (r"A='it\'s \\ \n'", r"it's \ \n"),
        ("A='${B} $C'", "${B} $C"),
        ('A="$B"', "$B"),
        ("A=5$", "5$"),
        ("A=a$1", "a$1"),
        ('A="b\\n\\tc \\"d\\" \\\\ \\q"', 'b\n\tc "d" \\ \\q'),
        ('A="one\ntwo"', "one\ntwo"),
        ("A='one\r\ntwo'", "one\ntwo"),
        ("\ufeffA=b", "b"),
        ("A=postgresql://u:p@h/db?x=1&y=2", "postgresql://u:p@h/db?x=1&y=2"),
    ],
)
def test_values(text: str, value: str) -> None:
    """The dialect, case by case."""
    assert pairs(text) == [("A", value)]


def test_lines_are_counted() -> None:
    """A value of several lines is in its first one; blanks and comments count."""
    text = "# one\n\nA='3\n4'\r\nB=5\n  # six\nC=7"

    assert [*read_dotenv(text)] == [
        Assignment(3, "A", "3\n4"),
        Assignment(5, "B", "5"),
        Assignment(7, "C", "7"),
    ]


@pytest.mark.parametrize(
    "line",
    ["hunter2", "A: hunter2", "= hunter2", "A='hunter2", 'A="hunter2" x', "1=hunter2"],
)
def test_no_assignment(line: str) -> None:
    """A line that can't be read is told by its number; the others are read."""
    good, bad = [*read_dotenv(f"B=1\n{line}")]

    assert good == Assignment(1, "B", "1")
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.name) == (2, None)
    assert "hunter2" not in bad.rule + bad.advice


@pytest.mark.parametrize(
    "line", ["A=${B}", 'A="x${B:-c}"', "A=x${B", "A=$B", "A=a$_b", "A=a$$b"]
)
def test_expansion_is_refused(line: str) -> None:
    """Some tools expand it and some do not, so the file would mean two things."""
    (bad,) = read_dotenv(line)

    assert isinstance(bad, BadLine)
    assert bad.name == "A"
    assert "is not expanded here" in bad.rule


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
PLAIN = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"#$\\`"),
)
QUOTED = st.text(st.sampled_from("ab #=\n\"'\\é$"))


def quoted(value: str) -> str:
    """*value* in single quotes."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@given(
    values=st.dictionaries(NAMES, PLAIN | QUOTED.map(quoted), max_size=5),
    comment=st.sampled_from(["", "# comment\n", "\n"]),
)
def test_agrees_with_pydantic_settings(values: dict[str, str], comment: str) -> None:
    """What both read, both read alike: one file serves many tools."""
    text = "".join(f"{comment}{name}={value}\n" for name, value in values.items())
    with TemporaryDirectory() as folder:
        file = Path(folder, ".env")
        file.write_text(text, encoding="utf-8")
        source = DotEnvSettingsSource(BaseSettings, env_file=file, case_sensitive=True)
        theirs = dict(source.env_vars)

    assert dict(pairs(text)) == theirs


@given(value=QUOTED)
def test_single_quotes_hold_anything(value: str) -> None:
    """What is written in quotes comes back."""
    assert pairs(f"A={quoted(value)} # end\nB=1") == [("A", value), ("B", "1")]


@given(text=st.text(st.sampled_from("AB='\"#\\ \n$\r${}export")))
def test_every_text_is_read_to_its_end(text: str) -> None:
    """No file makes the parser stop, fail or lose count."""
    lines = [entry.line for entry in read_dotenv(text)]

    assert lines == sorted(set(lines))
