"""Whether a model took in all of a JSON text, and nothing twice.

A parser that keeps the last of two equal members, or ignores a member, leaves fewer
strings in the model than there are in the text. Counting both costs a tenth of listing
the members. A string in JSON is either the name of a member or a value, and types say
which values were strings.

Private: used by ``shared.events`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, SecretStr

Tally: TypeAlias = Callable[[Any], int]

# What strict validation takes from strings only.
_TEXTS: Final = (str, UUID, datetime, date, time, SecretStr)
_NOT_TEXTS: Final = (bool, int, float, Decimal, NoneType)


def took_in_all(data: bytes, tally: int) -> bool:
    """Whether each name and each text in *data* was counted.

    Args:
        data: Valid JSON.
        tally: What `tally_of` counts in the model that strict validation made of it.
            A false answer is no verdict: a validator may have turned a text into
            something else.
    """
    # Escaped quotes only add to the left side, so they can't make up for a repeated
    # member; they are taken out when they are what makes the difference.
    if data.count(b'"') == 2 * tally:
        return True
    if b"\\" not in data:
        return False
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return bare.count(b'"') == 2 * tally


@cache
def tally_of(cls: type[BaseModel]) -> Tally:
    """Return what counts the names and texts in a *cls*, at all depths."""
    fixed = every = len(cls.model_fields)
    varying = []
    for name, field in cls.model_fields.items():
        constant = _constant(field.annotation)
        if constant is None:
            varying.append((name, _varying(field.annotation)))
        else:
            fixed += constant

    def tally(model: Any) -> int:
        given = model.__pydantic_fields_set__
        if len(given) < every:
            return sum([1 + _of_value(getattr(model, name)) for name in given])
        values = model.__dict__
        total = fixed
        for name, count in varying:
            total += count(values[name])
        return total

    return tally


def _constant(annotation: Any) -> int | None:
    """The names and texts in every value of a type, if it is always as many."""
    if get_origin(annotation) is Literal:
        texts = [isinstance(value, str) for value in get_args(annotation)]
        return int(texts[0]) if len(set(texts)) == 1 else None
    if not isinstance(annotation, type) or get_origin(annotation) is not None:
        return None
    if issubclass(annotation, _TEXTS):
        return 1
    if issubclass(annotation, _NOT_TEXTS):
        return 0
    if not issubclass(annotation, BaseModel):
        return None
    total = 0
    for field in annotation.model_fields.values():
        constant = _constant(field.annotation) if field.is_required() else None
        if constant is None:
            return None
        total += 1 + constant
    return total


def _varying(annotation: Any) -> Tally:
    """Like `_of_value`, faster for what is frequent."""
    arguments = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return tally_of(annotation)
    constant = _constant(arguments[0]) if len(arguments) == 2 else None
    if constant is None:
        return _of_value
    if get_origin(annotation) is tuple and arguments[1] is ...:
        return lambda items: constant * len(items)
    if constant == 1 and arguments[1] is NoneType:
        return _is_given
    return _of_value


def _is_given(value: object) -> int:
    return value is not None


def _of_value(value: Any) -> int:
    if isinstance(value, _TEXTS):
        return 1
    if isinstance(value, Enum):
        return _of_value(value.value)
    if isinstance(value, tuple | frozenset):
        return sum(map(_of_value, value))
    if isinstance(value, dict):
        return len(value) + sum(map(_of_value, value.values()))
    return tally_of(type(value))(value) if isinstance(value, BaseModel) else 0
