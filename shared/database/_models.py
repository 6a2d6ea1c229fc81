"""What a repository knows of a model, worked out once for each.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, bindparam, inspect, select
from sqlalchemy.orm import Mapper

from shared.database._filters import Attribute, fields_of, python_type
from shared.database._mixins import SoftDeleteMixin
from shared.database._paging import Order

LIMIT: Final = "limit_of_page"


class ModelFacts:
    """A model's fields, keys, and the statements that never change."""

    def __init__(self, model: type[Any]) -> None:
        mapper = inspect(model, raiseerr=False)
        if not isinstance(mapper, Mapper):
            raise TypeError(
                f"{model!r} is no model: derive it from shared.database.Base."
            )
        self.model = model
        self.mapper: Mapper[Any] = mapper
        self.fields: Mapping[str, Attribute] = fields_of(mapper)
        self.primary_key: Sequence[str] = [
            mapper.get_property_by_column(column).key for column in mapper.primary_key
        ]
        self.version: str | None = None
        if mapper.version_id_col is not None:
            self.version = mapper.get_property_by_column(mapper.version_id_col).key
        # What an update may not name.
        self.fixed = {*self.primary_key, *([self.version] if self.version else [])}
        self.keys_are_uuids = [
            python_type(self.fields[name]) is UUID for name in self.primary_key
        ]
        self.visible: ColumnElement[bool] | None = None
        if issubclass(model, SoftDeleteMixin):
            self.visible = self.fields["deleted_at"].is_(None)
        self.by_key: Select[Any] = select(model).where(
            *(
                self.fields[name]
                == bindparam(f"key_{place}", type_=self.fields[name].type)
                for place, name in enumerate(self.primary_key)
            )
        )
        self.order = lru_cache(maxsize=64)(self._order)
        self.sorted = lru_cache(maxsize=64)(self._sorted)

    def _sorted(self, names: tuple[str, ...], include_deleted: bool) -> Select[Any]:
        # Made once: SQLAlchemy finds the SQL of the same object faster than of an
        # equal one, and most lists are asked for without conditions.
        statement = self.select(include_deleted=include_deleted)
        return (
            self.order(names).sort(statement).limit(bindparam(LIMIT, type_=Integer()))
        )

    def _order(self, names: tuple[str, ...]) -> Order:
        return Order(self.model, self.fields, self.primary_key, names)

    def select(self, *, include_deleted: bool) -> Select[Any]:
        """All rows, or all that are not hidden."""
        statement = select(self.model)
        if self.visible is not None and not include_deleted:
            statement = statement.where(self.visible)
        return statement

    def key_of(self, ident: object) -> tuple[Any, ...] | None:
        """The values of the primary key; None if no row can have them.

        Raises:
            TypeError: Another number of values than the key has.
        """
        values = ident if isinstance(ident, tuple) else (ident,)
        if len(values) != len(self.primary_key):
            raise TypeError(
                f"The key of {self.model.__name__} is {', '.join(self.primary_key)} "
                f"(got {len(values)} values)."
            )
        if not any(self.keys_are_uuids):
            return values
        read: list[Any] = []
        for value, is_uuid in zip(values, self.keys_are_uuids, strict=True):
            if is_uuid and not isinstance(value, UUID):
                try:
                    value = UUID(value)
                except (ValueError, TypeError, AttributeError):
                    return None
            read.append(value)
        return tuple(read)


@cache
def facts_of(model: type[Any]) -> ModelFacts:
    """The facts of a model; the first call works them out.

    Raises:
        TypeError: It is no model.
    """
    return ModelFacts(model)
