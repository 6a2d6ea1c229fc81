"""Findings for people, and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.versions import step_asked_by

_ORDER: Final = tuple(Impact)
_SHORT: Final = 160
"""Characters of a value; the rest is in the file."""

_CODES: Final = {
    Impact.BREAKING: "\x1b[1;31m",
    Impact.ADDITION: "\x1b[32m",
    Impact.WORDING: "\x1b[2m",
}
_BOLD: Final = "\x1b[1m"
_PLAIN: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Group:
    """A finding, and the names of the baselines that it was made against."""

    finding: Finding
    against: list[str] = field(default_factory=list)


def sort_key(finding: Finding) -> tuple[Any, ...]:
    """By document; in it what breaks first."""
    return (
        finding.document,
        _ORDER.index(finding.impact),
        finding.pointer,
        finding.rule,
        repr((finding.before, finding.after)),
    )


def render(
    groups: Sequence[Group], title: str, *, colour: bool = False
) -> Iterator[str]:
    """The lines for people: by document, what breaks first."""
    yield _painted(f"{title}: {_counted(g.finding for g in groups)}", _BOLD, colour)
    document = None
    # Documents in which something breaks stand above the others.
    broken = {
        group.finding.document
        for group in groups
        if group.finding.impact is Impact.BREAKING
    }
    for group in sorted(
        groups, key=lambda g: (g.finding.document not in broken, *sort_key(g.finding))
    ):
        if group.finding.document != document:
            document = group.finding.document
            yield ""
            yield _painted(_printable(document), _BOLD, colour)
        yield from _lines(group, colour)


def _lines(group: Group, colour: bool) -> Iterator[str]:
    finding = group.finding
    impact = finding.impact.value
    word = impact.upper() if finding.impact is Impact.BREAKING else impact
    head = _painted(f"{word:<9}", _CODES[finding.impact], colour)
    yield f"  {head} {finding.rule}  #{_printable(finding.pointer)}"
    yield f"            {_printable(finding.says)}"
    if finding.before is not None or finding.after is not None:
        yield f"            before: {_value(finding.before)}"
        yield f"            after:  {_value(finding.after)}"
    if finding.breaks:
        yield f"            breaks: {_printable(finding.breaks)}"
    if finding.way_out:
        yield f"            do:     {_printable(finding.way_out)}"
    if group.against:
        yield f"            against {', '.join(group.against)}"


def document_of(before: str, after: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """What ``--json`` prints; members are added to it and never change."""
    counts = Counter(finding.impact for finding in findings)
    return {
        "before": before,
        "after": after,
        "step": step_asked_by(findings).value,
        "counts": {impact.value: counts[impact] for impact in Impact},
        "findings": [
            {
                "rule": finding.rule,
                "impact": finding.impact.value,
                "document": finding.document,
                "pointer": finding.pointer,
                "before": finding.before,
                "after": finding.after,
                "says": finding.says,
                "breaks": finding.breaks,
                "way_out": finding.way_out,
            }
            for finding in sorted(findings, key=sort_key)
        ],
    }


def _counted(findings: Iterable[Finding]) -> str:
    counts = Counter(finding.impact for finding in findings)
    if not counts:
        return "no difference"
    words = {
        Impact.BREAKING: ("breaking", "breaking"),
        Impact.ADDITION: ("addition", "additions"),
        Impact.WORDING: ("change of wording", "changes of wording"),
    }
    return ", ".join(
        f"{counts[impact]} {words[impact][counts[impact] != 1]}"
        for impact in Impact
        if counts[impact]
    )


def _value(value: Any) -> str:
    if value is None:
        return "-"
    text = _printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def _printable(text: str) -> str:
    """Without what would move a terminal: the text may come from anybody's bundle."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _painted(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_PLAIN}" if colour else text
