"""Pages of a list by keyset: each begins behind the last row of the one before.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Select, and_, cast, literal, or_, tuple_
from sqlalchemy.types import TypeDecorator

from shared.database._filters import Attribute, field, python_type
from shared.dtos.common import CursorValue, decode_cursor, encode_cursor
from shared.errors import BadRequestException

M = TypeVar("M")

_ORDER: Final = "by"  # the member of a cursor that says of which list it is
_READERS: Final[Mapping[type, Callable[[Any], object]]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: Decimal,
    UUID: UUID,
    float: float,
}
_SORTABLE: Final = (str, int, Enum, *_READERS)


class InvalidCursorException(BadRequestException):
    """The cursor of a page is not one that this list gave out."""

    code = "invalid_cursor"
    detail = "The cursor is not one of this list. Begin with the first page."


@dataclass(frozen=True, slots=True)
class RowPage(Generic[M]):
    """Some rows of a list, and the way to the next ones.

    ``Page[SubjectDTO].model_validate(page, from_attributes=True)`` is the reply.
    """

    items: list[M]
    next_cursor: str | None


@dataclass(frozen=True)
class Key:
    """One of the columns that a list is sorted by."""

    name: str
    attribute: Attribute
    descending: bool
    nullable: bool

    def ordered(self) -> ColumnElement[Any]:
        """The term of ORDER BY. Without a value comes last, on both databases."""
        term = self.attribute.desc() if self.descending else self.attribute.asc()
        return term.nulls_last() if self.nullable else term

    def after(self, value: object) -> ColumnElement[bool] | None:
        """Behind *value*; None if nothing is."""
        if value is None:
            return None
        place = self.place(value)
        behind = self.attribute < place if self.descending else self.attribute > place
        return or_(behind, self.attribute.is_(None)) if self.nullable else behind

    def same(self, value: object) -> ColumnElement[bool]:
        """At *value*."""
        if value is None:
            return self.attribute.is_(None)
        return self.attribute == self.place(value)

    def place(self, value: object) -> ColumnElement[Any]:
        """*value* as the column has it."""
        kind = self.attribute.type
        place = literal(value, kind)
        if isinstance(kind, TypeDecorator):
            kind = kind.impl_instance
        # A parameter has 8 bytes, and 0.1 in a REAL, of 4, is another number than that.
        return cast(place, kind) if isinstance(kind, Float) else place


class Order:
    """How a list is sorted: with the primary key last, so that no two are equal."""

    def __init__(
        self,
        model: type[Any],
        fields: Mapping[str, Attribute],
        primary_key: Sequence[str],
        names: Sequence[str],
    ) -> None:
        keys: dict[str, Key] = {}
        for term in names:
            name = term.removeprefix("-")
            if name in keys:
                raise BadRequestException(f"{name} is twice in the order.")
            keys[name] = _key(model, fields, name, term.startswith("-"))
        # In the direction of the last: then an index serves both.
        descending = bool(names) and names[-1].startswith("-")
        for name in primary_key:
            if name not in keys:
                keys[name] = _key(model, fields, name, descending)
        self.keys = tuple(keys.values())
        self.text = ",".join("-" * key.descending + key.name for key in self.keys)
        self._plain = len({key.descending for key in self.keys}) == 1 and not any(
            key.nullable for key in self.keys
        )

    def sort(self, statement: Select[Any]) -> Select[Any]:
        """*statement* in this order."""
        return statement.order_by(*(key.ordered() for key in self.keys))

    def cursor(self, row: object) -> str:
        """The name of the place behind *row*."""
        values = (_written(getattr(row, key.name)) for key in self.keys)
        return encode_cursor(
            {_ORDER: self.text}
            | {str(place): value for place, value in enumerate(values)}
        )

    def behind(self, cursor: str) -> ColumnElement[bool]:
        """The condition for the rows behind the place that *cursor* names.

        Raises:
            InvalidCursorException: It is no cursor of a list in this order.
        """
        try:
            position = decode_cursor(cursor)
            if position.pop(_ORDER, None) != self.text:
                raise ValueError("another order")
            values = [
                _read(position.pop(str(place)), key)
                for place, key in enumerate(self.keys)
            ]
            if position:
                raise ValueError("more members")
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise InvalidCursorException from error
        if self._plain:
            return self._behind_plain(values)
        choices: list[ColumnElement[bool]] = []
        for place, key in enumerate(self.keys):
            after = key.after(values[place])
            if after is not None:
                before = zip(self.keys[:place], values[:place], strict=True)
                choices.append(and_(*(key.same(value) for key, value in before), after))
        return or_(*choices)

    def _behind_plain(self, values: Sequence[object]) -> ColumnElement[bool]:
        if len(values) == 1:
            (only,) = self.keys
            place = only.place(values[0])
            return only.attribute < place if only.descending else only.attribute > place
        # A comparison of rows, which an index over these columns answers by one seek.
        row = tuple_(*(key.attribute for key in self.keys))
        places = tuple_(
            *(key.place(value) for key, value in zip(self.keys, values, strict=True))
        )
        return row < places if self.keys[0].descending else row > places


def _key(
    model: type[Any], fields: Mapping[str, Attribute], name: str, descending: bool
) -> Key:
    attribute = field(model, fields, name)
    wanted = python_type(attribute)
    if wanted is None or not issubclass(wanted, _SORTABLE):
        raise BadRequestException(f"{model.__name__} can't be sorted by {name!r}.")
    nullable = bool(getattr(attribute.expression, "nullable", True))
    return Key(name, attribute, descending, nullable)


def _written(value: object) -> CursorValue:
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _read(value: CursorValue, key: Key) -> object:
    if value is None:
        if not key.nullable:
            raise ValueError("a place that no row has")
        return None
    wanted = python_type(key.attribute) or str
    if issubclass(wanted, Enum):
        return wanted[str(value)]
    if reader := _READERS.get(wanted):
        if not isinstance(value, str):
            raise ValueError("another type")
        read = reader(value)
        if isinstance(read, datetime) and read.utcoffset() is None:
            raise ValueError("a time without a zone")
        return read
    if type(value) is not wanted:
        raise ValueError("another type")
    return value
