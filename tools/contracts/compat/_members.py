"""Objects: members that come, go, are required, have a default, or have no name."""

from __future__ import annotations

from typing import Any, Final

from tools.contracts.compat._layers import Conjunction, Said, expand
from tools.contracts.compat._report import Comparing, Where
from tools.contracts.compat._same import identical
from tools.contracts.compat._shape import Shape
from tools.contracts.compat._values import canonical, shown
from tools.contracts.compat.finding import Impact, Surface

_IGNORED: Final = {
    Surface.REQUEST: "Clients that send {} are no longer heard, and get no error.",
    Surface.RESPONSE: "Clients that read {} find nothing.",
    Surface.EVENT: "Consumers of the old contract that read {} find nothing.",
}
_MISREAD: Final = {
    Surface.REQUEST: "Clients that leave {} out and mean {} are taken to mean "
    "something else.",
    Surface.RESPONSE: "Clients of the old contract that miss {} take it as {}.",
    Surface.EVENT: "Who reads an event without {} takes it as {} by one contract "
    "and not by the other.",
}
_OPTIONAL: Final = "Make it optional with a default"


def compare_members(
    comparing: Comparing, before: Shape, after: Shape, where: Where
) -> None:
    """Report what holds for objects, and compare their members."""
    old, new = before.declared(), after.declared()
    for name in new:
        if name not in old:
            _added(comparing, before, after, name)
            continue
        was, now = before.member(name), after.member(name)
        if not identical(was, now):
            there = Where(old[name], new[name])
            comparing.compare(was, now, there, member=True)
            _compare_default(comparing, before, after, name)
    for name in old:
        if name not in new:
            _removed(comparing, before, name)
    for name in before.forbidden() ^ after.forbidden():
        if name in old or name in new:
            continue
        if before.writes_unknown or after.writes_unknown:
            _compare_unnamed(comparing, before, after, name)
    _compare_required(comparing, before, after)
    _compare_written(comparing, before, after)
    _compare_additional(comparing, before, after, where)
    names = before.places("propertyNames"), after.places("propertyNames")
    if names != ((), ()):
        comparing.compare(*names, _where(*names, where))


def _promised(shape: Shape, surface: Surface) -> set[str]:
    """Members that every document of this contract has."""
    written = () if surface is Surface.REQUEST else ("x-written",)
    return set(shape.names("required", *written))


def _added(comparing: Comparing, before: Shape, after: Shape, name: str) -> None:
    report = comparing.report
    place = after.declared()[name]
    refused = any(there.node is False for there in before.member(name))
    required = name in after.names("required")
    if required and name not in _promised(before, report.surface):
        report.add(
            "required-property-added",
            place,
            None,
            place.node,
            f"The member {name} is new, and required.",
            lost=f"a document without {name}",
            instead=_OPTIONAL,
        )
    elif not refused:
        says = f"The member {name} is new."
        report.add("property-added", place, None, place.node, says)
    if refused:
        report.add(
            "property-added-to-closed",
            place,
            None,
            place.node,
            f"The member {name} is new, and the old schema refuses it.",
            gained=f"the member {name}",
        )
    elif before.writes_unknown:
        # The old schema had no name for it, but said what holds for it.
        _compare_unnamed(comparing, before, after, name)


def _compare_unnamed(
    comparing: Comparing, before: Shape, after: Shape, name: str
) -> None:
    old, new = before.member(name), after.member(name)
    where = Where(before.where, after.where)
    comparing.compare(old, new, _where(old, new, where))


def _where(old: Conjunction, new: Conjunction, otherwise: Where) -> Where:
    return Where(
        old[0] if old else otherwise.before, new[0] if new else otherwise.after
    )


def _removed(comparing: Comparing, before: Shape, name: str) -> None:
    report = comparing.report
    place = before.declared()[name]
    report.add(
        "property-removed",
        place,
        place.node,
        None,
        f"The member {name} has gone.",
        breaks=_IGNORED[report.surface].format(name),
        instead="Keep it and mark it as deprecated",
    )


def _compare_required(comparing: Comparing, before: Shape, after: Shape) -> None:
    report = comparing.report
    old, new = before.names("required"), after.names("required")
    was, now = before.declared(), after.declared()
    for name in sorted(set(new) - set(old)):
        if name in now and name not in was:
            continue  # said already: the member is new
        promised = name in _promised(before, report.surface)
        report.add(
            "required-added",
            now.get(name, new[name]),
            "optional",
            "required",
            f"The member {name} could be left out, and is required.",
            lost=f"a document without {name}",
            instead=_OPTIONAL,
            impact=Impact.ADDITION if promised else None,
        )
    for name in sorted(set(old) - set(new)):
        if name in was and name not in now:
            continue  # said already: the member has gone
        promised = name in _promised(after, report.surface)
        report.add(
            "required-removed",
            now.get(name, old[name]),
            "required",
            "optional",
            f"The member {name} was required, and may be left out.",
            gained=f"a document without {name}",
            instead="Keep writing it always",
            impact=Impact.ADDITION if promised else None,
        )


def _compare_written(comparing: Comparing, before: Shape, after: Shape) -> None:
    report = comparing.report
    old, new = before.names("x-written"), after.names("x-written")
    was, now = before.declared(), after.declared()
    required = set(before.names("required")), set(after.names("required"))
    for name in sorted(set(new) - set(old) - required[0] - required[1]):
        if name in now and name not in was:
            continue
        says = f"The member {name} is always written from now on."
        place = now.get(name, new[name])
        report.add("written-added", place, "optional", "x-written", says)
    for name in sorted(set(old) - set(new) - required[0] - required[1]):
        if name in was and name not in now:
            continue
        report.add(
            "written-removed",
            now.get(name, old[name]),
            "x-written",
            "optional",
            f"The member {name} was always written, and may be left out.",
            gained=f"a document without {name}",
            instead="Keep writing it always",
        )


def _default(conjunction: Conjunction) -> Said | None:
    return expand(conjunction).said("default")


def _value(said: Said | None) -> list[Any]:
    return [] if said is None else [said.value]


def _compare_default(
    comparing: Comparing, before: Shape, after: Shape, name: str
) -> None:
    report = comparing.report
    old, new = _default(before.member(name)), _default(after.member(name))
    if canonical(_value(old)) == canonical(_value(new)):
        return
    if report.surface is Surface.REQUEST:
        # Who writes by the old contract, and may leave the member out.
        never_omitted = name in before.names("required") or name in after.names(
            "required"
        )
    elif report.surface is Surface.RESPONSE:
        never_omitted = name in _promised(after, report.surface)
    else:
        never_omitted = name in _promised(before, report.surface)
        never_omitted &= name in _promised(after, report.surface)
    impact = Impact.WORDING if never_omitted else None
    if old is None and new is not None:
        says = f"Leaving {name} out means {shown(new.value)}."
        report.keyword("default-added", old, new, says, impact=impact)
        return
    place = new.place if new else after.declared()[name]
    meant = shown(old.value) if old else ""
    means = shown(new.value) if new else "what the contract leaves open"
    report.add(
        "default-changed" if new else "default-removed",
        place,
        old.value if old else None,
        new.value if new else None,
        f"Leaving {name} out meant {meant}, and means {means}.",
        breaks=_MISREAD[report.surface].format(name, meant),
        instead="Keep the default",
        impact=impact,
    )


def _compare_additional(
    comparing: Comparing, before: Shape, after: Shape, where: Where
) -> None:
    report = comparing.report
    old, new = before.additional(), after.additional()
    was = before.first("additionalProperties")
    now = after.first("additionalProperties")
    if before.refuses_unknown and after.refuses_unknown:
        return
    if after.refuses_unknown:
        says = "Unknown members are refused, which were not."
        lost = "members that the schema does not name"
        report.keyword("additional-refused", was, now, says, lost=lost, where=where)
    elif before.refuses_unknown and after.writes_unknown:
        says = "Members of any name are accepted, where unknown ones were refused."
        gained = "members that the old schema does not name"
        report.keyword("additional-allowed", was, now, says, gained=gained)
    elif before.refuses_unknown:
        says = "Unknown members are ignored, which were refused."
        report.keyword("additional-tolerated", was, now, says)
    elif before.writes_unknown and after.writes_unknown:
        comparing.compare(old, new, _where(old, new, where))
    elif before.writes_unknown:
        says = "Members of any name were kept, and unknown ones are ignored."
        report.add(
            "additional-dropped",
            where.after,
            was.value if was else None,
            now.value if now else None,
            says,
            breaks=_IGNORED[report.surface].format(
                "members that the schema does not name"
            ),
        )
    elif after.writes_unknown:
        says = "Members of any name are kept, where unknown ones were ignored."
        report.keyword("additional-opened", was, now, says, where=where)
