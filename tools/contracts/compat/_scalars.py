"""Types, listed values, bounds, patterns, formats and code that checks."""

from __future__ import annotations

from typing import Any, Final

from tools.contracts.compat._bounds import (
    RANGES,
    Edge,
    Range,
    broken_bounds,
    edge,
    is_tighter,
    steps,
)
from tools.contracts.compat._layers import Said
from tools.contracts.compat._report import Report, Where
from tools.contracts.compat._rules import BOUNDS
from tools.contracts.compat._shape import Shape, shared, without
from tools.contracts.compat._values import canonical, listed, shown

_SCALAR: Final = frozenset(("number", "string"))


def compare_types(
    report: Report, before: Shape, after: Shape, where: Where
) -> frozenset[str]:
    """Report types; returns those that documents of both may have."""
    lost = without(before.types, after.types)
    gained = without(after.types, before.types)
    rule = (
        "type-changed"
        if lost and gained
        else "type-narrowed"
        if lost
        else "type-widened"
        if gained
        else None
    )
    # Two lists of values are compared one by one, and say more.
    if rule and (before.values is None or after.values is None):
        old, new = _kinds(before), _kinds(after)
        report.keyword(
            rule,
            before.first("type"),
            after.first("type"),
            f"The type was {old}, and is {new}.",
            where=where,
            lost=f"a value of type {listed(sorted(lost))}" if lost else "",
            gained=f"a value of type {listed(sorted(gained))}" if gained else "",
        )
    return shared(before.types, after.types)


def _kinds(shape: Shape) -> str:
    if shape.said_types is None and shape.values is None:
        return "any"
    return listed(sorted(shape.types)) if shape.types else "none"


def compare_values(report: Report, before: Shape, after: Shape) -> None:
    """Report ``enum`` and ``const``."""
    old, new = before.values, after.values
    said = _listing(before), _listing(after)
    if old is None and new is None:
        return
    if new is None:
        says = "The values are no longer listed: others are accepted."
        gained = f"a value other than {_some(old or ())}"
        report.keyword("enum-removed", said[0], None, says, gained=gained)
    elif old is None:
        says = f"Only {_some(new)} is accepted, where values were not listed."
        lost = f"a value other than {_some(new)}"
        report.keyword("enum-added", None, said[1], says, lost=lost)
    else:
        _compare_lists(report, before, after, old, new)


def _compare_lists(
    report: Report,
    before: Shape,
    after: Shape,
    old: tuple[Any, ...],
    new: tuple[Any, ...],
) -> None:
    said = _listing(before), _listing(after)
    olds, news = {canonical(v) for v in old}, {canonical(v) for v in new}
    lost = [value for value in old if canonical(value) not in news]
    gained = [value for value in new if canonical(value) not in olds]
    if lost and gained and len(old) == len(new) == 1:
        report.keyword(
            "const-changed",
            *said,
            f"The only value was {shown(old[0])}, and is {shown(new[0])}.",
            lost=shown(old[0]),
            gained=shown(new[0]),
        )
        return
    if lost:
        says = f"{_all(lost)} is no longer accepted."
        report.keyword("enum-value-removed", *said, says, lost=_all(lost))
    if gained:
        says = f"{_all(gained)} is new in the list."
        report.keyword("enum-value-added", *said, says, gained=_all(gained))


def _listing(shape: Shape) -> Said | None:
    return shape.first("const") or shape.first("enum")


def _some(values: tuple[Any, ...]) -> str:
    few = [shown(value) for value in values[:4]]
    return listed([*few, "..."] if len(values) > len(few) else few) if few else "none"


def _all(values: list[Any]) -> str:
    return listed([shown(value) for value in values])


def compare_bounds(
    report: Report, before: Shape, after: Shape, types: frozenset[str]
) -> None:
    """Report every bound that holds for one of *types*."""
    kinds = {"number" if name == "integer" else name for name in types}
    whole = not ("number" in before.types and "number" in after.types)
    old, new = before.values, after.values
    for side in RANGES:
        if side.type not in kinds:
            continue
        if side.type in _SCALAR and (old is not None or new is not None):
            continue
        _compare_edges(report, before, after, side, whole)
    if old is not None and new is None:
        _values_meet_bounds(report, old, after, lost=True)
    elif new is not None and old is None:
        _values_meet_bounds(report, new, before, lost=False)
    elif new is None and "number" in kinds:
        _compare_steps(report, before, after, whole)
    if "array" in kinds:
        _compare_unique(report, before, after)


def _values_meet_bounds(
    report: Report, values: tuple[Any, ...], other: Shape, *, lost: bool
) -> None:
    """One side lists its values, the other has bounds: do the values keep them."""
    for value in values:
        for said in broken_bounds(value, other.layers):
            name = BOUNDS[said.place.pointer.rpartition("/")[2]]
            if lost:
                says = f"{shown(value)} was listed, and is out of the bound now."
                rule = f"{name}-tightened"
                report.keyword(rule, None, said, says, lost=shown(value))
            else:
                says = f"{shown(value)} is listed, and was out of the bound."
                rule = f"{name}-loosened"
                report.keyword(rule, said, None, says, gained=shown(value))


def _compare_edges(
    report: Report, before: Shape, after: Shape, side: Range, whole: bool
) -> None:
    whole = whole and side.type == "number"
    old = edge(side, before.layers, whole=whole)
    new = edge(side, after.layers, whole=whole)
    tightened = is_tighter(new, old, upper=side.upper)
    loosened = is_tighter(old, new, upper=side.upper)
    if not (tightened or loosened):
        return
    named = new or old
    if named is None:
        return
    keyword = named.said.place.pointer.rpartition("/")[2]
    rule = f"{BOUNDS[keyword]}-{'tightened' if tightened else 'loosened'}"
    end = new if tightened else old
    out = _beyond(end, side) if end else ""
    report.keyword(
        rule,
        old.said if old else None,
        new.said if new else None,
        _moved(keyword, old, new),
        lost=out if tightened else "",
        gained=out if loosened else "",
    )


def _moved(keyword: str, old: Edge | None, new: Edge | None) -> str:
    if old is None:
        return f"{keyword} is new: {shown(new.said.value) if new else ''}."
    if new is None:
        return f"{keyword} was {shown(old.said.value)}, and is gone."
    name = old.said.place.pointer.rpartition("/")[2]
    was = "" if name == keyword else f"{name} "
    return (
        f"{keyword} is {shown(new.said.value)}, and was {was}{shown(old.said.value)}."
    )


def _beyond(end: Edge, side: Range) -> str:
    value = shown(end.said.value)
    exclusive = end.said.place.pointer.endswith(f"/{side.exclusive}")
    if side.type == "number":
        less = "from" if exclusive else "above" if side.upper else "below"
        if exclusive:
            less = "that is not " + ("below" if side.upper else "above")
        return f"{side.noun} {less} {value}"
    unit = {"string": "characters", "array": "items", "object": "members"}[side.type]
    return f"{side.noun} of {'more' if side.upper else 'less'} than {value} {unit}"


def _compare_steps(report: Report, before: Shape, after: Shape, whole: bool) -> None:
    old = steps(before.layers, whole=whole)
    new = steps(after.layers, whole=whole)
    # A multiple of 6 is one of 3: each step must divide one of the other side's.
    tightened = [s for value, s in new if not any(o % value == 0 for o, _ in old)]
    loosened = [s for value, s in old if not any(n % value == 0 for n, _ in new)]
    was, now = before.first("multipleOf"), after.first("multipleOf")
    for said in tightened:
        if said is not None:
            what = f"a value that is no multiple of {shown(said.value)}"
            says = f"Values must be multiples of {shown(said.value)}."
            report.keyword("multiple-of-tightened", was, said, says, lost=what)
    for said in loosened:
        if said is not None:
            what = f"a value that is no multiple of {shown(said.value)}"
            says = f"Values need not be multiples of {shown(said.value)}."
            report.keyword("multiple-of-loosened", said, now, says, gained=what)


def _compare_unique(report: Report, before: Shape, after: Shape) -> None:
    old = next((said for said in before.all("uniqueItems") if said.value), None)
    new = next((said for said in after.all("uniqueItems") if said.value), None)
    if new and not old:
        says = "Items must differ from each other."
        was = before.first("uniqueItems")
        report.keyword("unique-items-tightened", was, new, says, lost="equal items")
    elif old and not new:
        says = "Items need not differ from each other."
        now = after.first("uniqueItems")
        report.keyword("unique-items-loosened", old, now, says, gained="equal items")


def compare_sets(
    report: Report, before: Shape, after: Shape, types: frozenset[str]
) -> None:
    """Report patterns, formats, encodings and validators: equal, or not."""
    if "string" in types:
        _compare_opaque(report, before, after, "pattern", "pattern")
        _compare_opaque(report, before, after, "contentEncoding", "content encoding")
    _compare_opaque(report, before, after, "format", "format")
    _compare_validators(report, before, after)


def _compare_opaque(
    report: Report, before: Shape, after: Shape, keyword: str, noun: str
) -> None:
    olds = {said.value: said for said in before.all(keyword)}
    news = {said.value: said for said in after.all(keyword)}
    lost = [said for value, said in olds.items() if value not in news]
    gained = [said for value, said in news.items() if value not in olds]
    if not (lost or gained):
        return
    kind = "changed" if lost and gained else "removed" if lost else "added"
    if keyword == "contentEncoding":
        rule = "content-encoding-changed"
    else:
        rule = f"{noun}-{kind}"
    old, new = (lost[0] if lost else None), (gained[0] if gained else None)
    says = {
        "changed": f"The {noun} was {_quoted(old)}, and is {_quoted(new)}: "
        "what each accepts, the gate can't tell.",
        "removed": f"The {noun} {_quoted(old)} is no longer asked for.",
        "added": f"The {noun} {_quoted(new)} is asked for.",
    }[kind]
    opaque = keyword == "contentEncoding"
    out_new = f"text that is not of the {noun} {_quoted(new or old)}"
    out_old = f"text that is not of the {noun} {_quoted(old or new)}"
    report.keyword(
        rule,
        old,
        new,
        says,
        lost=out_new if new or opaque else "",
        gained=out_old if old or opaque else "",
    )


def _quoted(said: Said | None) -> str:
    return shown(said.value) if said else ""


def _compare_validators(report: Report, before: Shape, after: Shape) -> None:
    keyword = "x-validated-by"
    old, new = before.names(keyword), after.names(keyword)
    was, now = before.first(keyword), after.first(keyword)
    for name in sorted(set(new) - set(old)):
        says = f"Code of the name {name} checks the value; which values it refuses, "
        says += "the schema can't say."
        lost = f"a value that {name} refuses"
        report.keyword("validator-added", was, now, says, lost=lost)
    for name in sorted(set(old) - set(new)):
        says = f"Code of the name {name} no longer checks the value."
        gained = f"a value that {name} refused"
        report.keyword("validator-removed", was, now, says, gained=gained)
