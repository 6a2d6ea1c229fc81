"""Steps through two documents side by side, whatever they describe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.contracts.bundle import Bundle
from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.place import Place, PlaceError, tokens_of
from tools.contracts.compat.rule import Rule, breaking, wording
from tools.contracts.compat.schemas import compare_schemas

WORDING: Final = wording(
    "wording-changed", "A description, title, summary, tag or example reads otherwise."
)
UNKNOWN: Final = breaking(
    "unknown-changed",
    "A part of a document that no rule knows has changed.",
    "Nobody knows: the gate has no rule for this part of the document.",
    "Give it a rule in tools/contracts/compat, or accept it with a reason.",
)
RULES: Final = (WORDING, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Members:
    """The members of two objects, by whether they have them."""

    removed: dict[str, Place]
    added: dict[str, Place]
    kept: dict[str, tuple[Place, Place]]


def value_at(place: Place, default: Any = None) -> Any:
    """What stands at *place*, or *default* if nothing does."""
    try:
        return place.node
    except PlaceError:
        return default


def object_at(place: Place) -> dict[str, Any]:
    """The object at *place*; an empty one if nothing is there.

    Raises:
        PlaceError: Something else is there.
    """
    found = value_at(place, {})
    if not isinstance(found, dict):
        raise PlaceError(f"{place} must be an object.")
    return found


def list_at(place: Place) -> list[Any]:
    """The array at *place*; an empty one if nothing is there.

    Raises:
        PlaceError: Something else is there.
    """
    found = value_at(place, [])
    if not isinstance(found, list):
        raise PlaceError(f"{place} must be an array.")
    return found


def members_of(place: Place) -> dict[str, Place]:
    """The places below an object, by name, each where its ``$ref`` leads."""
    return {name: place.at(name).follow() for name in object_at(place)}


def side_by_side(before: Mapping[str, Place], after: Mapping[str, Place]) -> Members:
    """Which of them are gone, new, and in both."""
    return Members(
        removed={name: before[name] for name in before if name not in after},
        added={name: after[name] for name in after if name not in before},
        kept={name: (before[name], after[name]) for name in before if name in after},
    )


def changed(
    rule: Rule, before: Place, after: Place, says: str, default: Any = None
) -> Iterator[Finding]:
    """A finding if the values at two places differ; *default* is what absence means."""
    old, new = value_at(before, default), value_at(after, default)
    if old != new:
        yield rule.found(after, says, old, new)


def rest(
    before: Place,
    after: Place,
    *,
    known: Collection[str],
    words: Collection[str] = (),
    unknown: Rule = UNKNOWN,
) -> Iterator[Finding]:
    """A finding for each member that differs and that no other rule looked at.

    Args:
        before: An object.
        after: An object.
        known: Members that other rules look at.
        words: Members that only people read; ``x-`` members are such too.
        unknown: The rule for all others.
    """
    old, new = object_at(before), object_at(after)
    for name in dict.fromkeys([*old, *new]):
        if name in known or old.get(name) == new.get(name):
            continue
        if name in words or name.startswith("x-"):
            rule, says = WORDING, f"{name} reads otherwise."
        else:
            rule, says = unknown, f"{name} changed."
        yield rule.found(after.at(name), says, old.get(name), new.get(name))


def anything_at(place: Place) -> Place:
    """The same place in a document that has the empty schema there."""
    node: dict[str, Any] = {}
    for token in reversed(tokens_of(place.pointer)):
        node = {token: node}
    return Place({place.document: node}, place.document, place.pointer)


def schemas(before: Place, after: Place, surface: Surface) -> Iterator[Finding]:
    """Compare two schemas, of which one may be absent: it allows anything then."""
    old, new = value_at(before) is not None, value_at(after) is not None
    if (old or new) and not (old and new and same(before, after)):
        yield from compare_schemas(
            before if old else anything_at(before),
            after if new else anything_at(after),
            surface,
        )


def unchanged(before: Bundle, after: Bundle) -> set[str]:
    """The documents that are equal in both, and so is all that they refer to.

    Most of a release is as it was in the one before, and this is a lot faster than to
    compare it by rules.
    """
    old, new = before.documents, after.documents
    equal = {path for path in old if path in new and old[path] == new[path]}
    if len(equal) == len(old) == len(new):
        return equal
    targets = {path: _documents_of(Place(old, path, "")) for path in equal}
    while touched := {path for path in equal if not targets[path] <= equal}:
        equal -= touched
    return equal


def _documents_of(root: Place) -> set[str]:
    try:
        targets = [place.step() for place in _references_in(root, root.node)]
    except PlaceError:
        return {""}  # no document: the rules will tell where it leads nowhere
    return {target.document for target in targets if target is not None}


def same(before: Place, after: Place) -> bool:
    """Whether two parts are equal, and all that their references lead to."""
    try:
        return _same(before, after)
    except PlaceError:
        return False  # of an example, or a broken one, which the rules will find


def _same(before: Place, after: Place) -> bool:
    seen = set()
    pending = [(before, after)]
    while pending:
        one, other = pending.pop()
        if one.node != other.node:
            return False
        for place in _references_in(one, one.node):
            if (target := place.step()) is None or target in seen:
                continue
            twin = Place(other.documents, other.document, place.pointer).step()
            if twin is None or (twin.document, twin.pointer) != (
                target.document,
                target.pointer,
            ):
                return False
            seen.add(target)
            pending.append((target, twin))
    return True


def _references_in(place: Place, node: Any) -> Iterator[Place]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield place
        for name, value in node.items():
            if isinstance(value, dict | list):
                yield from _references_in(place.at(name), value)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if isinstance(value, dict | list):
                yield from _references_in(place.at(index), value)
