"""Events of any class, for property tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from shared.events._envelope import BaseEvent

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

floats = st.floats(allow_nan=False, allow_infinity=False)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)

moments = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC)
    | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
)


@cache
def events_of(cls: type[BaseEvent[Any]]) -> st.SearchStrategy[BaseEvent[Any]]:
    """Valid events of *cls*, some members left to their defaults."""
    return models_of(cls)


def models_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Valid instances of *cls*, some fields left to their defaults."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in cls.model_fields.items():
        group = required if field.is_required() else optional
        group[name] = values_of(field.annotation, field.metadata)
    return st.fixed_dictionaries(required, optional=optional).map(lambda kw: cls(**kw))


def values_of(annotation: Any, metadata: Iterable[Any] = ()) -> st.SearchStrategy[Any]:
    """What may be passed for a field of this type."""
    bounds = dict(_bounds(metadata))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values_of(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, UnionType):
        return st.one_of([values_of(argument, metadata) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        size = bounds.get("min_length", 0)
        return st.lists(values_of(arguments[0]), min_size=size, max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(texts, json_values, max_size=3)
    if issubclass(annotation, BaseModel):
        return models_of(annotation)
    return _scalars(annotation, bounds)


def _scalars(annotation: type, bounds: dict[str, Any]) -> st.SearchStrategy[Any]:
    low, high = bounds.get("ge"), bounds.get("le")
    strategies: dict[type, st.SearchStrategy[Any]] = {
        NoneType: st.none(),
        UUID: st.uuids(),
        bool: st.booleans(),
        int: st.integers(low, high),
        float: floats,
        datetime: moments,
        Decimal: st.decimals(
            Decimal(-(10**9)) if low is None else low, 10**9, places=2
        ),
        str: _strings(bounds),
        SecretStr: _strings(bounds).map(SecretStr),
    }
    return strategies[annotation]


def _strings(bounds: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in bounds:
        alphabet = st.characters(exclude_categories=["Cs"])
        longest = bounds.get("max_length", 128)
        return st.from_regex(
            bounds["pattern"].replace("$", r"\Z"), alphabet=alphabet
        ).filter(lambda text: len(text) <= longest)
    size = bounds.get("min_length", 0)
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=size, max_size=30)


def _bounds(metadata: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from _bounds(item.metadata)
        for name in ("min_length", "max_length", "ge", "le", "pattern"):
            if getattr(item, name, None) is not None:
                yield name, getattr(item, name)
