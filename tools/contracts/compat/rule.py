"""What a rule of the gate is: a name, and what such a change does to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.place import Place


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of change. Its row in contracts/README.md has the same name."""

    name: str
    impact: Impact
    text: str
    """One line: what has changed."""
    breaks: str = ""
    """Who fails, and how; empty unless it is breaking."""
    way_out: str = ""
    """What to do instead; empty unless it is breaking."""

    def found(
        self, at: Place, says: str, before: Any = None, after: Any = None
    ) -> Finding:
        """The finding that this change was made at a place."""
        return Finding(
            rule=self.name,
            impact=self.impact,
            document=at.document,
            pointer=at.pointer,
            before=before,
            after=after,
            says=says,
            breaks=self.breaks,
            way_out=self.way_out,
        )


def breaking(name: str, text: str, breaks: str, way_out: str) -> Rule:
    """A rule whose change makes somebody fail."""
    return Rule(name, Impact.BREAKING, text, breaks, way_out)


def addition(name: str, text: str) -> Rule:
    """A rule whose change nobody needs to know of."""
    return Rule(name, Impact.ADDITION, text)


def wording(name: str, text: str) -> Rule:
    """A rule whose change only people notice."""
    return Rule(name, Impact.WORDING, text)
