"""Which rows of a list: conditions on fields, checked against their columns.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, ColumnElement, false
from sqlalchemy.orm import InstrumentedAttribute, Mapper
from sqlalchemy.types import ARRAY, JSON, LargeBinary, TypeDecorator, TypeEngine

from shared.errors import BadRequestException

Attribute = InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field has one of the values. Of no values: no row."""

    values: Collection[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The field lies between limits, each of which may be left out."""

    gt: object = None
    ge: object = None
    lt: object = None
    le: object = None


@dataclass(frozen=True, slots=True)
class Contains:
    """The text has *text* in it, whatever the case.

    ``%`` and ``_`` are plain characters. SQLite ignores the case of ASCII letters only.
    """

    text: str


@dataclass(frozen=True, slots=True)
class IsNot:
    """The field has another value; ``IsNot(None)``: it has one."""

    value: object


# What each Python type of a column is compared with. A bool is an int to Python only.
_ALSO: Final[Mapping[type, tuple[type, ...]]] = {
    float: (int, float),
    Decimal: (int, Decimal),
}


def fields_of(mapper: Mapper[Any]) -> dict[str, Attribute]:
    """The attributes of a model that stand for one column each."""
    return {
        prop.key: getattr(mapper.class_, prop.key)
        for prop in mapper.column_attrs
        if len(prop.columns) == 1 and isinstance(prop.columns[0], Column)
    }


def field(model: type[Any], fields: Mapping[str, Attribute], name: str) -> Attribute:
    """The field of that name.

    Raises:
        BadRequestException: There is none, or nothing can be asked about it.
    """
    found = fields.get(name)
    if found is None or not _comparable(found):
        # Which there are is not said: the name may come from the caller of the API.
        raise BadRequestException(
            f"{model.__name__} can't be filtered or sorted by {name!r}."
        )
    return found


def python_type(attribute: Attribute) -> type | None:
    """The type of the field's values, where the column knows it."""
    kinds: list[TypeEngine[Any]] = [attribute.type]
    if isinstance(attribute.type, TypeDecorator):
        kinds.append(attribute.type.impl_instance)
    for kind in kinds:
        with suppress(NotImplementedError):
            found: type = kind.python_type
            if found is not object:
                return found
    return None


def condition(
    model: type[Any], fields: Mapping[str, Attribute], name: str, wanted: object
) -> ColumnElement[bool]:
    """The SQL of one filter.

    Raises:
        BadRequestException: No such field, or a value of another type than the field's.
    """
    attribute = field(model, fields, name)
    check = _checker(name, attribute)
    if isinstance(wanted, OneOf):
        values = [check(value) for value in wanted.values]
        return attribute.in_(values) if values else false()
    if isinstance(wanted, Contains):
        if python_type(attribute) is not str:
            raise BadRequestException(f"{name} is no text that could contain another.")
        return attribute.icontains(check(wanted.text), autoescape=True)
    if isinstance(wanted, Range):
        return _range(name, attribute, wanted, check)
    if isinstance(wanted, IsNot):
        value = wanted.value
        if value is None:
            return attribute.is_not(None)
        # A row without a value has another one too.
        return attribute.is_distinct_from(check(value))
    return attribute.is_(None) if wanted is None else attribute == check(wanted)


def _range(
    name: str, attribute: Attribute, wanted: Range, check: Callable[[object], object]
) -> ColumnElement[bool]:
    limits: list[ColumnElement[bool]] = []
    if wanted.gt is not None:
        limits.append(attribute > check(wanted.gt))
    if wanted.ge is not None:
        limits.append(attribute >= check(wanted.ge))
    if wanted.lt is not None:
        limits.append(attribute < check(wanted.lt))
    if wanted.le is not None:
        limits.append(attribute <= check(wanted.le))
    if not limits:
        raise BadRequestException(f"The range of {name} has no limit.")
    first, *others = limits
    for other in others:
        first = first & other
    return first


def _comparable(attribute: Attribute) -> bool:
    # JSON, bytes and ciphertext have no equality that is the same everywhere.
    kind = attribute.type
    plain = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return not isinstance(plain, ARRAY | JSON | LargeBinary)


def _checker(name: str, attribute: Attribute) -> Callable[[object], object]:
    wanted = python_type(attribute)
    accepted = _ALSO.get(wanted, (wanted,)) if wanted else ()

    def check(value: object) -> object:
        if wanted is UUID and isinstance(value, str):
            try:
                return UUID(value)
            except ValueError:
                pass
        fits = not accepted or (
            isinstance(value, accepted)
            and (wanted is bool or not isinstance(value, bool))
        )
        if fits and wanted is date and isinstance(value, datetime):
            fits = False
        if fits and isinstance(value, datetime) and value.utcoffset() is None:
            raise BadRequestException(
                f"{name} is compared with a time that has a zone."
            )
        if not fits:
            raise BadRequestException(
                f"{name} is compared with a {wanted.__name__ if wanted else 'value'}, "
                f"not with a {type(value).__name__}."
            )
        return value

    return check


def conditions(
    model: type[Any],
    fields: Mapping[str, Attribute],
    filters: Mapping[str, object] | None,
) -> list[ColumnElement[bool]]:
    """The SQL of all filters."""
    return [
        condition(model, fields, name, wanted)
        for name, wanted in (filters or {}).items()
    ]
