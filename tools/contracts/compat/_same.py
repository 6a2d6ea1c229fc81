"""Whether two schemas, or parts of them, say the same word for word."""

from __future__ import annotations

from typing import Final

from tools.contracts.compat._layers import Conjunction, Said, followed
from tools.contracts.compat._values import canonical
from tools.contracts.compat.place import Place

_WORDS: Final = frozenset(
    ("title", "description", "examples", "example", "$comment", "deprecated")
)
_NO_PART: Final = _WORDS | {"$defs", "definitions", "$id", "x-direction", "default"}
_ONE: Final = frozenset(
    (
        "items",
        "additionalProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
_LIST: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_MAP: Final = frozenset(("properties", "patternProperties", "dependentSchemas"))
_SET: Final = frozenset(("required", "x-written", "x-validated-by", "enum"))


def identical(before: Conjunction, after: Conjunction) -> bool:
    """Whether both are the same text, without references: a fast way to see it."""
    old = repr([place.node for place in before])
    new = repr([place.node for place in after])
    return old == new and "$ref" not in old and "$dynamicRef" not in old


def same(before: Conjunction, after: Conjunction) -> bool:
    """Whether both say the same word for word, but for words to people.

    References are followed. False only means that it can't be seen so easily.
    """
    if len(before) != len(after):
        return False
    seen: set[tuple[Place, Place]] = set()
    return all(_same(b, a, seen) for b, a in zip(before, after, strict=True))


def same_said(keyword: str, before: Said, after: Said) -> bool:
    """Whether two keywords without a rule say the same."""
    if not keyword:
        return canonical(before.value) == canonical(after.value)
    old, new = before.place.parent(), after.place.parent()
    return _same_keyword(keyword, old, new, set())


def _same(before: Place, after: Place, seen: set[tuple[Place, Place]]) -> bool:
    before, after = followed(before), followed(after)
    if (before, after) in seen:
        return True
    seen.add((before, after))
    old, new = before.node, after.node
    if not isinstance(old, dict) or not isinstance(new, dict):
        return canonical(old) == canonical(new)
    keywords = set(old) - _NO_PART
    return keywords == set(new) - _NO_PART and all(
        _same_keyword(keyword, before, after, seen) for keyword in keywords
    )


def _same_keyword(
    keyword: str, before: Place, after: Place, seen: set[tuple[Place, Place]]
) -> bool:
    old, new = before.node[keyword], after.node[keyword]
    if keyword == "$ref":
        b, a = before.step(), after.step()
        return b is not None and a is not None and _same(b, a, seen)
    if keyword in _ONE:
        return _same(before.at(keyword), after.at(keyword), seen)
    b, a = before.at(keyword), after.at(keyword)
    if keyword in _LIST and isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(
            _same(b.at(index), a.at(index), seen) for index in range(len(old))
        )
    if keyword in _MAP and isinstance(old, dict) and isinstance(new, dict):
        return set(old) == set(new) and all(
            _same(b.at(name), a.at(name), seen) for name in old
        )
    if keyword in _SET and isinstance(old, list) and isinstance(new, list):
        return {canonical(item) for item in old} == {canonical(item) for item in new}
    return canonical(old) == canonical(new)
