"""Places boxes in rows, so that the lines between rows cross and bend little.

The steps are those of Sugiyama, Tagawa and Toda (1981): a line that passes a row gets
a point in it, rows are ordered by the middle of their neighbours, and then everything
moves as near to its neighbours as the boxes beside it allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[str, str]

_SWEEPS = 24
_BENT = 8.0
"""How much more a point inside of a line wants to be straight than a box does."""


@dataclass(frozen=True)
class Placement:
    """Where everything is. The smallest left edge is 0."""

    centre: Mapping[str, float]
    """x of the middle of each box."""
    lines: Mapping[Edge, tuple[float, ...]]
    """x of each line in each row from the row of its start to that of its end."""
    width: float


def place(
    rows: Sequence[Sequence[str]],
    edges: Iterable[Edge],
    widths: Mapping[str, float],
    *,
    gap: float,
) -> Placement:
    """Order the boxes of *rows* and give them and the lines their places.

    Args:
        rows: The names of the boxes, the top row first.
        edges: From a box to one of a lower row.
        widths: Of each box.
        gap: The least distance between two boxes of a row.

    Raises:
        ValueError: An edge leads to no lower row.
    """
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    order = [list(row) for row in rows]
    paths: dict[Edge, list[str]] = {}
    room = dict(widths)
    for start, end in sorted(set(edges)):
        if row_of[end] <= row_of[start]:
            raise ValueError(f"{start} -> {end} leads to no lower row.")
        path = [start]
        for row in range(row_of[start] + 1, row_of[end]):
            point = f"{start} -> {end} at {row}"
            order[row].append(point)
            room[point] = 0.0
            path.append(point)
        paths[start, end] = [*path, end]
    links = [step for path in paths.values() for step in pairwise(path)]
    order = _ordered(order, links)
    weights = {name: _BENT if not room[name] else 1.0 for name in room}
    centre = _spread(order, links, room, weights, gap)
    left = min((centre[name] - room[name] / 2 for name in centre), default=0.0)
    right = max((centre[name] + room[name] / 2 for name in centre), default=0.0)
    lines = {
        edge: tuple(centre[name] - left for name in path)
        for edge, path in paths.items()
    }
    boxes = {name: centre[name] - left for name in widths if name in centre}
    return Placement(boxes, lines, right - left)


def crossings(rows: Sequence[Sequence[str]], links: Iterable[Edge]) -> int:
    """How many pairs of *links*, each between neighbouring rows, cross."""
    at = _positions(rows)
    between: dict[int, list[tuple[int, int]]] = {}
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    for start, end in links:
        between.setdefault(row_of[start], []).append((at[start], at[end]))
    return sum(
        (a - c) * (b - d) < 0
        for pairs in between.values()
        for number, (a, b) in enumerate(pairs)
        for c, d in pairs[:number]
    )


def _positions(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    return {name: place for row in rows for place, name in enumerate(row)}


def _neighbours(links: Iterable[Edge]) -> tuple[dict[str, list[str]], ...]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for start, end in links:
        below.setdefault(start, []).append(end)
        above.setdefault(end, []).append(start)
    return above, below


def _ordered(rows: list[list[str]], links: list[Edge]) -> list[list[str]]:
    """The best order that sweeps up and down find, neighbours swapped in between."""
    above, below = _neighbours(links)
    best, fewest = [list(row) for row in rows], crossings(rows, links)
    for sweep in range(_SWEEPS):
        near = below if sweep % 2 else above
        numbers = range(len(rows))
        for number in reversed(numbers) if sweep % 2 else numbers:
            at = _positions(rows)
            middles = {name: _middle(name, at, near) for name in rows[number]}
            rows[number].sort(key=middles.__getitem__)
        _swap(rows, links)
        if (found := crossings(rows, links)) < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def _middle(
    name: str, at: Mapping[str, int], near: Mapping[str, list[str]]
) -> tuple[float, int]:
    found = [at[other] for other in near.get(name, ())]
    return (sum(found) / len(found) if found else at[name]), at[name]


def _swap(rows: list[list[str]], links: list[Edge]) -> None:
    """Swap neighbours of a row as long as lines cross less for it."""
    fewest = crossings(rows, links)
    improved = True
    while improved:
        improved = False
        for row in rows:
            for left in range(len(row) - 1):
                row[left], row[left + 1] = row[left + 1], row[left]
                found = crossings(rows, links)
                if found < fewest:
                    fewest, improved = found, True
                else:
                    row[left], row[left + 1] = row[left + 1], row[left]


def _spread(
    rows: Sequence[Sequence[str]],
    links: list[Edge],
    widths: Mapping[str, float],
    weights: Mapping[str, float],
    gap: float,
) -> dict[str, float]:
    above, below = _neighbours(links)
    centre: dict[str, float] = {}
    for row in rows:
        total = sum(widths[name] + gap for name in row)
        x = -total / 2
        for name in row:
            centre[name] = x + (widths[name] + gap) / 2
            x += widths[name] + gap
    for sweep in range(_SWEEPS * 4):
        numbers = range(len(rows))
        for number in reversed(numbers) if sweep % 2 else numbers:
            row = rows[number]
            wanted = []
            for name in row:
                near = above.get(name, []) + below.get(name, [])
                pull = [(centre[other], weights[other]) for other in near]
                # A little of its own place: what nothing pulls stays near the middle.
                pull.append((centre[name] * 0.9, 0.2))
                total = sum(weight for _, weight in pull)
                wanted.append(sum(x * weight for x, weight in pull) / total)
            apart = [
                (widths[a] + widths[b]) / 2
                + (gap if widths[a] and widths[b] else gap / 2)
                for a, b in pairwise(row)
            ]
            found = keep_apart(wanted, apart, [weights[name] for name in row])
            centre.update(zip(row, found, strict=True))
    return centre


def keep_apart(
    wanted: Sequence[float], apart: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """The places nearest to *wanted*, in the same order and *apart* enough.

    Nearest by weighted squares: the regression for a rising sequence, whose neighbours
    that are out of order are pooled.
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for place, offset, weight in zip(wanted, offsets, weights, strict=False):
        pool = (place - offset, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, mass, count = pools.pop()
            together = mass + pool[1]
            mean = (mean * mass + pool[0] * pool[1]) / together
            pool = (mean, together, count + pool[2])
        pools.append(pool)
    flat = [mean for mean, _, count in pools for _ in range(count)]
    return [place + offset for place, offset in zip(flat, offsets, strict=False)]
