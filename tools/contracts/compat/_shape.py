"""One alternative of a schema: objects of keywords that must all hold, without null."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from tools.contracts.compat._bounds import keeps
from tools.contracts.compat._layers import Alternative, Conjunction, Layer, Said
from tools.contracts.compat._values import canonical, type_of
from tools.contracts.compat.place import Place

ALL_TYPES: Final = frozenset(("boolean", "number", "string", "array", "object"))


@dataclass(frozen=True)
class Shape:
    """What an alternative says, keyword by keyword."""

    layers: tuple[Layer, ...]
    alternative: Alternative
    where: Place
    only: frozenset[str] | None = None
    """Types it is cut down to; None if it is whole."""

    def all(self, keyword: str) -> list[Said]:
        """What every layer says by *keyword*."""
        found = (layer.said(keyword) for layer in self.layers)
        return [said for said in found if said is not None]

    def first(self, keyword: str) -> Said | None:
        """What the outermost layer says by *keyword*."""
        return next(iter(self.all(keyword)), None)

    def split(self) -> list[Shape]:
        """One shape for each of its types, if it lists several."""
        if self.said_types is None or len(self.said_types) < 2:
            return [self]
        return [
            Shape(self.layers, self.alternative, self.where, frozenset((name,)))
            for name in sorted(self.said_types)
        ]

    @cached_property
    def nullable(self) -> bool:
        """Whether it accepts null, and null can be told apart from the rest."""
        return self._accepts_null and not self._entangled

    @cached_property
    def _accepts_null(self) -> bool:
        if self.only is not None:
            return "null" in self.only
        types = all("null" in _list(said.value) for said in self.all("type"))
        return types and all(
            any(value is None for value in values) for values in self._listings
        )

    @cached_property
    def _entangled(self) -> bool:
        """Whether a keyword without a rule may refuse null: it is as other types."""
        return any(layer.odd for layer in self.layers)

    @cached_property
    def said_types(self) -> frozenset[str] | None:
        """Types that it names, but a null apart; None if it names none."""
        found = None if self.only is None else self.only
        for said in self.all("type"):
            names = frozenset(_list(said.value))
            if not (self._entangled and self._accepts_null):
                names -= {"null"}
            found = names if found is None else shared(found, names)
        return found

    @cached_property
    def types(self) -> frozenset[str]:
        """Types that it accepts, but a null apart; number holds integer."""
        types = self.said_types
        if types is None:
            null = {"null"} if self._entangled and self._accepts_null else set()
            types = ALL_TYPES | null
        if self.values is not None:
            types = shared(types, {type_of(value) for value in self.values})
        return types

    @cached_property
    def values(self) -> tuple[Any, ...] | None:
        """Values that it lists and accepts, but a null apart; None without a list."""
        if not self._listings:
            return None
        first, *others = self._listings
        lists = [{canonical(value) for value in other} for other in others]
        return tuple(
            value
            for value in first
            if (value is not None or self._entangled)
            and all(canonical(value) in other for other in lists)
            and self._typed(value)
            and keeps(value, self.layers)
        )

    @cached_property
    def impossible(self) -> bool:
        """Whether nothing but null gets through, as far as can be seen."""
        return not self.types

    @property
    def _listings(self) -> list[list[Any]]:
        const = [[said.value] for said in self.all("const")]
        return const + [said.value for said in self.all("enum")]

    def _typed(self, value: Any) -> bool:
        if self.said_types is None:
            return True
        return bool(shared(self.said_types, {type_of(value)}))

    # Objects. A layer's additionalProperties knows the properties of that layer only.

    def declared(self) -> dict[str, Place]:
        """Every member that a layer names and does not forbid, and where."""
        found: dict[str, Place] = {}
        for layer in self.layers:
            for name, schema in layer.known.get("properties", {}).items():
                if schema is not False:
                    found.setdefault(name, layer.place.at("properties", name))
        return found

    def forbidden(self) -> frozenset[str]:
        """Members that a layer forbids by name."""
        return frozenset(
            name
            for layer in self.layers
            for name, schema in layer.known.get("properties", {}).items()
            if schema is False
        )

    def member(self, name: str) -> Conjunction:
        """What holds for the member *name*."""
        found = []
        for layer in self.layers:
            if name in layer.known.get("properties", {}):
                found.append(layer.place.at("properties", name))
            elif "additionalProperties" in layer.known:
                found.append(layer.place.at("additionalProperties"))
        return tuple(found)

    def additional(self) -> Conjunction:
        """What holds for members that no layer names."""
        return self.places("additionalProperties")

    @property
    def refuses_unknown(self) -> bool:
        """Whether a reader refuses members that are not named."""
        return any(place.node is False for place in self.additional())

    @property
    def writes_unknown(self) -> bool:
        """Whether a writer may write members that are not named."""
        if self.refuses_unknown:
            return False
        return bool(self.additional()) or not self.all("properties")

    def names(self, *keywords: str) -> dict[str, Place]:
        """Members listed by keywords such as ``required``, and by which one."""
        return {
            name: said.place
            for keyword in reversed(keywords)
            for said in self.all(keyword)
            for name in said.value
        }

    # Arrays.

    def tuple_length(self) -> int:
        """How many positions have a schema of their own."""
        return max((len(said.value) for said in self.all("prefixItems")), default=0)

    def item(self, index: int) -> Conjunction:
        """What holds for the item at a position."""
        found = []
        for layer in self.layers:
            if index < len(layer.known.get("prefixItems", ())):
                found.append(layer.place.at("prefixItems", index))
            elif "items" in layer.known:
                found.append(layer.place.at("items"))
        return tuple(found)

    def places(self, keyword: str) -> Conjunction:
        """Where the layers say *keyword*."""
        return tuple(said.place for said in self.all(keyword))

    def odd(self) -> Mapping[str, list[Said]]:
        """Keywords without a rule, and all that is said by them."""
        found: dict[str, list[Said]] = {}
        for layer in self.layers:
            for keyword, value in layer.odd.items():
                place = layer.place.at(keyword) if keyword else layer.place
                found.setdefault(keyword, []).append(Said(value, place))
        return found


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def shared(some: Iterable[str], others: Iterable[str]) -> frozenset[str]:
    """Types that documents of both may have; an integer is a number."""
    some, others = frozenset(some), frozenset(others)
    return _held(some, others) | _held(others, some)


def without(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Types of *some* that *others* do not hold whole."""
    return some - _held(some, others)


def _held(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    held = some & others
    return held | (some & {"integer"}) if "number" in others else held
