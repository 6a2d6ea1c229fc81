"""Text of a given length that a regular expression matches, the same in every run.

Hypothesis can do this with luck: it draws, and has no way to ask for a length. Here the
lengths that each part of an expression can have are worked out first, so that text of
the longest length that a schema allows is found at once or known not to exist.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from string import ascii_lowercase
from typing import Any, Final

MAX_LENGTH: Final = 10_001
"""The longest text that is ever asked for."""

Prefer = Callable[[int], str]
"""The characters to try first at a position of the text."""

# The parser that `re` itself uses, by the only name that it has.
_parse: Final = import_module("re._parser").parse
_ops: Final = import_module("re._constants")

_STARTS: Final = {_ops.AT_BEGINNING, _ops.AT_BEGINNING_STRING}
_ENDS: Final = _STARTS | {_ops.AT_END, _ops.AT_END_STRING}
_LENGTHS: Final = (1 << MAX_LENGTH + 1) - 1
_PLAIN: Final = ascii_lowercase + "A0-_.@ "
_ANYTHING: Final = ("repeat", (0, MAX_LENGTH, [("any", None)]))

Node = tuple[str, Any]


class UnsampledError(ValueError):
    """An expression has a part that no text is made for, such as a lookahead."""


class Regex:
    """A regular expression as JSON Schema means it: it may match anywhere in a text.

    Raises:
        UnsampledError: It has a part that is not understood here.
    """

    def __init__(self, pattern: str) -> None:
        tree = list(_parse(pattern))
        nodes = _nodes(tree)
        anchors = {arg for op, arg in tree if op is _ops.AT}
        before = [] if anchors & _STARTS else [_ANYTHING]
        after = [] if anchors & (_ENDS - _STARTS) else [_ANYTHING]
        nodes = [*before, *nodes, *after]
        self._nodes = nodes
        self._search = re.compile(pattern).search
        self._suffixes = _suffixes(nodes)

    def matches(self, text: str) -> bool:
        """Whether *text* has a part that matches."""
        return self._search(text) is not None

    def sample(self, length: int, prefer: Prefer) -> str | None:
        """Text of *length* characters that matches, or None if there is none."""
        if not self._suffixes[0] >> length & 1:
            return None
        picked: dict[tuple[int, str], str] = {}
        text = []
        for at, piece in enumerate(_spell(self._nodes, self._suffixes, length)):
            key = id(piece), prefer(at)
            if key not in picked:
                picked[key] = _pick(piece, key[1])
            text.append(picked[key])
        found = "".join(text)
        return found if self.matches(found) else None

    def lengths(self) -> Iterator[int]:
        """How long matching text can be, the shortest first."""
        return _bits(self._suffixes[0])


@cache
def regex(pattern: str) -> Regex:
    """The expression, read once in a run."""
    return Regex(pattern)


def _nodes(tree: Any) -> list[Node]:
    return [node for op, arg in tree for node in _node(op, arg)]


def _node(op: Any, arg: Any) -> list[Node]:
    if op is _ops.AT and arg in _ENDS:
        return []
    if op in (_ops.LITERAL, _ops.NOT_LITERAL, _ops.IN, _ops.ANY):
        return [("any", None)] if op is _ops.ANY else [("one", (op, arg))]
    if op in (_ops.MAX_REPEAT, _ops.MIN_REPEAT):
        least, most, inner = arg
        return [("repeat", (least, min(int(most), MAX_LENGTH), _nodes(inner)))]
    if op is _ops.SUBPATTERN:
        return _nodes(arg[-1])
    if op is _ops.BRANCH:
        return [("either", [_nodes(branch) for branch in arg[1]])]
    raise UnsampledError(f"no text can be made for {str(op).lower()} in an expression")


def _measure(node: Node) -> int:
    """The lengths of what a node matches: bit n is set if n is one."""
    kind, arg = node
    if kind in ("any", "one"):
        return 0b10
    if kind == "either":
        found = 0
        for branch in arg:
            found |= _suffixes(branch)[0]
        return found
    least: int = arg[0]
    most: int = arg[1]
    once = _suffixes(arg[2])[0]
    if once == 0b10:  # as are nearly all: one of these characters, so many times
        return ((1 << most - least + 1) - 1) << least & _LENGTHS
    found = 1
    for _ in range(least):
        found = _sums(found, once)
    for _ in range(most - least):
        more = found | _sums(found, once)
        if more == found:
            break
        found = more
    return found


def _suffixes(nodes: Sequence[Node]) -> list[int]:
    """The lengths of *nodes* from each of them on, and at the end that of nothing."""
    found = [1]
    for node in reversed(nodes):
        found.append(_sums(found[-1], _measure(node)))
    return found[::-1]


def _sums(some: int, others: int) -> int:
    """Every sum of a length of each."""
    found = offset = 0
    while others:
        gap = (others & -others).bit_length() - 1
        others >>= gap
        run = (~others & others + 1).bit_length() - 1
        offset += gap
        spread, width = some << offset, 1
        while width < run:
            step = min(width, run - width)
            spread |= spread << step
            width += step
        found |= spread
        others >>= run
        offset += run
    return found & _LENGTHS


def _bits(lengths: int) -> Iterator[int]:
    while lengths:
        lowest = lengths & -lengths
        yield lowest.bit_length() - 1
        lengths ^= lowest


def _spell(nodes: Sequence[Node], suffixes: list[int], length: int) -> Iterator[Any]:
    """The character classes to write down, one for each of *length* characters."""
    for node, rest in zip(nodes, suffixes[1:], strict=True):
        # As much as can be of the same character, as little as can be of the rest.
        possible = _bits(_measure(node))
        if _is_run(node):
            least, most, _ = node[1]
            possible = iter(range(min(most, length), least - 1, -1))
        taken = next(n for n in possible if n <= length and rest >> length - n & 1)
        yield from _spell_one(node, taken)
        length -= taken


def _is_run(node: Node) -> bool:
    kind, arg = node
    return kind == "repeat" and _suffixes(arg[2])[0] == 0b10


def _spell_one(node: Node, length: int) -> Iterator[Any]:
    kind, arg = node
    if kind in ("any", "one"):
        yield arg
    elif kind == "either":
        for branch in arg:
            suffixes = _suffixes(branch)
            if suffixes[0] >> length & 1:
                yield from _spell(branch, suffixes, length)
                return
    else:
        least, most, inner = arg
        once = _suffixes(inner)
        if once[0] == 0b10 or (once[0] >> 1 & 1 and least <= length <= most):
            yield from list(_spell(inner, once, 1)) * length
            return
        powers = [1]
        while len(powers) <= least or not powers[-1] >> length & 1:
            powers.append(_sums(powers[-1], once[0]))
        for power in powers[-2::-1]:
            taken = next(
                n for n in _bits(once[0]) if n <= length and power >> length - n & 1
            )
            yield from _spell(inner, once, taken)
            length -= taken


def _pick(piece: Any, preferred: str) -> str:
    """The first character that a class has: of *preferred*, of the plain ones, of all.

    Raises:
        UnsampledError: It has none of the Basic Multilingual Plane.
    """
    for character in preferred + _PLAIN:
        if _has(piece, character):
            return character
    for code in range(0x21, 0xD800):
        if _has(piece, chr(code)):
            return chr(code)
    raise UnsampledError("a class of an expression has no character")


def _has(piece: Any, character: str) -> bool:
    if piece is None:
        return character != "\n"
    op, arg = piece
    if op is _ops.LITERAL:
        return bool(arg == ord(character))
    if op is _ops.NOT_LITERAL:
        return bool(arg != ord(character))
    negated = arg[0][0] is _ops.NEGATE
    return any(_in(item, character) for item in arg) is not negated


def _in(item: Any, character: str) -> bool:
    op, arg = item
    if op is _ops.LITERAL:
        return bool(arg == ord(character))
    if op is _ops.RANGE:
        return bool(arg[0] <= ord(character) <= arg[1])
    if op is _ops.CATEGORY:
        return re.match(_CATEGORIES[str(arg)], character) is not None
    return False


_CATEGORIES: Final = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
