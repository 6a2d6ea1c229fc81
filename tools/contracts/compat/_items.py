"""Arrays: what holds for the items, by position and for the rest."""

from __future__ import annotations

from tools.contracts.compat._bounds import RANGES, edge
from tools.contracts.compat._report import Comparing, Where
from tools.contracts.compat._shape import Shape
from tools.contracts.compat.place import Place

_MOST = next(side for side in RANGES if side.inclusive == "maxItems")


def compare_items(
    comparing: Comparing, before: Shape, after: Shape, where: Where
) -> None:
    """Compare ``items`` and ``prefixItems``."""
    length = max(before.tuple_length(), after.tuple_length())
    for index in range(length + 1):  # the last one stands for all that follow
        if _ends(before, index) or _ends(after, index):
            return
        old, new = before.item(index), after.item(index)
        there = Where(_place(old, where.before), _place(new, where.after))
        comparing.compare(old, new, there)


def _place(conjunction: tuple[Place, ...], otherwise: Place) -> Place:
    return conjunction[0] if conjunction else otherwise


def _ends(shape: Shape, index: int) -> bool:
    """Whether no list is long enough; maxItems itself is compared elsewhere."""
    most = edge(_MOST, shape.layers, whole=False)
    return most is not None and most.value <= index
