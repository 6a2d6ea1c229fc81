"""Findings as they are made: the verdict of a rule, who breaks, and the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tools.contracts.compat._layers import Conjunction, Said
from tools.contracts.compat._rules import RULES
from tools.contracts.compat._shape import Shape
from tools.contracts.compat.finding import Finding, Impact, Surface
from tools.contracts.compat.place import Place

_LOST: Final = {
    Surface.REQUEST: "Clients that send {} get 422.",
    Surface.EVENT: "Consumers of today refuse stored events with {}.",
}
_GAINED: Final = {
    Surface.RESPONSE: "Clients of the old contract fail on {}.",
    Surface.EVENT: "Consumers of the old contract fail on {}.",
}
_KEEP: Final = {
    Surface.REQUEST: "Accept what was accepted before",
    Surface.RESPONSE: "Write only what was written before",
    Surface.EVENT: "Leave it as it was",
}
_BESIDE: Final = {
    Surface.REQUEST: "add a new optional member or operation beside it",
    Surface.RESPONSE: "add a new member or operation beside it",
    Surface.EVENT: "add a new version of the event with an upcaster",
}
_ACCEPT: Final = "or accept it in contracts/accepted.toml with a reason"


@dataclass(frozen=True, slots=True)
class Where:
    """Two schemas that are compared; to point at where a keyword is missing."""

    before: Place
    after: Place


@dataclass(slots=True)
class Report:
    """Collects findings, each once."""

    surface: Surface
    findings: list[Finding] = field(default_factory=list)
    _made: set[tuple[str, str, str, str]] = field(default_factory=set)

    @property
    def forward(self) -> bool:
        """Whether documents of the old contract meet readers of the new one."""
        return self.surface is not Surface.RESPONSE

    @property
    def backward(self) -> bool:
        """Whether documents of the new contract meet readers of the old one."""
        return self.surface is not Surface.REQUEST

    def add(
        self,
        rule: str,
        place: Place,
        before: Any,
        after: Any,
        says: str,
        *,
        lost: str = "",
        gained: str = "",
        breaks: str = "",
        instead: str = "",
        impact: Impact | None = None,
    ) -> None:
        """Add a finding.

        Args:
            rule: Its id.
            place: In the newer schema, unless it is gone there.
            before: What the baseline says there.
            after: What the newer one says.
            says: One sentence.
            lost: Documents that were accepted and are not now, in a few words.
            gained: Documents that are accepted and were not.
            breaks: Instead of the sentence made of *lost* and *gained*.
            instead: The first way out, if there is a better one than to go back.
            impact: Instead of the rule's verdict on this surface.
        """
        key = (rule, place.document, place.pointer, says)
        if key in self._made:
            return
        self._made.add(key)
        impact = impact or RULES[rule].on(self.surface)
        way_out = ""
        if impact is Impact.BREAKING:
            breaks = breaks or self._breaks(lost, gained)
            ways = [instead or _KEEP[self.surface], _BESIDE[self.surface], _ACCEPT]
            way_out = ", ".join(ways) + "."
        else:
            breaks = ""
        document, pointer = place.document, place.pointer
        self.findings.append(
            Finding(
                rule, impact, document, pointer, before, after, says, breaks, way_out
            )
        )

    def keyword(
        self,
        rule: str,
        before: Said | None,
        after: Said | None,
        says: str,
        *,
        where: Where | None = None,
        lost: str = "",
        gained: str = "",
        impact: Impact | None = None,
    ) -> None:
        """Add a finding about a keyword, at the place where it stands."""
        place = after.place if after else before.place if before else None
        if place is None:
            if where is None:
                raise ValueError(f"{rule}: neither schema says it anywhere.")
            place = where.after
        self.add(
            rule,
            place,
            before.value if before else None,
            after.value if after else None,
            says,
            lost=lost,
            gained=gained,
            impact=impact,
        )

    def _breaks(self, lost: str, gained: str) -> str:
        sentences = []
        if lost and self.surface in _LOST:
            sentences.append(_LOST[self.surface].format(lost))
        if gained and self.surface in _GAINED:
            sentences.append(_GAINED[self.surface].format(gained))
        return " ".join(sentences)


class Comparing(Protocol):
    """What the parts of a comparison call each other through."""

    @property
    def report(self) -> Report:
        """Where findings go."""

    def compare(
        self,
        before: Conjunction,
        after: Conjunction,
        where: Where,
        *,
        member: bool = False,
    ) -> None:
        """Compare two schemas below these; *member* says that a default matters."""

    def shapes(self, before: Shape, after: Shape, where: Where) -> None:
        """Compare two alternatives."""

    def attempt(self, before: Shape, after: Shape, surface: Surface) -> list[Finding]:
        """What comparing two alternatives would find, without reporting it."""
