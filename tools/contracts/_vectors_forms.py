"""A schema as the forms that a value may have at each place of a document.

``$ref`` and ``allOf`` are opened, so that all rules that hold at a place stand side
by side. Each branch of ``anyOf`` and ``oneOf``, and each type of a list of types, is a
form of its own.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from tools.contracts._vectors_regex import UnsampledError, regex
from tools.contracts.differences import FORMATS, UNCHECKED_FORMATS

Schema = Mapping[str, Any]
Route = tuple[str | int, ...]
"""Where a keyword is, as jsonschema's errors say: through a ``$ref`` unseen."""

_UNIONS: Final = ("anyOf", "oneOf")

# What says something of a value, by the type that it says it of.
RULES: Final[Mapping[str, str]] = {
    "const": "",
    "enum": "",
    "format": "string",
    "maxLength": "string",
    "minLength": "string",
    "pattern": "string",
    "exclusiveMaximum": "number",
    "exclusiveMinimum": "number",
    "maximum": "number",
    "minimum": "number",
    "multipleOf": "number",
    "maxItems": "array",
    "minItems": "array",
    "uniqueItems": "array",
    "additionalProperties": "object",
    "maxProperties": "object",
    "minProperties": "object",
    "required": "object",
    "type": "",
}
APPLICATORS: Final = frozenset(
    {"$ref", "allOf", "anyOf", "oneOf", "items", "prefixItems", "properties"}
)
ANNOTATIONS: Final = frozenset(
    {
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "contentEncoding",
        "contentMediaType",
        "default",
        "deprecated",
        "description",
        "discriminator",  # OpenAPI's: the branches say the same
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)


class UnsaidError(ValueError):
    """A schema has something that no vectors are made for. One line: what, where."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A keyword and its value, at a place."""

    keyword: str
    value: Any
    route: Route
    part: Schema
    """The schema that has it."""


@dataclass(frozen=True)
class Form:
    """One form that the value at a place may have: a type, and all rules for it."""

    kind: str
    """A type of JSON Schema, or ``any``."""
    parts: tuple[tuple[Schema, Route], ...]
    validators: tuple[str, ...]
    """Names of the functions that check it too."""
    label: str
    """Tells the forms of a place apart; empty if it has one."""
    definitions: Mapping[str, Any] = field(repr=False)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """What the value must keep to, in the order of the schema."""
        return tuple(
            Rule(keyword, value, (*route, keyword), part)
            for part, route in self.parts
            for keyword, value in part.items()
            if RULES.get(keyword, "-") in ("", _family(self.kind))
        )

    def all(self, keyword: str) -> list[Any]:
        """The values of a keyword: one of each schema that has it."""
        return [rule.value for rule in self.rules if rule.keyword == keyword]

    def annotations(self, keyword: str) -> list[Any]:
        """The values of a keyword that is no rule."""
        return [part[keyword] for part, _ in self.parts if keyword in part]

    @cached_property
    def choices(self) -> list[Any] | None:
        """The values of ``const`` and ``enum``, of this form's type."""
        lists = [*self.all("enum"), *([value] for value in self.all("const"))]
        if not lists:
            return None
        first, *others = lists
        return [
            value
            for value in first
            if all(value in other for other in others) and self.kind in kinds_of(value)
        ]

    @cached_property
    def required(self) -> list[str]:
        """The members that must be there."""
        return list(
            dict.fromkeys(name for names in self.all("required") for name in names)
        )

    @cached_property
    def members(self) -> dict[str, Place]:
        """The members that are named, by name."""
        found: dict[str, list[tuple[Any, Route]]] = {}
        for part, route in self.parts:
            for name, schema in part.get("properties", {}).items():
                found.setdefault(name, []).append(
                    (schema, (*route, "properties", name))
                )
        for name in self.required:
            found.setdefault(name, [])
        return {name: self._inside(schemas) for name, schemas in found.items()}

    @cached_property
    def other_members(self) -> Place | None:
        """Members of other names; None where no schema says anything of them."""
        schemas = [
            (part["additionalProperties"], (*route, "additionalProperties"))
            for part, route in self.parts
            if isinstance(part.get("additionalProperties"), Mapping)
        ]
        return self._inside(schemas) if schemas else None

    @property
    def closed(self) -> bool:
        """Whether a member that no schema names is refused."""
        return False in self.all("additionalProperties")

    def item(self, index: int) -> Place:
        """The item at an index of an array."""
        schemas: list[tuple[Any, Route]] = []
        for part, route in self.parts:
            before = part.get("prefixItems", [])
            if index < len(before):
                schemas.append((before[index], (*route, "prefixItems", index)))
            elif "items" in part:
                schemas.append((part["items"], (*route, "items")))
        return self._inside(schemas, self.validators)

    @property
    def prefix(self) -> int:
        """How many items have a schema of their own."""
        return max((len(p.get("prefixItems", [])) for p, _ in self.parts), default=0)

    def _inside(
        self,
        schemas: Sequence[tuple[Any, Route]],
        validators: Sequence[str] = (),
    ) -> Place:
        said = tuple(schemas) or (({}, ()),)
        return Place(said, tuple(validators), self.definitions)


@dataclass(frozen=True)
class Place:
    """Where a value is, and the schemas that hold there."""

    schemas: tuple[tuple[Any, Route], ...]
    validators: tuple[str, ...]
    definitions: Mapping[str, Any] = field(repr=False)

    @cached_property
    def forms(self) -> list[Form]:
        """What a value may be here, the null last.

        Raises:
            UnsaidError: A keyword is none of those that vectors are made for.
        """
        opened = [part for each in self.schemas for part in self._opened(*each)]
        found = list(self._branches(opened, "", 0))
        found.sort(key=lambda form: form.kind == "null")
        if len(found) == 1:
            only = found[0]
            return [Form(only.kind, only.parts, only.validators, "", self.definitions)]
        return found

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The types that a value may have here."""
        return frozenset(form.kind for form in self.forms)

    def _opened(self, schema: Any, route: Route) -> Iterator[tuple[Schema, Route]]:
        if schema is True:
            schema = {}
        if not isinstance(schema, Mapping):
            raise UnsaidError(f"nothing is valid at {'/'.join(map(str, route))}")
        _check(schema, route)
        yield schema, route
        if "$ref" in schema:  # to a schema that is a part of itself
            name = schema["$ref"].rpartition("/")[2]
            yield from self._opened(self.definitions[name], route)
        for index, each in enumerate(schema.get("allOf", [])):
            yield from self._opened(each, (*route, "allOf", index))

    def _branches(
        self, parts: list[tuple[Schema, Route]], label: str, opened: int
    ) -> Iterator[Form]:
        unions = [
            (part[keyword], (*route, keyword))
            for part, route in parts
            for keyword in _UNIONS
            if keyword in part
        ]
        if len(unions) > opened:
            branches, route = unions[opened]
            for index, branch in enumerate(branches):
                more = list(self._opened(branch, (*route, index)))
                name = f"{label}{index + 1}." if len(branches) > 1 else label
                yield from self._branches([*parts, *more], name, opened + 1)
            return
        validators = dict.fromkeys(self.validators)
        for part, _ in parts:
            validators.update(dict.fromkeys(part.get("x-validated-by", ())))
        for kind in _kinds(parts):
            names = tuple(validators)
            yield Form(kind, tuple(parts), names, label + kind, self.definitions)


def _check(schema: Schema, route: Route) -> None:
    """Refuse what no vectors are made for."""
    for keyword, value in schema.items():
        at = "/".join(map(str, (*route, keyword)))
        known = keyword in RULES or keyword in APPLICATORS or keyword in ANNOTATIONS
        if not (known or keyword.startswith("x-")):
            raise UnsaidError(f"no vectors are made for the keyword at {at}")
        if keyword == "format" and value not in FORMATS.keys() | UNCHECKED_FORMATS:
            raise UnsaidError(
                f"no samples are known of the format {value} at {at}: add them to "
                "FORMATS in tools/contracts/differences.py"
            )
        if keyword == "pattern":
            try:
                regex(value)
            except (UnsampledError, re.error) as error:
                raise UnsaidError(f"the expression at {at}: {error}") from None


def kinds_of(value: Any) -> tuple[str, ...]:
    """The types of JSON Schema that a value is of, and ``any``."""
    if value is None:
        return ("null", "any")
    if isinstance(value, bool):
        return ("boolean", "any")
    if isinstance(value, int):
        return ("integer", "number", "any")
    if isinstance(value, float):
        whole = ("integer",) if value.is_integer() else ()
        return (*whole, "number", "any")
    if isinstance(value, str):
        return ("string", "any")
    return ("object" if isinstance(value, Mapping) else "array", "any")


def _family(kind: str) -> str:
    return "number" if kind == "integer" else kind


def _kinds(parts: Sequence[tuple[Schema, Route]]) -> list[str]:
    """The types that all *parts* allow; ``any`` where none says one."""
    allowed: list[str] | None = None
    for part, _ in parts:
        said = part.get("type")
        if said is None:
            continue
        types = [said] if isinstance(said, str) else list(said)
        if allowed is None:
            allowed = types
        else:
            allowed = [
                "integer" if "integer" in (kind, other) else kind
                for kind in allowed
                for other in types
                if _family(kind) == _family(other)
            ]
    if allowed is not None:
        return list(dict.fromkeys(allowed))
    values = [
        value
        for part, _ in parts
        for value in (
            *part.get("enum", ()),
            *([part["const"]] if "const" in part else ()),
        )
    ]
    if values:
        return list(dict.fromkeys(kinds_of(value)[0] for value in values))
    for part, _ in parts:
        for keyword in part:
            family = "object" if keyword == "properties" else RULES.get(keyword)
            if family:
                return [family]
    return ["any"]
