"""Pydantic models as JSON Schema 2020-12, as a reader in another language needs it.

What is added to pydantic's own schemas, and what is taken away:

* No ``additionalProperties: false`` in events: who reads ignores members that it does
  not know. A DTO is read as its class says.
* No titles made of the names of fields.
* ``x-written``, on an object: the members that are there in everything we write, where
  a reader could do without.
* ``x-validated-by``, on a member: the names of functions that check what no keyword can
  say. The schema accepts more than they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, get_args

from pydantic import BaseModel, PydanticInvalidForJsonSchema, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

DIALECT: Final = GenerateJsonSchema.schema_dialect

# Functions whose rules the keywords beside them say in full. The vectors hold them to
# it: every one of their rules is broken there under the name of a keyword.
_SAID_IN_FULL: Final = frozenset(
    {
        # format: date-time
        "refuse_other_notations",
        "to_utc",
        "from_python",
        "from_text",
        "fromisoformat",
        # pattern, minLength, maxLength
        "validate_hex_color",
        "validate_locale_tag",
        "validate_slug",
        "validate_username_format",
        "check_token",
        "check_entry",
        # minLength and maxLength of a secret
        "max_length_validator",
        "min_length_validator",
        # They convert what Python code passes, not what JSON holds.
        "correlation_text",
    }
)

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """Definitions by the name of their class, and what schemas leave unsaid in them."""

    definitions: Mapping[str, Schema]
    validated_by: Mapping[tuple[str, str], tuple[str, ...]]
    """Names of functions, by class and JSON Pointer in its definition."""


class UnsayableError(TypeError):
    """A class has a part that no document of another language can show."""


class _Generator(GenerateJsonSchema):
    """Pydantic's own, without titles that only repeat a name."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def export(
    classes: Iterable[type[BaseModel | Enum]],
    *,
    ref_template: str,
    tolerant: bool = True,
) -> Export:
    """The definitions of *classes* and of all that they are made of.

    Args:
        classes: Models, and enumerations.
        ref_template: Where a definition is found: ``"{model}.schema.json"``.
        tolerant: Readers ignore members that they do not know, whatever a class says.

    Raises:
        UnsayableError: Two classes have one name, or a type has no JSON Schema.
    """
    found = reachable(classes)
    read = _definitions(found.values(), "validation", ref_template)
    written = _definitions(found.values(), "serialization", ref_template)
    unsaid: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, definition in read.items():
        if tolerant:
            _tolerate(definition)
        members = definition.get("properties")
        if members is None:
            continue
        if not _writes_what_was_sent(found[name]):
            present = written[name].get("properties", {})
            definition["x-written"] = [
                member for member in members if member in present
            ]
        for pointer, functions in _unsaid_by(found[name]):
            place = members[pointer] if pointer else definition
            place["x-validated-by"] = list(functions)
            unsaid[name, f"/properties/{pointer}" if pointer else ""] = functions
    return Export(read, unsaid)


def _definitions(
    classes: Iterable[type[BaseModel | Enum]], mode: JsonSchemaMode, ref_template: str
) -> dict[str, Schema]:
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (cls.__name__, mode, TypeAdapter(cls)) for cls in classes
    ]
    try:
        by_name, common = TypeAdapter.json_schemas(
            adapters, ref_template=ref_template, schema_generator=_Generator
        )
    except PydanticInvalidForJsonSchema as error:
        raise UnsayableError(f"A type has no JSON Schema: {error.message}") from None
    definitions: dict[str, Schema] = dict(common.get("$defs", {}))
    for (name, _), schema in by_name.items():
        if "$ref" not in schema:  # used once, and so in no definition of its own
            definitions[name] = schema
    return dict(sorted(definitions.items()))


def reachable(
    classes: Iterable[type[BaseModel | Enum]],
) -> dict[str, type[BaseModel | Enum]]:
    """The classes, and those of their fields, by name.

    Raises:
        UnsayableError: Two of them have one name.
    """
    found: dict[str, type[BaseModel | Enum]] = {}
    pending: list[Any] = list(classes)
    while pending:
        kind = pending.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel | Enum):
            known = found.setdefault(kind.__name__, kind)
            if known is not kind:
                raise UnsayableError(
                    f"{kind.__module__}.{kind.__name__} has the name of "
                    f"{known.__module__}.{known.__name__}: a reader could not tell "
                    "one from the other."
                )
            if issubclass(kind, BaseModel):
                for field in kind.model_fields.values():
                    pending += _types_in(field.annotation)
    return found


def _types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)


def _tolerate(definition: Schema) -> None:
    if "properties" in definition and definition.get("additionalProperties") is False:
        del definition["additionalProperties"]


def _writes_what_was_sent(cls: type[BaseModel | Enum]) -> bool:
    """Whether absent members stay absent: a serializer decides, as in updates."""
    decorators = getattr(cls, "__pydantic_decorators__", None)
    return bool(decorators and decorators.model_serializers)


def _unsaid_by(
    cls: type[BaseModel | Enum],
) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not issubclass(cls, BaseModel):
        return
    cls.model_rebuild()
    model = _inner(cls.__pydantic_core_schema__, cls)
    own = tuple(dict.fromkeys(_functions(cls.__pydantic_core_schema__, stop=model)))
    if own:
        yield "", own
    fields = model["schema"]
    while "fields" not in fields:
        fields = fields["schema"]
    for name, field in fields["fields"].items():
        functions = tuple(dict.fromkeys(_functions(field["schema"])))
        if functions:
            alias = field.get("validation_alias")  # by which readers find it
            yield alias if isinstance(alias, str) else name, functions


def _inner(schema: Any, cls: type) -> Any:
    """The core schema of the model itself, inside of what is wrapped around it."""
    while schema["type"] != "model" or schema["cls"] is not cls:
        if schema["type"] == "definitions":
            inner = schema["schema"]
            refs = {each.get("ref"): each for each in schema["definitions"]}
            schema = (
                refs[inner["schema_ref"]]
                if inner["type"] == "definition-ref"
                else inner
            )
        else:
            schema = schema["schema"]
    return schema


_PARTS: Final = (
    "schema",
    "items_schema",
    "keys_schema",
    "values_schema",
    "json_schema",
)
_LISTS: Final = ("choices", "steps", "items_schema")


def _functions(schema: Any, stop: Any = None) -> Iterator[str]:
    """The names of the functions that check a value, those of other models left out."""
    if schema is stop or schema["type"] == "model":
        return
    if schema["type"].startswith("function-"):
        name = _name_of(schema["function"]["function"])
        if name not in _SAID_IN_FULL:
            yield name
    for part in _PARTS:
        if isinstance(schema.get(part), dict):
            yield from _functions(schema[part], stop)
    for part in _LISTS:
        for each in schema.get(part, ()) if isinstance(schema.get(part), list) else ():
            # A choice of a union may stand beside its label.
            yield from _functions(each[0] if isinstance(each, tuple) else each, stop)


def _name_of(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        return type(owner).__name__.lstrip("_")
    inner = getattr(function, "func", function)  # of functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__)).lstrip("_")
