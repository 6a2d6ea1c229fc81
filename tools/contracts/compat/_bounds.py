"""Bounds: keywords that hold a value, a length or a count between two ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NamedTuple

from tools.contracts.compat._layers import Layer, Said
from tools.contracts.compat._values import is_number


class Edge(NamedTuple):
    """The tightest end of a range on one side."""

    value: Fraction
    open: bool
    """Whether the value itself is out."""
    said: Said


@dataclass(frozen=True, slots=True)
class Range:
    """One side of a range."""

    inclusive: str
    exclusive: str | None
    upper: bool
    type: str
    """Of the documents that it holds for."""
    noun: str


RANGES: Final = (
    Range("minimum", "exclusiveMinimum", False, "number", "a value"),
    Range("maximum", "exclusiveMaximum", True, "number", "a value"),
    Range("minLength", None, False, "string", "a text"),
    Range("maxLength", None, True, "string", "a text"),
    Range("minItems", None, False, "array", "a list"),
    Range("maxItems", None, True, "array", "a list"),
    Range("minProperties", None, False, "object", "an object"),
    Range("maxProperties", None, True, "object", "an object"),
)


def edge(side: Range, layers: Iterable[Layer], *, whole: bool) -> Edge | None:
    """The tightest that the layers say; None if they say nothing that matters.

    Args:
        side: Which one.
        layers: That all hold.
        whole: Only whole numbers are left, so that ``> 0`` is ``>= 1``.
    """
    edges = []
    for layer in layers:
        for keyword in (side.inclusive, side.exclusive):
            said = layer.said(keyword) if keyword else None
            if said is None:
                continue
            value, is_open = exact(said.value), keyword == side.exclusive
            if whole:
                value, is_open = _whole(value, is_open, side.upper), False
            edges.append(Edge(value, is_open, said))
    if side.type != "number" and not side.upper:
        edges = [found for found in edges if found.value > 0]
    return max(edges, key=lambda found: _rank(found, side.upper), default=None)


def is_tighter(one: Edge | None, other: Edge | None, *, upper: bool) -> bool:
    """Whether *one* accepts less than *other*, where None accepts all."""
    if one is None or other is None:
        return one is not None
    return _rank(one, upper) > _rank(other, upper)


def exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(str(number))


def steps(
    layers: Iterable[Layer], *, whole: bool
) -> list[tuple[Fraction, Said | None]]:
    """What documents are multiples of, and where that is said."""
    said = [found for layer in layers if (found := layer.said("multipleOf"))]
    given: list[tuple[Fraction, Said | None]] = [(exact(s.value), s) for s in said]
    return given + ([(Fraction(1), None)] if whole else [])


def keeps(value: Any, layers: Iterable[Layer]) -> bool:
    """Whether a number or a text is within the bounds; others always are."""
    return not any(True for _ in broken_bounds(value, layers))


def broken_bounds(value: Any, layers: Iterable[Layer]) -> Iterable[Said]:
    """The bounds that a number or a text breaks."""
    for layer in layers:
        for keyword, is_kept in _KEPT.items():
            said = layer.said(keyword)
            if said is not None and not is_kept(value, said.value):
                yield said


def _number(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, bound: not is_number(value) or test(value, bound)


def _text(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, bound: not isinstance(value, str) or test(len(value), bound)


_KEPT: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "minimum": _number(lambda value, bound: value >= bound),
    "exclusiveMinimum": _number(lambda value, bound: value > bound),
    "maximum": _number(lambda value, bound: value <= bound),
    "exclusiveMaximum": _number(lambda value, bound: value < bound),
    "multipleOf": _number(lambda value, bound: not exact(value) % exact(bound)),
    "minLength": _text(lambda length, bound: length >= bound),
    "maxLength": _text(lambda length, bound: length <= bound),
}


def _whole(value: Fraction, is_open: bool, upper: bool) -> Fraction:
    if upper:
        return Fraction(math.ceil(value) - 1 if is_open else math.floor(value))
    return Fraction(math.floor(value) + 1 if is_open else math.ceil(value))


def _rank(found: Edge, upper: bool) -> tuple[Fraction, bool]:
    return (-found.value if upper else found.value), found.open
