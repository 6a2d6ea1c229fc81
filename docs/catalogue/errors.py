"""The codes of errors.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docs.catalogue.parts import anchor


@dataclass(frozen=True)
class ErrorEntry:
    """A code that a reply may have."""

    id: str
    code: str
    statuses: tuple[int, ...]
    """The usual one first."""
    title: str
    when: str
    type: str
    package: str
    """That declares it."""
    service: str
    """The only service that answers with it; empty for the kernel's codes."""


def errors_of(document: Mapping[str, Any]) -> tuple[ErrorEntry, ...]:
    """Every code: the kernel's by status and name, then those of services."""
    found = [*_listed(document["kernel"], "")]
    for service, entries in sorted(document["services"].items()):
        found += _listed(entries, service)
    return tuple(found)


def _listed(entries: list[Mapping[str, Any]], service: str) -> Iterator[ErrorEntry]:
    for entry in sorted(entries, key=lambda each: (each["status"], each["code"])):
        names = [service, entry["code"]] if service else [entry["code"]]
        yield ErrorEntry(
            id=anchor("error", *names),
            code=entry["code"],
            statuses=(entry["status"], *entry["other_statuses"]),
            title=entry["title"],
            when=entry["when"],
            type=entry["type"],
            package=entry["package"],
            service=service,
        )
