"""Small schemas, changes to them, and documents that a closed writer makes by them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from hypothesis import assume
from hypothesis import strategies as st
from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
    FormatChecker,
)

Schema = Any

NAMES: Final = ("a", "b", "c")
PATTERNS: Final = ("^a", "b$", "^[a-c]*$", "[0-9]")
FORMATS: Final = ("date", "ipv4")
TEXTS: Final = (
    "",
    "a",
    "ab",
    "abc",
    "b",
    "abca",
    "abcab",
    "a1",
    "2026-01-31",
    "127.0.0.1",
)
NUMBERS: Final = (-2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 12, 0.5, 1.5, 2.5, 3.0)
CHECKS: Final[dict[str, Schema]] = {
    "no_text_ab": {"not": {"const": "ab"}},
    "no_two": {"not": {"const": 2}},
    "no_empty_list": {"not": {"const": []}},
}
"""What the validators in code do, for `Writer` and `accepts` to know."""


def _numbers(kind: str) -> st.SearchStrategy[Schema]:
    ends = st.sampled_from((-1, 0, 1, 2, 3, 5))
    return st.fixed_dictionaries(
        {"type": st.just(kind)},
        optional={
            "minimum": ends,
            "maximum": ends,
            "exclusiveMinimum": ends,
            "exclusiveMaximum": ends,
            "multipleOf": st.sampled_from((1, 2, 3, 0.5)),
            "x-validated-by": st.just(["no_two"]),
        },
    )


_sizes = st.integers(0, 3)
_texts = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": _sizes,
        "maxLength": st.integers(0, 5),
        "pattern": st.sampled_from(PATTERNS),
        "format": st.sampled_from(FORMATS),
        "x-validated-by": st.just(["no_text_ab"]),
        "contentEncoding": st.just("base64"),
    },
)
_values = st.sampled_from(("a", "ab", "abc", 1, 2, 3.0, None, True, 0))
_lists_of_values = st.lists(_values, min_size=1, max_size=4, unique_by=repr)
_enums = st.one_of(
    st.fixed_dictionaries({"enum": _lists_of_values}),
    st.fixed_dictionaries({"const": _values}),
    st.fixed_dictionaries(
        {
            "type": st.just("string"),
            "enum": st.lists(st.sampled_from(TEXTS), min_size=1, unique=True),
        },
        optional={"maxLength": _sizes, "minLength": _sizes},
    ),
    st.fixed_dictionaries(
        {"type": st.just("integer"), "enum": st.just([1, 2, 3])},
        optional={"minimum": _sizes, "maximum": _sizes},
    ),
)
_kinds = st.sampled_from(
    ("null", "boolean", "integer", "number", "string", "array", "object")
)
_leaves = st.one_of(
    _numbers("integer"),
    _numbers("number"),
    _texts,
    _enums,
    st.fixed_dictionaries({"type": _kinds}),
    st.fixed_dictionaries(
        {"type": st.lists(_kinds, min_size=1, max_size=3, unique=True)},
        optional={"minimum": _sizes, "minLength": _sizes, "maxItems": _sizes},
    ),
    st.just({}),
    st.sampled_from((True, False)),
    st.sampled_from(({"$ref": "#/$defs/x"}, {"$ref": "#/$defs/y", "title": "Y"})),
)


def _lists(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "minItems": _sizes,
            "maxItems": _sizes,
            "uniqueItems": st.booleans(),
            "x-validated-by": st.just(["no_empty_list"]),
        },
    )


def _objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.lists(st.sampled_from(NAMES), unique=True, max_size=2)
    member = st.one_of(
        inner,
        st.tuples(inner.filter(lambda s: isinstance(s, dict)), _values).map(
            lambda pair: {**pair[0], "default": pair[1]}
        ),
    )
    return st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(st.sampled_from(NAMES), member, max_size=3),
            "required": names,
            "x-written": names,
            "additionalProperties": inner,
            "minProperties": _sizes,
            "maxProperties": _sizes,
            "propertyNames": st.sampled_from(({"enum": ["a", "b"]}, {"maxLength": 1})),
        },
    )


def _unions(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    branches = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"anyOf": branches}),
        st.tuples(inner).map(lambda one: {"anyOf": [one[0], {"type": "null"}]}),
        st.fixed_dictionaries({"oneOf": branches}),
        st.fixed_dictionaries({"allOf": branches}),
        st.fixed_dictionaries({"anyOf": branches, "type": _kinds}),
        st.fixed_dictionaries({"not": inner}),
        st.tuples(inner, inner).map(
            lambda two: {
                "oneOf": [_tagged(two[0], "x"), _tagged(two[1], "y")],
                "discriminator": {"propertyName": "kind"},
            }
        ),
    )


def _tagged(inner: Schema, tag: str) -> Schema:
    return {
        "type": "object",
        "properties": {"kind": {"const": tag}, "a": inner},
        "required": ["kind"],
    }


def _inner() -> st.SearchStrategy[Schema]:
    return st.recursive(
        _leaves,
        lambda inner: st.one_of(_lists(inner), _objects(inner), _unions(inner)),
        max_leaves=5,
    )


INNER: Final = _inner()


_KINDS: Final = {
    "integer": _numbers("integer"),
    "number": _numbers("number"),
    "string": _texts,
    "array": _lists(INNER),
    "object": _objects(INNER),
}


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A whole document: a schema, and two definitions that it may refer to."""
    some = st.one_of(_objects(INNER), INNER.filter(lambda each: isinstance(each, dict)))
    plain = INNER.filter(lambda schema: "$ref" not in repr(schema))
    return {**draw(some), "$defs": {"x": draw(plain), "y": draw(plain)}}


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document before and after one change, or a few."""
    before = draw(schemas())
    after = copy.deepcopy(before)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        spot, replace = draw(st.sampled_from(list(_spots(after))))
        replace(_changed(draw, copy.deepcopy(spot)))
    # Definitions may hold themselves, but not by a `not`, where validators never end.
    assume("$ref" not in repr(after["$defs"]) or "not" not in repr(after))
    return before, after


def _changed(draw: st.DrawFn, schema: Schema) -> Schema:
    """A schema with one change."""
    how = draw(st.sampled_from(("keyword",) * 6 + ("replace", "null", "default")))
    if how == "null":
        return {"anyOf": [schema, {"type": "null"}]}
    if how == "replace" or not isinstance(schema, dict):
        return draw(INNER)
    if how == "default":
        return {**schema, "default": draw(_values)}
    kind = schema.get("type")
    donors = _KINDS.get(kind) if isinstance(kind, str) else None
    if donors is None:
        donors = INNER.filter(lambda each: isinstance(each, dict))
    donor = draw(donors)
    keywords = sorted(set(schema) | set(donor) - {"$ref"})
    if isinstance(kind, str) and len(keywords) > 1:
        keywords.remove("type")
    keyword = draw(st.sampled_from(keywords or ["title"]))
    if keyword == "properties" and keyword in schema:
        name = draw(st.sampled_from(NAMES))
        if schema["properties"].pop(name, None) is None or draw(st.booleans()):
            schema["properties"][name] = draw(INNER)
    elif keyword == "enum" and keyword in schema:
        schema["enum"] = draw(_lists_of_values)
    elif keyword == "default" and draw(st.booleans()):
        schema["default"] = draw(_values)
    elif keyword in donor:
        schema[keyword] = donor[keyword]
    else:
        schema.pop(keyword, None)
    return schema


def _spots(schema: dict[str, Any]) -> Iterator[tuple[Schema, Callable[[Any], None]]]:
    """Every schema in a document, and how to put another in its place."""

    def replace_root(new: Any) -> None:
        defs = schema["$defs"]
        schema.clear()
        schema.update(new if isinstance(new, dict) else {"anyOf": [new]})
        schema["$defs"] = defs

    yield {k: v for k, v in schema.items() if k != "$defs"}, replace_root
    yield from _below(schema)


def _below(node: Any) -> Iterator[tuple[Schema, Callable[[Any], None]]]:
    if not isinstance(node, dict):
        return
    for keyword in ("properties", "$defs"):
        for name in node.get(keyword, {}):
            yield from _spot(node[keyword], name)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index in range(len(node.get(keyword, []))):
            yield from _spot(node[keyword], index)
    for keyword in ("items", "additionalProperties", "not"):
        if keyword in node:
            yield from _spot(node, keyword)


def _spot(holder: Any, key: Any) -> Iterator[tuple[Schema, Callable[[Any], None]]]:
    yield holder[key], lambda new: holder.__setitem__(key, new)
    yield from _below(holder[key])


def strict(node: Any, *, promises: bool) -> Any:
    """A schema as a validator knows it: what code checks is said by keywords.

    With *promises*, what is in ``x-written`` is required.
    """
    if isinstance(node, list):
        return [strict(item, promises=promises) for item in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for keyword, value in node.items():
        literal = keyword in ("enum", "const", "default", "required")
        kept = promises and keyword != "not"  # a promise is about what is written
        found[keyword] = value if literal else strict(value, promises=kept)
    if isinstance(node.get("x-written"), list) and promises:
        required = {*node.get("required", []), *node["x-written"]}
        found["required"] = sorted(required)
    if isinstance(node.get("x-validated-by"), list):
        checks = [CHECKS[name] for name in node["x-validated-by"]]
        found["allOf"] = [*found.get("allOf", []), *checks]
    return found


def validator(schema: Schema, *, promises: bool = False) -> Draft202012Validator:
    """Decides what a reader accepts."""
    known = strict(schema, promises=promises)
    return Draft202012Validator(known, format_checker=FormatChecker())


class Writer:
    """Makes documents by a schema: members that it names or allows, and no others.

    What it makes need not be valid; whoever asks looks.
    """

    def __init__(self, document: Schema, random: Random) -> None:
        self._document = document
        self._random = random

    def write(self, schema: Schema) -> Any:
        """One document."""
        layers = list(self._layers(schema))
        listed = [v for each in layers for v in self._listed(each)]
        if listed:
            return copy.deepcopy(self._random.choice(listed))
        kinds = [self._kinds(layer) for layer in layers if "type" in layer]
        common = [k for k in _TYPES if all(k in kind for kind in kinds)]
        return getattr(self, f"_{self._random.choice(common or _TYPES)}")(layers)

    def _listed(self, layer: Any) -> list[Any]:
        return [*layer.get("enum", []), *([layer["const"]] if "const" in layer else [])]

    def _kinds(self, layer: Any) -> list[str]:
        kinds = layer["type"] if isinstance(layer["type"], list) else [layer["type"]]
        return [*kinds, *(["integer"] if "number" in kinds else [])]

    def _layers(self, schema: Schema) -> Iterator[dict[str, Any]]:
        if not isinstance(schema, dict):
            return
        yield schema
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from self._layers(self._document["$defs"][name])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                yield from self._layers(self._random.choice(schema[keyword]))
        for each in schema.get("allOf", ()):
            yield from self._layers(each)

    def _null(self, layers: list[Any]) -> None:
        del layers

    def _boolean(self, layers: list[Any]) -> bool:
        del layers
        return self._random.choice((True, False))

    def _integer(self, layers: list[Any]) -> float:
        del layers
        return self._random.choice([n for n in NUMBERS if n == int(n)])

    def _number(self, layers: list[Any]) -> float:
        del layers
        return self._random.choice(NUMBERS)

    def _string(self, layers: list[Any]) -> str:
        del layers
        return self._random.choice(TEXTS)

    def _array(self, layers: list[Any]) -> list[Any]:
        items = [self._item(layers, i) for i in range(self._random.randint(0, 4))]
        return items if self._random.random() < 0.7 else items[:1] * len(items)

    def _item(self, layers: list[Any], index: int) -> Any:
        parts: list[Any] = []
        for layer in layers:
            if index < len(layer.get("prefixItems", ())):
                parts.append(layer["prefixItems"][index])
            elif "items" in layer:
                parts.append(layer["items"])
        return self.write({"allOf": parts} if parts else {})

    def _object(self, layers: list[Any]) -> dict[str, Any]:
        named = {name for layer in layers for name in layer.get("properties", {})}
        extra = [
            layer["additionalProperties"]
            for layer in layers
            if "additionalProperties" in layer
        ]
        free = not extra and not any("properties" in layer for layer in layers)
        names = {*named, *(NAMES if extra or free else ())}
        written = [name for name in sorted(names) if self._random.random() < 0.7]
        return {name: self._member(layers, name) for name in written}

    def _member(self, layers: list[Any], name: str) -> Any:
        parts: list[Any] = []
        for layer in layers:
            if name in layer.get("properties", {}):
                parts.append(layer["properties"][name])
            elif "additionalProperties" in layer:
                parts.append(layer["additionalProperties"])
        return self.write({"allOf": parts} if parts else {})


_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")
