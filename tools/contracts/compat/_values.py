"""JSON values as JSON Schema compares them, and as people read them."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from typing import Any, Final

_LONGEST: Final = 60


def canonical(value: Any) -> Hashable:
    """Equal for equal JSON values: 1 is 1.0, and True is no number."""
    if isinstance(value, dict):
        return "object", frozenset((k, canonical(v)) for k, v in value.items())
    if isinstance(value, list):
        return "array", tuple(canonical(item) for item in value)
    return type_of(value), value


def type_of(value: Any) -> str:
    """The JSON Schema type: a whole number is an integer, 1.0 too."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        whole = math.isfinite(value) and value == value // 1
        return "integer" if whole else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def is_number(value: Any) -> bool:
    """True and False are none, nor is what JSON has no form for."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def shown(value: Any) -> str:
    """As JSON on one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def listed(words: list[str]) -> str:
    """``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
