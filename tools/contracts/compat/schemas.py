"""What a change of a JSON Schema does to those who read and write its documents.

A rule's verdict follows from the documents that the two schemas accept: a request may
accept more, a response may only be written more narrowly, an event neither. Writers
are taken to be closed (they write members that their schema names, or that an
``additionalProperties`` allows), and readers to be tolerant.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Final

from tools.contracts.compat._items import compare_items
from tools.contracts.compat._layers import (
    Alternative,
    Conjunction,
    Expanded,
    Said,
    expand,
    straight,
)
from tools.contracts.compat._members import compare_members
from tools.contracts.compat._report import Report, Where
from tools.contracts.compat._rules import RULES, Rule
from tools.contracts.compat._same import identical, same, same_said
from tools.contracts.compat._scalars import (
    compare_bounds,
    compare_sets,
    compare_types,
    compare_values,
)
from tools.contracts.compat._shape import Shape, without
from tools.contracts.compat._unions import (
    compare_discriminators,
    compare_unions,
    name_of,
    overlaps,
    shapes_of,
)
from tools.contracts.compat._values import canonical, shown
from tools.contracts.compat.finding import Finding, Impact, Surface
from tools.contracts.compat.place import Place

__all__ = ["RULES", "Rule", "compare_schemas"]

_UNKNOWN: Final = "Somebody may fail: who, and on what, the gate can't tell."
_WORDS: Final = {
    "title": "title-changed",
    "description": "description-changed",
    "examples": "examples-changed",
    "example": "examples-changed",
    "deprecated": "deprecated-changed",
    "$comment": "comment-changed",
}
_WHOLE: Final = frozenset(
    (
        "patternProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "$dynamicRef",
        "$recursiveRef",
    )
)
"""Keywords that mean something else when the keywords beside them change."""
_ACCESS: Final = {"readOnly": "read-only", "writeOnly": "write-only"}


def compare_schemas(before: Place, after: Place, surface: Surface) -> Iterator[Finding]:
    """Every difference between two JSON Schemas, each once.

    Args:
        before: The baseline's schema.
        after: The newer one.
        surface: Where documents of it go.

    Raises:
        PlaceError: A ``$ref`` in one of them leads nowhere, or back to itself.
    """
    comparison = _Comparison(surface, ())
    comparison.compare((before,), (after,), Where(before, after))
    yield from comparison.report.findings


class _Comparison:
    def __init__(
        self, surface: Surface, seen: Iterable[tuple[Conjunction, Conjunction, bool]]
    ) -> None:
        self.report = Report(surface)
        self._seen = set(seen)

    def compare(
        self,
        before: Conjunction,
        after: Conjunction,
        where: Where,
        *,
        member: bool = False,
    ) -> None:
        if len(before) == len(after) == 1:
            self._renamed(before[0].step(), after[0].step(), where)
        before, after = straight(before), straight(after)
        key = before, after, member
        if key in self._seen:  # a schema that holds itself, or was compared elsewhere
            return
        self._seen.add(key)
        if identical(before, after):
            return
        old, new = expand(before), expand(after)
        self._words(old, new, member)
        if _untold(old, new) and not same(before, after):
            says = "It has changed, and is of a kind that the gate can't compare."
            self._unknown(where.after, where.before.node, where.after.node, says)
            return
        olds, null_before = shapes_of(old, where.before)
        news, null_after = shapes_of(new, where.after)
        if null_before != null_after and not _told_by_type(olds, news, null_before):
            self._null(where, allowed=null_after)
        compare_discriminators(self, old, new, olds, news)
        if len(olds) == len(news) == 1:
            self.shapes(olds[0], news[0], where)
        else:
            compare_unions(self, olds, news, where)

    def shapes(self, before: Shape, after: Shape, where: Where) -> None:
        report = self.report
        self._branches(before.alternative, after.alternative, where)
        types = compare_types(report, before, after, where)
        compare_values(report, before, after)
        compare_bounds(report, before, after, types)
        compare_sets(report, before, after, types)
        if "object" in types:
            compare_members(self, before, after, where)
        if "array" in types:
            compare_items(self, before, after, where)
        self._odd(before, after, where)

    def attempt(self, before: Shape, after: Shape, surface: Surface) -> list[Finding]:
        # What is being compared is taken to hold, or recursive unions never end. If it
        # does not hold, a finding says so at its own place.
        trial = _Comparison(surface, self._seen)
        trial.shapes(before, after, Where(before.where, after.where))
        return trial.report.findings

    def _renamed(self, before: Place | None, after: Place | None, where: Where) -> None:
        if before is None or after is None:
            return
        old = name_of(before.document, before.pointer)
        new = name_of(after.document, after.pointer)
        if old != new:
            says = f"The definition {old} is {new} now."
            self.report.add("reference-renamed", where.after, old, new, says)

    def _words(self, before: Expanded, after: Expanded, member: bool) -> None:
        for keyword in (*_WORDS, *_ACCESS, "$id", *(() if member else ("default",))):
            self._word(keyword, before.said(keyword), after.said(keyword))

    def _branches(self, before: Alternative, after: Alternative, where: Where) -> None:
        for keyword in (*_WORDS, *_ACCESS, "default"):
            self._word(keyword, before.said(keyword), after.said(keyword))
        if before.place and after.place and before.refs and after.refs:
            there = Where(before.place, after.place)
            self._renamed(before.refs[-1], after.refs[-1], there)

    def _word(self, keyword: str, before: Said | None, after: Said | None) -> None:
        if _value(before) == _value(after):
            return
        old = shown(before.value) if before else "nothing"
        new = shown(after.value) if after else "nothing"
        if keyword in _ACCESS:
            self._access(keyword, before, after)
        elif keyword == "$id":
            if before and after and before.place.document == after.place.document:
                says = f"Its name was {old}, and is {new}."
                self._unknown(after.place, before.value, after.value, says)
        elif keyword == "default":
            rule = "changed" if before and after else "added" if after else "removed"
            self.report.keyword(
                f"default-{rule}",
                before,
                after,
                f"The default was {old}, and is {new}.",
                impact=Impact.WORDING,  # of no member: nobody can leave it out
            )
        else:
            says = f"The keyword {keyword} has changed."
            self.report.keyword(_WORDS[keyword], before, after, says)

    def _access(self, keyword: str, before: Said | None, after: Said | None) -> None:
        old, new = bool(before and before.value), bool(after and after.value)
        if old == new:
            return
        what = "for reading" if keyword == "readOnly" else "for writing"
        self.report.keyword(
            f"{_ACCESS[keyword]}-{'added' if new else 'removed'}",
            before,
            after,
            f"It is {what} only." if new else f"It is no longer {what} only.",
            lost="it, which is for reading only",
            gained="a document without it, which is for writing only",
        )

    def _null(self, where: Where, *, allowed: bool) -> None:
        self.report.add(
            "null-allowed" if allowed else "null-refused",
            where.after,
            where.before.node,
            where.after.node,
            "It may be null now." if allowed else "It may no longer be null.",
            lost="" if allowed else "null",
            gained="null" if allowed else "",
        )

    def _odd(self, before: Shape, after: Shape, where: Where) -> None:
        olds, news = before.odd(), after.odd()
        for keyword in sorted({*olds, *news}):
            old, new = olds.get(keyword, []), news.get(keyword, [])
            if len(old) == len(new) and all(
                same_said(keyword, b, a) for b, a in zip(old, new, strict=True)
            ):
                continue
            place = new[0].place if new else old[0].place if old else where.after
            says = f"{keyword or 'The schema'} has changed, and the gate has no rule "
            says += "for it."
            was, now = (old[0].value if old else None), (new[0].value if new else None)
            self._unknown(place, was, now, says)

    def _unknown(self, place: Place, before: Any, after: Any, says: str) -> None:
        self.report.add("schema-changed", place, before, after, says, breaks=_UNKNOWN)


def _value(said: Said | None) -> Hashable:
    return None if said is None else (canonical(said.value),)


def _untold(before: Expanded, after: Expanded) -> bool:
    return any(
        side.too_many or overlaps(side) or side.odd() & _WHOLE
        for side in (before, after)
    )


def _told_by_type(olds: list[Shape], news: list[Shape], null_before: bool) -> bool:
    """Whether null is one of all types that came or went."""
    if len(olds) != 1 or len(news) != 1:
        return False
    wide, narrow = (olds[0], news[0]) if null_before else (news[0], olds[0])
    anything = wide.said_types is None and wide.values is None
    return anything and bool(without(wide.types, narrow.types))
