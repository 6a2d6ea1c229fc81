"""JSON values that can't be changed, for payloads whose members are not known before.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

K = TypeVar("K")
V = TypeVar("V")

MAX_DEPTH = 100
"""Levels of arrays and objects. pydantic's JSON parser gives up at 200."""


class FrozenDict(dict[K, V]):
    """A ``dict`` that refuses to change: hashable, picklable, equal to a plain one.

    Not a ``MappingProxyType``, which neither pickle nor ``deepcopy`` nor a JSON
    encoder can take.
    """

    __slots__ = ()

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A FrozenDict can't be changed: make a new one.")

    __setitem__: Any = _refuse
    __delitem__: Any = _refuse
    __ior__: Any = _refuse
    clear: Any = _refuse
    pop: Any = _refuse
    popitem: Any = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse

    def __hash__(self) -> int:  # type: ignore[override]  # dict has None here
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


def freeze(value: object, *, depth: int = MAX_DEPTH, finite: bool = True) -> Any:
    """Return *value* with tuples for its arrays and `FrozenDict` for its objects.

    Args:
        value: What may become JSON.
        depth: How many arrays and objects may be inside each other.
        finite: Refuse infinity, which is also what 1e400 is read as.

    Raises:
        PydanticCustomError: A ``ValueError``. Some part is not a JSON value, or
            too deep inside.
    """
    if isinstance(value, str):
        if not (value.isascii() or _has_utf8(value)):
            raise PydanticCustomError("json_value", "Text must be valid Unicode.")
        return value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if finite and not math.isfinite(value):
            raise PydanticCustomError("json_value", "JSON has no NaN and no infinity.")
        return value
    if isinstance(value, Mapping | list | tuple) and depth == 0:
        raise PydanticCustomError(
            "json_depth",
            "The JSON is nested too deeply.",
        )
    inside = partial(freeze, depth=depth - 1, finite=finite)
    if isinstance(value, Mapping):
        return FrozenDict([(_name(key), inside(item)) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return tuple(map(inside, value))
    raise PydanticCustomError(
        "json_value",
        "JSON has no {type_name}: convert it to text or a number first.",
        {"type_name": type(value).__name__},
    )


def _name(key: object) -> object:
    if not isinstance(key, str):
        raise PydanticCustomError("json_value", "Names in JSON must be text.")
    return freeze(key)


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _freeze_object(value: object) -> FrozenDict[str, Any]:
    if not isinstance(value, Mapping):
        raise PydanticCustomError("dict_type", "Must be an object.")
    frozen: FrozenDict[str, Any] = freeze(value)
    return frozen


class Frozen:
    """Validates by `freeze`; *schema* is what JSON Schema says of it."""

    def __init__(self, function: Any, schema: dict[str, Any]) -> None:
        self._function = function
        self._schema = schema

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._function)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self._schema)


JsonObject: TypeAlias = Annotated[
    Mapping[str, Any], Frozen(_freeze_object, {"type": "object"})
]
"""A JSON object with members of any name, frozen all the way down."""

JsonValue: TypeAlias = Annotated[Any, Frozen(freeze, {})]
"""Any JSON value, frozen all the way down."""
