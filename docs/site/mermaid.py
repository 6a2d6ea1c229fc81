"""Draws the Mermaid of our pages as SVG, so that a reader's browser fetches nothing.

It knows what the pages use: ``graph TD`` and ``graph BT`` with boxes and arrows, and
``sequenceDiagram`` with participants, messages and notes. Anything else is refused,
which is the check that a page's diagram is written well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from docs.catalogue.layers import Edge, place

_LETTER = 7.2
_LINE = 17.0
_PAD = 10.0
_MARGIN = 12.0
_BETWEEN = 52.0
_ARROW = 7.0

_STYLE = """
.kernel-diagram { font: 13px system-ui, sans-serif; max-width: 100%; height: auto }
.kernel-diagram text { fill: currentColor }
.kernel-diagram .first { font-weight: 600 }
.kernel-diagram .box { fill: currentColor; fill-opacity: .06 }
.kernel-diagram :is(.box, .line) { stroke: currentColor; stroke-opacity: .55 }
.kernel-diagram .line { fill: none; stroke-width: 1.25 }
.kernel-diagram .reply, .kernel-diagram .life { stroke-dasharray: 5 4 }
.kernel-diagram .life { stroke-opacity: .3 }
.kernel-diagram .tip { fill: currentColor; fill-opacity: .7 }
"""

_NODE = r"(\w+)(?:\[\"([^\"]+)\"\])?"
_ARROWS = re.compile(rf"{_NODE}((?:\s*(?:-->|-\.->)(?:\|[^|]+\|)?\s*{_NODE})*)")
_STEP = re.compile(rf"\s*(-->|-\.->)(?:\|([^|]+)\|)?\s*{_NODE}")
_MESSAGE = re.compile(r"(\w+)\s*(-?->>)\s*(\w+)\s*:\s*(.+)")
_PARTICIPANT = re.compile(r"(?:participant|actor)\s+(\w+)(?:\s+as\s+(.+))?")
_NOTE = re.compile(r"[Nn]ote over (\w+)(?:,\s*(\w+))?\s*:\s*(.+)")


class MermaidError(ValueError):
    """A line that this module does not draw; the text names it."""


def draw(text: str) -> str:
    """Draw the diagram *text* as an SVG element.

    Raises:
        MermaidError: It is no diagram, or of a kind that is not drawn.
    """
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("%%")]
    head = lines.pop(0) if lines else ""
    if head in ("graph TD", "graph BT"):
        return _graph(_read_graph(lines), upwards=head.endswith("BT"))
    if head == "sequenceDiagram":
        return _sequence(_read_sequence(lines))
    raise MermaidError(
        f"The site draws graph TD, graph BT and sequenceDiagram, not {head!r}."
    )


@dataclass
class _Graph:
    labels: dict[str, str] = field(default_factory=dict)
    edges: dict[Edge, tuple[str, bool]] = field(default_factory=dict)

    def node(self, name: str, label: str | None) -> str:
        self.labels[name] = label or self.labels.get(name, name)
        return name


def _read_graph(lines: list[str]) -> _Graph:
    graph = _Graph()
    for line in lines:
        found = _ARROWS.fullmatch(line)
        if not found:
            raise MermaidError(f"The site can't draw {line!r}.")
        start = graph.node(found[1], found[2])
        for step in _STEP.finditer(found[3]):
            end = graph.node(step[3], step[4])
            graph.edges[start, end] = (step[2] or "", step[1] == "-.->")
            start = end
    return graph


def _ranks(graph: _Graph) -> dict[str, int]:
    """The row of each box: below all that lead to it."""
    ranks = dict.fromkeys(graph.labels, 0)
    for _ in graph.labels:
        moved = False
        for start, end in graph.edges:
            if ranks[end] <= ranks[start]:
                ranks[end] = ranks[start] + 1
                moved = True
        if not moved:
            break
    else:
        raise MermaidError("The arrows of the diagram lead in a circle.")
    # Next to what it leads to, where nothing holds it higher.
    for name in sorted(ranks, key=lambda name: -ranks[name]):
        below = [ranks[end] for start, end in graph.edges if start == name]
        if below:
            ranks[name] = max(ranks[name], min(below) - 1)
    return ranks


def _graph(graph: _Graph, *, upwards: bool) -> str:
    ranks = _ranks(graph)
    rows = [
        [name for name in graph.labels if ranks[name] == rank]
        for rank in range(max(ranks.values(), default=0) + 1)
    ]
    texts = {name: label.split("<br>") for name, label in graph.labels.items()}
    widths = {
        name: max(map(len, words)) * _LETTER + 2 * _PAD for name, words in texts.items()
    }
    deepest = max(len(words) for words in texts.values())
    box = deepest * _LINE + 2 * _PAD
    placed = place(rows, graph.edges, widths, gap=22)
    row = box + _BETWEEN
    height = row * len(rows) - _BETWEEN + 2 * _MARGIN

    def top(rank: int) -> float:
        at = len(rows) - 1 - rank if upwards else rank
        return _MARGIN + row * at

    parts: list[str] = []
    for edge, (label, dotted) in graph.edges.items():
        xs = [x + _MARGIN for x in placed.lines[edge]]
        tops = [top(rank) for rank in range(ranks[edge[0]], ranks[edge[1]] + 1)]
        parts += _curve(xs, tops, box, label, dotted=dotted)
    for name, words in texts.items():
        x, y = placed.centre[name] + _MARGIN, top(ranks[name])
        parts += _box(x, y, widths[name], box, words)
    told = "; ".join(f"{start} leads to {end}" for start, end in graph.edges)
    return _svg(parts, placed.width + 2 * _MARGIN, height, told)


def _curve(
    xs: list[float], tops: list[float], box: float, label: str, *, dotted: bool
) -> Iterator[str]:
    down = tops[-1] > tops[0]
    leave, enter = (box, 0.0) if down else (0.0, box)
    sign = 1 if down else -1
    path = [f"M{xs[0]:.1f} {tops[0] + leave:.1f}"]
    for (x0, x1), (y0, y1) in zip(pairwise(xs), pairwise(tops), strict=True):
        last = y1 == tops[-1]
        end = y1 + enter - (sign * _ARROW if last else 0)
        middle = (y0 + leave + end) / 2
        path.append(f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {end:.1f}")
        if not last:
            path.append(f"V{y1 + leave:.1f}")
    kind = "line reply" if dotted else "line"
    yield f'<path class="{kind}" d="{" ".join(path)}"/>'
    yield _tip(xs[-1], tops[-1] + enter, 0, -sign)
    if label:
        x = (xs[0] + xs[1]) / 2 + 6
        y = (tops[0] + leave + tops[1] + enter) / 2 + 4
        yield f'<text x="{x:.1f}" y="{y:.1f}">{escape(label)}</text>'


def _tip(x: float, y: float, dx: int, dy: int) -> str:
    """An arrow head at x, y, whose shaft comes from the direction dx, dy."""
    back, side = _ARROW, _ARROW / 2
    a = (x + dx * back + dy * side, y + dy * back + dx * side)
    b = (x + dx * back - dy * side, y + dy * back - dx * side)
    return (
        f'<path class="tip" d="M{x:.1f} {y:.1f}L{a[0]:.1f} {a[1]:.1f}'
        f'L{b[0]:.1f} {b[1]:.1f}z"/>'
    )


def _box(
    x: float, y: float, width: float, height: float, words: list[str]
) -> Iterator[str]:
    yield (
        f'<rect class="box" x="{x - width / 2:.1f}" y="{y:.1f}" rx="6" '
        f'width="{width:.1f}" height="{height:.1f}"/>'
    )
    first = y + height / 2 - (len(words) - 1) * _LINE / 2 + 4.5
    for number, line in enumerate(words):
        kind = ' class="first"' if not number else ""
        yield (
            f'<text{kind} x="{x:.1f}" y="{first + number * _LINE:.1f}" '
            f'text-anchor="middle">{escape(line)}</text>'
        )


@dataclass
class _Sequence:
    names: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, str, str, str]] = field(default_factory=list)


def _read_sequence(lines: list[str]) -> _Sequence:
    found = _Sequence()
    for line in lines:
        if match := _PARTICIPANT.fullmatch(line):
            found.names[match[1]] = match[2] or match[1]
        elif match := _MESSAGE.fullmatch(line):
            kind = "reply" if match[2] == "-->>" else "call"
            found.steps.append((kind, match[1], match[3], match[4]))
        elif match := _NOTE.fullmatch(line):
            found.steps.append(("note", match[1], match[2] or match[1], match[3]))
        else:
            raise MermaidError(f"The site can't draw {line!r}.")
    unknown = {n for _, a, b, _ in found.steps for n in (a, b)} - found.names.keys()
    if unknown:
        raise MermaidError(f"No participant is called {', '.join(sorted(unknown))}.")
    return found


def _sequence(sequence: _Sequence) -> str:
    at = _columns(sequence)
    head = _LINE + 2 * _PAD
    step = 42.0
    bottom = _MARGIN + head + step * (len(sequence.steps) + 0.6)
    parts: list[str] = []
    for name, x in at.items():
        parts.append(
            f'<path class="line life" d="M{x:.1f} {_MARGIN + head:.1f}V{bottom:.1f}"/>'
        )
        label = sequence.names[name]
        width = len(label) * _LETTER + 2 * _PAD
        parts += _box(x, _MARGIN, width, head, [label])
    for number, (kind, start, end, text) in enumerate(sequence.steps, 1):
        y = _MARGIN + head + step * number
        parts += _step(kind, at[start], at[end], y, text)
    width = max(at.values()) + max(
        [len(sequence.names[list(at)[-1]]) * _LETTER / 2 + _PAD]
        + [
            len(text) * _LETTER / (2 if kind == "note" else 1) + 36
            for kind, start, end, text in sequence.steps
            if start == end == list(at)[-1]
        ]
    )
    told = "; ".join(f"{a} to {b}: {text}" for _, a, b, text in sequence.steps)
    return _svg(parts, width + _MARGIN, bottom + _MARGIN, told)


def _columns(sequence: _Sequence) -> Mapping[str, float]:
    """The x of each participant, so far apart that the words between them fit."""
    names = list(sequence.names)
    at: dict[str, float] = {}
    x = _MARGIN
    for number, name in enumerate(names):
        half = len(sequence.names[name]) * _LETTER / 2 + _PAD
        x += half
        for _, start, end, text in sequence.steps:
            left, right = sorted((names.index(start), names.index(end)))
            if right == number and left < right:
                x = max(x, at[names[left]] + len(text) * _LETTER + 30)
            elif left == right == number - 1:
                x = max(x, at[names[left]] + len(text) * _LETTER + 50)
        at[name] = x
        x += half + 20
    return at


def _step(kind: str, x0: float, x1: float, y: float, text: str) -> Iterator[str]:
    if kind == "note":
        middle, width = (x0 + x1) / 2, len(text) * _LETTER + 2 * _PAD
        width = max(width, abs(x1 - x0) + 2 * _PAD)
        yield (
            f'<rect class="box" x="{middle - width / 2:.1f}" y="{y - 19:.1f}" rx="3" '
            f'width="{width:.1f}" height="26"/>'
        )
        yield (
            f'<text x="{middle:.1f}" y="{y - 1:.1f}" text-anchor="middle">'
            f"{escape(text)}</text>"
        )
        return
    line = "line reply" if kind == "reply" else "line"
    if x0 == x1:
        yield (
            f'<path class="{line}" d="M{x0:.1f} {y - 10:.1f}h22v14H{x0 + _ARROW:.1f}"/>'
            f'<text x="{x0 + 30:.1f}" y="{y + 2:.1f}">{escape(text)}</text>'
        )
        yield _tip(x0, y + 4, 1, 0)
        return
    sign = 1 if x1 > x0 else -1
    yield f'<path class="{line}" d="M{x0:.1f} {y:.1f}H{x1 - sign * _ARROW:.1f}"/>'
    yield _tip(x1, y, -sign, 0)
    yield (
        f'<text x="{(x0 + x1) / 2:.1f}" y="{y - 6:.1f}" text-anchor="middle">'
        f"{escape(text)}</text>"
    )


def _svg(parts: list[str], width: float, height: float, told: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kernel-diagram" role="img" '
        f"aria-label={quoteattr(told)} "
        f'viewBox="0 0 {width:.1f} {height:.1f}" width="{width:.0f}" '
        f'height="{height:.0f}"><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )
