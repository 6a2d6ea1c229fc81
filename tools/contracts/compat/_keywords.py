"""Keywords that the comparison has rules for, and what their values must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tools.contracts.compat._values import is_number


def _schemas(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _size(value: Any) -> bool:
    return is_number(value) and value >= 0 and value == value // 1


def _anything(value: Any) -> bool:
    del value
    return True


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


_TYPES: Final = frozenset(
    ("null", "boolean", "integer", "number", "string", "array", "object")
)


def _type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and name in _TYPES for name in names)


def _step(value: Any) -> bool:
    return is_number(value) and value > 0


EXPECTED: Final[Mapping[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _schemas),
    **dict.fromkeys(("required", "x-written", "x-validated-by"), _names),
    **dict.fromkeys(("pattern", "format", "contentEncoding", "$ref", "$id"), _text),
    **dict.fromkeys(("uniqueItems", "readOnly", "writeOnly", "deprecated"), _flag),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _size),
    **dict.fromkeys(("minProperties", "maxProperties"), _size),
    **dict.fromkeys(("minimum", "exclusiveMinimum"), is_number),
    **dict.fromkeys(("maximum", "exclusiveMaximum"), is_number),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames"), _schema),
    **dict.fromkeys(("title", "description", "examples", "example"), _anything),
    **dict.fromkeys(("$comment", "default", "const", "x-direction"), _anything),
    **dict.fromkeys(("$defs", "definitions"), _object),
    **dict.fromkeys(("properties", "discriminator"), _object),
    "multipleOf": _step,
    "type": _type,
    "enum": lambda value: isinstance(value, list),
}
"""Keywords with a rule, and the shape of their values."""
