"""Unions: which branch of the old one is which of the new one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from tools.contracts.compat._layers import Expanded, Said, Union, expand
from tools.contracts.compat._report import Comparing, Where
from tools.contracts.compat._shape import Shape, shared
from tools.contracts.compat._values import canonical, listed
from tools.contracts.compat.finding import Finding, Impact, Surface

Key = Callable[[Shape], Hashable | None]


def shapes_of(expanded: Expanded, where: Any) -> tuple[list[Shape], bool]:
    """The alternatives that accept more than null, and whether one accepts null."""
    shapes = [
        Shape(
            (*expanded.common, *alternative.layers),
            alternative,
            alternative.place or where,
        )
        for alternative in expanded.alternatives
    ]
    nullable = any(shape.nullable for shape in shapes)
    return [shape for shape in shapes if not shape.impossible], nullable


def compare_unions(
    comparing: Comparing, before: list[Shape], after: list[Shape], where: Where
) -> None:
    """Report branches that came or went, and compare those that stayed."""
    olds = [part for shape in before for part in shape.split()]
    news = [part for shape in after for part in shape.split()]
    for old, new in _pairs(comparing, olds, news):
        comparing.shapes(old, new, Where(old.where, new.where))
    report = comparing.report
    for old in olds:
        if report.forward and _fits(comparing, old, after, Surface.REQUEST):
            continue
        report.add(
            "union-branch-removed",
            old.where,
            old.where.node,
            None,
            f"The form {label(old)} has gone.",
            lost=f"the form {label(old)}",
        )
    for new in news:
        if report.backward and _fits(comparing, new, before, Surface.RESPONSE):
            continue
        report.add(
            "union-branch-added",
            new.where,
            None,
            new.where.node,
            f"The form {label(new)} is new.",
            gained=f"the form {label(new)}",
        )


def _fits(
    comparing: Comparing, shape: Shape, others: list[Shape], surface: Surface
) -> bool:
    if surface is Surface.REQUEST:
        attempts = (comparing.attempt(shape, other, surface) for other in others)
    else:
        attempts = (comparing.attempt(other, shape, surface) for other in others)
    return any(not _breaks(findings) for findings in attempts)


def _breaks(findings: list[Finding]) -> bool:
    return any(finding.impact is Impact.BREAKING for finding in findings)


def _pairs(
    comparing: Comparing, olds: list[Shape], news: list[Shape]
) -> list[tuple[Shape, Shape]]:
    """Take pairs out of both lists; what is left came or went."""
    pairs = []
    for key in _KEYS:
        pairs += _by_key(olds, news, key)
    pairs += _by_attempt(comparing, olds, news, {Impact.WORDING})
    pairs += _by_key(olds, news, lambda shape: shape.types)
    pairs += _by_attempt(comparing, olds, news, {Impact.WORDING, Impact.ADDITION})
    return pairs


def _by_attempt(
    comparing: Comparing, olds: list[Shape], news: list[Shape], allowed: set[Impact]
) -> list[tuple[Shape, Shape]]:
    pairs = []
    surface = comparing.report.surface
    for old in list(olds):
        for new in news:
            found = comparing.attempt(old, new, surface)
            if {finding.impact for finding in found} <= allowed:
                olds.remove(old)
                news.remove(new)
                pairs.append((old, new))
                break
    return pairs


def _by_key(
    olds: list[Shape], news: list[Shape], key: Key
) -> list[tuple[Shape, Shape]]:
    pairs = []
    for old in list(olds):
        name = key(old)
        twins = [new for new in news if key(new) == name]
        rivals = [other for other in olds if key(other) == name]
        if name is not None and len(twins) == len(rivals) == 1:
            olds.remove(old)
            news.remove(twins[0])
            pairs.append((old, twins[0]))
    return pairs


def _tag(shape: Shape) -> Hashable | None:
    return shape.alternative.tag


def _constants(shape: Shape) -> Hashable | None:
    """Its members that have one value only: type, kind, version."""
    found = []
    for name in shape.declared():
        values = _member_values(shape, name)
        if values is not None and len(values) == 1:
            found.append((name, *values))
    return frozenset(found) or None


def _reference(shape: Shape) -> Hashable | None:
    refs = shape.alternative.refs
    return name_of(refs[-1].document, refs[-1].pointer) if refs else None


def name_of(document: str, pointer: str) -> str:
    """What people call the definition at a place."""
    last = pointer.rpartition("/")[2]
    return last or document.rpartition("/")[2].removesuffix(".schema.json")


def _title(shape: Shape) -> Hashable | None:
    said = [layer.known.get("title") for layer in shape.alternative.layers]
    title = next((title for title in said if title is not None), None)
    return title if isinstance(title, str) else None


_KEYS: Final[tuple[Key, ...]] = (_tag, _constants, _reference, _title)


def label(shape: Shape) -> str:
    """A branch in a sentence."""
    keys = (_tag(shape), _reference(shape), _title(shape))
    named = next((str(key) for key in keys if key is not None), None)
    return named or listed(sorted(shape.types) or ["none"])


def _member_values(shape: Shape, name: str) -> frozenset[Hashable] | None:
    """All values that a member may have; None if they are not listed."""
    shapes, nullable = shapes_of(expand(shape.member(name)), shape.where)
    found: set[Hashable] = {canonical(None)} if nullable else set()
    for each in shapes:
        if each.values is None:
            return None
        found |= {canonical(value) for value in each.values}
    return frozenset(found)


def overlaps(expanded: Expanded) -> bool:
    """Whether documents may match two branches of a ``oneOf``, as far as is seen.

    With a discriminator, readers ask for the member that it names.
    """
    unions = [union for union in expanded.unions + expanded.inner if union.exclusive]
    return any(_overlap(union) for union in unions)


def _overlap(union: Union) -> bool:
    branches = [shapes_of(expand((place,)), place) for place in union.branches]
    if sum(nullable for _, nullable in branches) > 1:
        return True
    return any(
        not _apart(one, other, union.member)
        for index, (shapes, _) in enumerate(branches)
        for others, _ in branches[index + 1 :]
        for one in shapes
        for other in others
    )


def _apart(one: Shape, other: Shape, member: str | None) -> bool:
    types = shared(one.types, other.types)
    if not types:
        return True
    if one.values is not None and other.values is not None:
        return not (
            {canonical(v) for v in one.values} & {canonical(v) for v in other.values}
        )
    if types != {"object"}:
        return False
    names = set(one.names("required")) & set(other.names("required"))
    names |= {member} if member is not None else set()
    return any(_told_apart(one, other, name) for name in names)


def _told_apart(one: Shape, other: Shape, name: str) -> bool:
    some, others = _member_values(one, name), _member_values(other, name)
    return some is not None and others is not None and not some & others


def compare_discriminators(
    comparing: Comparing,
    before: Expanded,
    after: Expanded,
    old_shapes: list[Shape],
    new_shapes: list[Shape],
) -> None:
    """Report the member that tells the branches of a union apart."""
    old, new = before.said("discriminator"), after.said("discriminator")
    was, now = _member(old), _member(new)
    if was == now:
        return
    rule = "changed" if old and new else "added" if new else "removed"
    name = now if now is not None else was
    everywhere = all(
        name in shape.names("required") for shape in old_shapes + new_shapes
    )
    comparing.report.keyword(
        f"discriminator-{rule}",
        old,
        new,
        {
            "added": f"Forms are told apart by {now}.",
            "removed": f"Forms are no longer told apart by {was}.",
            "changed": f"Forms were told apart by {was}, and are by {now}.",
        }[rule],
        lost=f"a document without {now}" if new else "",
        gained=f"a document without {was}" if old else "",
        impact=Impact.WORDING if everywhere and rule != "changed" else None,
    )


def _member(said: Said | None) -> str | None:
    return str(said.value.get("propertyName")) if said else None
