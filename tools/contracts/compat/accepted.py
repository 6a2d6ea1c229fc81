"""``contracts/accepted.toml``: breaking changes that were made on purpose.

    [[accepted]]
    rule = "property-removed"
    document = "dtos/UserResponseDTO.schema.json"
    pointer = "/properties/fax"
    before = '{"type": "string"}'
    after = "null"
    since = "1.0.0"
    reason = "No client reads it: the field was never filled."

An entry accepts one rule at one place, against the baseline ``since`` and newer ones,
as long as ``before`` became ``after``: who accepted a maximum of 10 did not accept one
of 5, and what stood at the third place of a list may stand elsewhere in another
release. The gate shows the entry that it misses.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.place import PlaceError, tokens_of
from tools.contracts.compat.versions import Version

_WORDS: Final = 3
"""That a reason has at least."""
_LONGEST: Final = 100
"""Characters of a value that stands in an entry as it is."""


class AcceptedError(ValueError):
    """The file can't be used. The message is one line: the entry, what is wrong."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted change."""

    rule: str
    document: str
    pointer: str
    before: str
    """What stood there in the baseline, as `stamp` writes it."""
    after: str
    """What stands there now."""
    since: Version
    reason: str

    def accepts(self, finding: Finding, baseline: Version) -> bool:
        """Whether *finding*, made against *baseline*, is this change."""
        return (
            baseline >= self.since
            and finding.impact is Impact.BREAKING
            and (finding.rule, finding.document, finding.pointer)
            == (self.rule, self.document, self.pointer)
            and (stamp(finding.before), stamp(finding.after))
            == (self.before, self.after)
        )

    def __str__(self) -> str:
        return f"{self.rule} at {self.document}#{self.pointer} since {self.since}"


def stamp(value: Any) -> str:
    """A JSON value in one line; what is long by its SHA-256."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(text) <= _LONGEST:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def entry_for(finding: Finding, since: str) -> list[str]:
    """The lines that accept *finding*, but for the reason."""
    members = {
        "rule": finding.rule,
        "document": finding.document,
        "pointer": finding.pointer,
        "before": stamp(finding.before),
        "after": stamp(finding.after),
        "since": since,
        "reason": "",
    }
    # Text in JSON is text in TOML, too.
    return [
        "[[accepted]]",
        *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in members.items()),
    ]


_KEYS: Final = tuple(field.name for field in fields(Entry))


def read_accepted(
    path: Path, *, rules: Collection[str], versions: Sequence[Version]
) -> list[Entry]:
    """Read the file.

    Args:
        path: Where it is; a file that is not there accepts nothing.
        rules: The names that ``rule`` may have.
        versions: The baselines that there are.

    Raises:
        AcceptedError: It is no TOML, or an entry is not as it must be.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AcceptedError(f"{path} can't be read: {error.strerror}.") from None
    except ValueError as error:  # no TOML, no UTF-8
        raise AcceptedError(f"{path} is no TOML: {error}.") from None
    if unknown := sorted(document.keys() - {"accepted"}):
        raise AcceptedError(
            f"{path}: {unknown[0]} is unknown; the file holds [[accepted]] only."
        )
    tables = document.get("accepted", [])
    if not isinstance(tables, list):
        raise AcceptedError(f"{path}: write [[accepted]], with two brackets.")
    entries: list[Entry] = []
    for number, table in enumerate(tables, 1):
        try:
            entry = _entry(table, rules, versions)
            if _key(entry) in map(_key, entries):
                raise ValueError("it stands there twice.")
        except ValueError as error:
            raise AcceptedError(f"{path}: entry {number}: {error}") from None
        entries.append(entry)
    return entries


def _key(entry: Entry) -> Entry:
    return replace(entry, reason="")


def _entry(table: Any, rules: Collection[str], versions: Sequence[Version]) -> Entry:
    if not isinstance(table, dict):
        raise ValueError("it must be a table.")
    if unknown := sorted(table.keys() - set(_KEYS)):
        raise ValueError(f"{unknown[0]} is unknown; it has {', '.join(_KEYS)}.")
    for key in _KEYS:
        if key not in table:
            raise ValueError(f"{key} is missing.")
        if not isinstance(table[key], str):
            raise ValueError(f"{key} must be text.")
    for key in ("rule", "document", "since"):
        if "*" in table[key]:
            raise ValueError(f"{key} must name one; there are no wildcards.")
    if table["rule"] not in rules:
        raise ValueError(f"there is no rule {table['rule']!r}.")
    try:
        tokens = tokens_of(table["pointer"])
    except PlaceError as error:
        raise ValueError(f"pointer: {error}") from None
    if {"*", "**"} & set(tokens):
        raise ValueError("pointer must name one place; there are no wildcards.")
    try:
        since = Version.parse(table["since"])
    except ValueError as error:
        raise ValueError(f"since: {error}") from None
    if since not in versions:
        raise ValueError(f"since: there is no release {since}.")
    if len(table["reason"].split()) < _WORDS:
        raise ValueError("reason must say why in a few words.")
    return Entry(**{**table, "since": since})
