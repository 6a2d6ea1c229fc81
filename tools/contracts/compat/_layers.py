"""A JSON Schema as alternatives: each a list of objects that must all hold.

``$ref`` with keywords beside it, ``allOf``, ``anyOf``, ``oneOf`` and a list of types
are only ways to write; two schemas are compared without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, NamedTuple

from tools.contracts.compat._keywords import EXPECTED
from tools.contracts.compat.place import Place, PlaceError

Conjunction = tuple[Place, ...]
"""Schemas that must all hold; the empty one is ``true``."""

MOST_ALTERNATIVES: Final = 256


class Said(NamedTuple):
    """The value of a keyword, and where it stands."""

    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Layer:
    """One object of keywords, without those that join schemas."""

    place: Place
    known: Mapping[str, Any]
    odd: Mapping[str, Any]
    """Keywords that have no rule, or a value of an unexpected shape."""

    def said(self, keyword: str) -> Said | None:
        """What it says by *keyword*."""
        if keyword not in self.known:
            return None
        return Said(self.known[keyword], self.place.at(keyword))


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to be accepted, beside what all ways share."""

    layers: tuple[Layer, ...] = ()
    refs: tuple[Place, ...] = ()
    """Definitions it goes through, the outermost first."""
    tag: str | None = None
    """Its key in the mapping of the discriminator."""
    place: Place | None = None
    """Of the branch; None outside of a union."""

    def said(self, keyword: str) -> Said | None:
        """What the branch itself says by *keyword*, the outermost first."""
        found = (layer.said(keyword) for layer in self.layers)
        return next((said for said in found if said is not None), None)


@dataclass(frozen=True, slots=True)
class Union:
    """An ``anyOf`` or ``oneOf``."""

    place: Place
    exclusive: bool
    branches: tuple[Place, ...]
    tags: tuple[str | None, ...]
    member: str | None
    """That tells its branches apart, by the discriminator."""


@dataclass(slots=True)
class Expanded:
    """A schema as alternatives."""

    common: list[Layer] = field(default_factory=list)
    """What holds in every alternative."""
    refs: list[Place] = field(default_factory=list)
    unions: list[Union] = field(default_factory=list)
    inner: list[Union] = field(default_factory=list)
    """Unions inside of branches."""
    alternatives: list[Alternative] = field(default_factory=list)
    """None accepts nothing; one that is empty adds nothing to *common*."""
    impossible: bool = False
    too_many: bool = False

    def said(self, keyword: str) -> Said | None:
        """What stands outermost: a description beside a ``$ref`` wins."""
        found = (layer.said(keyword) for layer in self.common)
        return next((said for said in found if said is not None), None)

    def odd(self) -> set[str]:
        """Keywords without a rule, in any alternative."""
        inner = [layer for each in self.alternatives for layer in each.layers]
        return {keyword for layer in (*self.common, *inner) for keyword in layer.odd}


def expand(conjunction: Conjunction) -> Expanded:
    """The alternatives of schemas that must all hold.

    Raises:
        PlaceError: A ``$ref`` leads nowhere, or back to itself.
    """
    return _expand(conjunction, frozenset())


def straight(conjunction: Iterable[Place]) -> Conjunction:
    """The same without what is only a ``$ref``."""
    return tuple(followed(place) for place in conjunction)


def followed(place: Place) -> Place:
    """Where what is only a ``$ref`` leads; keywords beside one keep it here."""
    seen = {place}
    while isinstance(place.node, dict) and set(place.node) == {"$ref"}:
        target = place.step()
        if target is None or target in seen:
            raise PlaceError(f"{place}: the $ref leads back to itself.")
        seen.add(target)
        place = target
    return place


def _expand(conjunction: Conjunction, above: frozenset[Place]) -> Expanded:
    found = Expanded()
    for place in conjunction:
        _gather(place, found, above)
    if found.impossible:
        return found
    ways = [_branches(union, found, above) for union in found.unions]
    count = 1
    for way in ways:
        count *= len(way)
    if count > MOST_ALTERNATIVES:
        found.too_many = True
        return found
    found.alternatives = [_joined(parts) for parts in product(*ways)]
    return found


def _joined(parts: tuple[Alternative, ...]) -> Alternative:
    if len(parts) == 1:
        return parts[0]
    return Alternative(
        layers=tuple(layer for part in parts for layer in part.layers),
        refs=tuple(ref for part in parts for ref in part.refs),
        place=next((part.place for part in parts if part.place), None),
    )


def _branches(
    union: Union, found: Expanded, above: frozenset[Place]
) -> list[Alternative]:
    alternatives = []
    for branch, tag in zip(union.branches, union.tags, strict=True):
        inner = _expand((branch,), above | {union.place})
        found.too_many |= inner.too_many
        found.inner += inner.unions + inner.inner
        for alternative in inner.alternatives:
            alternatives.append(
                Alternative(
                    layers=(*inner.common, *alternative.layers),
                    refs=(*inner.refs, *alternative.refs),
                    tag=tag or alternative.tag,
                    place=alternative.place or branch,
                )
            )
    return alternatives


def _gather(place: Place, found: Expanded, above: frozenset[Place]) -> None:
    if place in above:
        raise PlaceError(f"{place}: the $ref leads back to itself.")
    above |= {place}
    node = place.node
    if isinstance(node, bool):
        found.impossible |= not node
        return
    if not isinstance(node, dict):
        found.common.append(Layer(place, {}, {"": node}))
        return
    layer = _layer(place, node)
    found.common.append(layer)
    target = place.step()
    if target is not None:
        found.refs.append(target)
        _gather(target, found, above)
    for keyword in ("allOf", "anyOf", "oneOf"):
        if keyword in layer.odd or keyword not in node:
            continue
        at = place.at(keyword)
        branches = tuple(at.at(index) for index in range(len(node[keyword])))
        if keyword == "allOf":
            for branch in branches:
                _gather(branch, found, above)
        elif at in above:
            raise PlaceError(f"{at}: the $ref leads back to itself.")
        else:
            found.unions.append(_union(at, keyword, branches, node))


def _union(at: Place, keyword: str, branches: Conjunction, node: Any) -> Union:
    said = node.get("discriminator")
    said = said if isinstance(said, dict) else {}
    member = said.get("propertyName")
    mapping = said.get("mapping")
    tags = {
        ref: tag
        for tag, ref in (mapping.items() if isinstance(mapping, dict) else ())
        if isinstance(ref, str)
    }
    return Union(
        place=at,
        exclusive=keyword == "oneOf",
        branches=branches,
        tags=tuple(_tag(branch, tags) for branch in branches),
        member=member if isinstance(member, str) else None,
    )


def _tag(branch: Place, tags: Mapping[str, str]) -> str | None:
    node = branch.node
    ref = node.get("$ref") if isinstance(node, dict) else None
    return tags.get(ref) if isinstance(ref, str) else None


def _layer(place: Place, node: dict[str, Any]) -> Layer:
    known: dict[str, Any] = {}
    odd: dict[str, Any] = {}
    for keyword, value in node.items():
        expected = EXPECTED.get(keyword)
        (known if expected is not None and expected(value) else odd)[keyword] = value
    return Layer(place, known, odd)
