"""Laws about requirements.in and requirements_lock.txt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.checks.law import Finding
from tools.checks.repository import Repository

ASKED = "requirements.in"
LOCK = "requirements_lock.txt"
_RELOCK = "run ./bazelw run //:lock."
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?!\S)")


@dataclass(frozen=True)
class Entry:
    """One package of the lock: its first line, and all of its text."""

    line: int
    text: str

    @property
    def requirement(self) -> Requirement | None:
        """The part before the hashes, None if it can't be read."""
        try:
            return Requirement(self.text.partition("--hash=")[0].strip())
        except InvalidRequirement:
            return None


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines joined at backslashes, without comments and blank ones."""
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r"(^|\s)#.*", "", line)
        start = start if joined else number
        joined += code.removesuffix("\\") + " "
        if code.endswith("\\"):
            continue
        if joined.strip():
            yield start, joined.strip()
        joined = ""
    if joined.strip():
        yield start, joined.strip()


def requirements(repository: Repository) -> Iterator[tuple[int, Requirement]]:
    """What requirements.in asks for, by line."""
    for line, text in _logical_lines(repository.files.get(ASKED, "")):
        yield line, Requirement(text)


def entries(repository: Repository) -> list[Entry]:
    """The packages of the lock."""
    lines = _logical_lines(repository.files.get(LOCK, ""))
    return [Entry(*line) for line in lines if not line[1].startswith("-")]


def every_entry_is_pinned_by_hash(repository: Repository) -> Iterator[Finding]:
    """A lock entry is one version and the hashes of its files."""
    for entry in entries(repository):
        found = entry.requirement
        if found is None or not re.fullmatch(r"==[^*,]+", str(found.specifier)):
            yield Finding(
                LOCK,
                entry.line,
                "lock",
                f"{entry.text.split()[0]} is not pinned to one version.",
                _RELOCK,
            )
        elif not _HASH.search(entry.text):
            yield Finding(
                LOCK,
                entry.line,
                "lock",
                f"{found.name}{found.specifier} has no sha256 hash, so any file of "
                "that name would do.",
                _RELOCK,
            )


def lock_answers_what_is_asked(repository: Repository) -> Iterator[Finding]:
    """Every requirement is in the lock, in a version that it allows."""
    locked: dict[str, list[Requirement]] = {}
    for entry in entries(repository):
        if found := entry.requirement:
            locked.setdefault(canonicalize_name(found.name), []).append(found)
    for line, asked in requirements(repository):
        answers = locked.get(canonicalize_name(asked.name), [])
        if not answers:
            yield Finding(
                ASKED, line, "lock", f"{asked.name} is not in {LOCK}.", _RELOCK
            )
        for answer in answers:
            version = str(answer.specifier).removeprefix("==")
            if not asked.specifier.contains(version, prereleases=True):
                yield Finding(
                    ASKED,
                    line,
                    "lock",
                    f"{asked.name}{asked.specifier} is asked for, and {LOCK} has "
                    f"{version}.",
                    _RELOCK,
                )


LAWS = (every_entry_is_pinned_by_hash, lock_answers_what_is_asked)
