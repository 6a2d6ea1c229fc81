"""Reads requirement files in which every distribution is pinned by hash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tools.bazelw.console import Trouble
from tools.bazelw.files import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PINNED = re.compile(r"[\w.-]+(\[[\w., -]*\])? ?== ?[\w.!+-]+ ?(;.*)?")
_HASH = re.compile(r"\s--hash=sha256:([0-9a-f]{64})\b")
_COMMENT = re.compile(r"(^|\s)#.*")
_WHEEL = re.compile(
    r'"https?://[^"]*/(?P<name>[^-"/]+)-(?P<version>[^-"/]+)-[^"/]*\.whl",\s*'
    r'"(?P<sha256>[0-9a-f]{64})"'
)


class Entry(NamedTuple):
    """One pinned distribution.

    Attributes:
        requirement: ``name==version``, with its marker where it has one.
        hashes: SHA-256 of each file it may be, in hex, sorted.
    """

    requirement: str
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The distribution."""
        return re.split(r"[\[ =]", self.requirement)[0]

    @property
    def conditional(self) -> bool:
        """Whether a marker may exclude it on this machine."""
        return ";" in self.requirement

    @property
    def key(self) -> str:
        """A name that only this very pin has."""
        return digest(self.line)

    @property
    def line(self) -> str:
        """The line that pip reads."""
        options = [f"--hash=sha256:{value}" for value in self.hashes]
        return " ".join([self.requirement, *options])


def read(path: Path) -> list[Entry]:
    """The entries of a lock file; none when there is no such file.

    Raises:
        Trouble: An entry isn't pinned to one version, or has no hash.
    """
    if not path.exists():
        return []
    lines = _logical_lines(path.read_text())
    return [_entry(text, f"{path.name}:{number}") for number, text in lines]


def wheels_named_in(starlark: str) -> list[Entry]:
    """The wheels that a .bzl file downloads: its ``"<url>", "<sha256>"`` pairs."""
    return [
        Entry(f"{match['name']}=={match['version']}", (match["sha256"],))
        for match in _WHEEL.finditer(starlark)
    ]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line that says something, with those that continue it, and its number."""
    logical = ""
    start = 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        start = start if logical else number
        logical += _COMMENT.sub("", line) if "#" in line else line
        if logical.endswith("\\"):
            logical = f"{logical[:-1]} "
        else:
            if logical.strip():
                yield start, logical.strip()
            logical = ""


def _entry(text: str, place: str) -> Entry:
    requirement = " ".join(text.partition(" --hash=")[0].split())
    hashes = _HASH.findall(text)
    problem = None
    if not _PINNED.fullmatch(requirement):
        problem = "is not pinned as name==version"
    elif not hashes:
        problem = "has no --hash=sha256:..., so nothing says which file it is"
    if problem:
        raise Trouble(
            f"{place}: {requirement!r} {problem}. "
            "Restore the file, or write it anew: ./bazelw run //:lock"
        )
    return Entry(requirement, tuple(sorted(hashes)))
