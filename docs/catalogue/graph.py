"""The kernel's packages as a picture: who depends on whom, floor above floor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from docs.catalogue.layers import Edge, Placement, place
from docs.catalogue.packages import Package

_LETTER = 8.4
"""Of a monospaced font at 14 pixels, the width."""
_BOX = 30.0
_ROW = 84.0
_MARGIN = 16.0
_LABEL = 60.0
_ARROW = 7.0

_STYLE = Path(__file__).parent / "templates" / "graph.css"


def draw(
    packages: Sequence[Package], *, link: Callable[[str], str] | None = None
) -> str:
    """An SVG element with a box for each of *packages* and a line for each need.

    A line that follows from others is left out; a broken one says that only targets
    beside the facade need the package.

    Args:
        packages: What `packages.read` gives.
        link: Where the box of a package leads to, by its name. No links without it.
    """
    on_floors = [package for package in packages if package.floor is not None]
    beside = [package for package in packages if package.floor is None]
    floors = sorted({p.floor for p in on_floors if p.floor is not None}, reverse=True)
    rows = [[p.name for p in on_floors if p.floor == floor] for floor in floors]
    firm, glue = reduced(on_floors)
    widths = {p.name: _LETTER * len(p.name) + 24 for p in packages}
    placed = place(rows, firm | glue, widths, gap=26)

    top = _MARGIN + (_BOX + 34 if beside else 0)
    height = top + _ROW * (len(rows) - 1) + _BOX + _MARGIN
    right = max([placed.width, *(widths[p.name] for p in beside)], default=0.0)
    width = _LABEL + right + 2 * _MARGIN
    y = {name: top + _ROW * number for number, row in enumerate(rows) for name in row}

    parts = [*_storeys(floors, top, width)]
    parts += _edges(firm | glue, glue, placed, y, widths)
    for package in on_floors:
        x = _LABEL + _MARGIN + placed.centre[package.name]
        parts.append(_box(package, x, y[package.name], widths[package.name], link))
    for number, package in enumerate(beside):
        x = _LABEL + _MARGIN + widths[package.name] * (number + 0.5)
        parts.append(_box(package, x, _MARGIN, widths[package.name], link))
    if beside:
        x = _LABEL + _MARGIN + sum(widths[p.name] for p in beside) + 10
        parts.append(
            f'<text class="floor" x="{_number(x)}" y="{_number(_MARGIN + 19)}">'
            "for the tests of all floors</text>"
        )
    names = ", ".join(package.name for package in packages)
    style = _STYLE.read_text(encoding="utf-8") + _highlights(on_floors, firm | glue)
    size = f'width="{_number(width)}" height="{_number(height)}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kernel-graph" role="group" '
        f'aria-labelledby="kernel-graph-title kernel-graph-desc" {size} '
        f'viewBox="0 0 {_number(width)} {_number(height)}">\n'
        '<title id="kernel-graph-title">Packages of the kernel by floor</title>\n'
        '<desc id="kernel-graph-desc">Each package depends on packages of lower floors '
        f"only. {_text(names)}.</desc>\n"
        f"<style>{style}</style>"
    )
    return "\n".join([head, *parts, "</svg>", ""])


def reduced(packages: Iterable[Package]) -> tuple[set[Edge], set[Edge]]:
    """The needs that follow from no others: those of facades, and those of glue.

    What a facade needs through other facades is left out, and what glue needs through
    anything. A dependency on a package without a floor is no line of the picture.
    """
    packages = list(packages)
    names = {package.name for package in packages}
    firm = {p.name: set(p.needs & names) for p in packages}
    every = {p.name: set((p.needs | p.glue_needs) & names) for p in packages}
    kept = {
        (start, end)
        for start, ends in firm.items()
        for end in ends
        if not _another_way(firm, start, end)
    }
    glue = {
        (start, end)
        for start, ends in every.items()
        for end in ends - firm[start]
        if not _another_way(every, start, end)
    }
    return kept, glue


def _another_way(needs: Mapping[str, set[str]], start: str, end: str) -> bool:
    pending = [other for other in needs[start] if other != end]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name == end:
            return True
        if name not in seen:
            seen.add(name)
            pending += needs[name]
    return False


def _storeys(floors: Iterable[int], top: float, width: float) -> Iterator[str]:
    for number, floor in enumerate(floors):
        middle = top + _ROW * number + _BOX / 2
        yield (
            f'<line class="storey" x1="{_number(_LABEL)}" x2="{_number(width)}" '
            f'y1="{_number(middle)}" y2="{_number(middle)}"/>'
            f'<text class="floor" x="8" y="{_number(middle + 4)}">floor {floor}</text>'
        )


def _ports(
    lines: Mapping[Edge, tuple[float, ...]],
    widths: Mapping[str, float],
    *,
    box: int,
    near: int,
) -> dict[Edge, float]:
    """How far from the middle of its box each line leaves or arrives.

    Args:
        lines: As in `Placement`.
        widths: Of the boxes.
        box: Which end of a line it is about: 0 is its start, -1 its end.
        near: The point beside that end. Lines that come from the left are left.
    """
    at: dict[str, list[Edge]] = {}
    for edge in lines:
        at.setdefault(edge[box], []).append(edge)
    found = {}
    for name, edges in at.items():
        edges.sort(key=lambda edge: (lines[edge][near], edge))
        step = min(16.0, (widths[name] - 20) / len(edges))
        for number, edge in enumerate(edges):
            found[edge] = step * (number - (len(edges) - 1) / 2)
    return found


def _edges(
    edges: Iterable[Edge],
    glue: set[Edge],
    placed: Placement,
    y: Mapping[str, float],
    widths: Mapping[str, float],
) -> Iterator[str]:
    lines = {edge: placed.lines[edge] for edge in sorted(edges)}
    leave = _ports(lines, widths, box=0, near=1)
    arrive = _ports(lines, widths, box=-1, near=-2)
    for (start, end), line in lines.items():
        xs = [_LABEL + _MARGIN + x for x in line]
        xs[0] += leave[start, end]
        xs[-1] += arrive[start, end]
        kind = "edge glue" if (start, end) in glue else "edge"
        tip = y[end] - 1
        path = [f"M{_number(xs[0])} {_number(y[start] + _BOX)}"]
        for step, (x0, x1) in enumerate(pairwise(xs)):
            y0 = y[start] + _ROW * step + _BOX
            y1 = y0 + _ROW - _BOX
            last = step == len(xs) - 2
            y1 -= _ARROW if last else 0
            bend = (y1 - y0) * 0.5
            path.append(
                f"C{_number(x0)} {_number(y0 + bend)} "
                f"{_number(x1)} {_number(y1 - bend)} {_number(x1)} {_number(y1)}"
            )
            if not last:  # straight through the row
                path.append(f"V{_number(y1 + _BOX)}")
        x = xs[-1]
        yield (
            f'<g class="from-{start} to-{end} line"><path class="{kind}" '
            f'd="{" ".join(path)}"/><path class="tip" d="M{_number(x)} {_number(tip)}'
            f'l-3.5 -{_number(_ARROW)}h7z"/></g>'
        )


def _box(
    package: Package,
    x: float,
    y: float,
    width: float,
    link: Callable[[str], str] | None,
) -> str:
    told = f"shared/{package.name}"
    if package.floor is None:
        told += ", for the tests of all floors"
    else:
        needs = sorted(package.needs | package.glue_needs)
        told += f", floor {package.floor}: needs {', '.join(needs) or 'nothing'}"
    box = (
        f'<rect x="{_number(x - width / 2)}" y="{_number(y)}" rx="6" '
        f'width="{_number(width)}" height="{_number(_BOX)}"/>'
        f'<text x="{_number(x)}" y="{_number(y + 20)}" text-anchor="middle">'
        f"{_text(package.name)}</text>"
    )
    kind = "box beside" if package.floor is None else "box"
    opening, closing = f'<g role="img" aria-label={quoteattr(told)}>', "</g>"
    if link:
        target = quoteattr(link(package.name))
        opening, closing = f"<a href={target} aria-label={quoteattr(told)}>", "</a>"
    return (
        f'<g class="{kind} of-{package.name}"><title>{_text(told)}</title>'
        f"{opening}{box}{closing}</g>"
    )


def _highlights(packages: Iterable[Package], edges: set[Edge]) -> str:
    """Whose box is pointed at or focused keeps its lines, and the others step back."""
    rules = []
    for package in packages:
        if not any(package.name in edge for edge in edges):
            continue
        for state in (":hover", ":focus-within"):
            chosen = f".kernel-graph:has(.of-{package.name}{state})"
            others = f":not(.from-{package.name}, .to-{package.name})"
            rules.append(f"{chosen} .line{others} {{ opacity: .2 }}")
    return "\n".join(rules)


def _text(text: str) -> str:
    return escape(text)


def _number(value: float) -> str:
    """At most one digit: the same text on every machine."""
    return f"{value:.1f}".removesuffix(".0")
