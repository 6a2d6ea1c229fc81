"""What the tests of vectors know of schemas. The generator knows nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
)

Route = tuple[str | int, ...]

CHECKER: Final = Draft202012Validator.FORMAT_CHECKER


def rules(schema: Any, route: Route = ()) -> Iterator[tuple[Route, Any]]:
    """Every rule of a schema without ``$ref``, and its value; members one by one."""
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        here = (*route, keyword)
        if keyword == "properties":
            for name, each in value.items():
                yield from rules(each, (*here, name))
        elif keyword in ("allOf", "anyOf", "oneOf"):
            for index, each in enumerate(value):
                yield from rules(each, (*here, index))
        elif keyword == "items":
            yield from rules(value, here)
        elif keyword == "required":
            for index, _ in enumerate(value):
                yield (*here, index), value
        elif keyword in RULES and not (keyword == "format" and value == "password"):
            yield here, value


RULES = {
    "const",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "pattern",
    "type",
    "uniqueItems",
}


def without(schema: Any, route: Route) -> Any:
    """A copy of a schema in which the rule at *route* is missing."""
    head, *rest = route
    if isinstance(schema, list):
        if not rest:
            return [*schema[: int(head)], *schema[int(head) + 1 :]]
        changed = without(schema[int(head)], tuple(rest))
        return [*schema[: int(head)], changed, *schema[int(head) + 1 :]]
    if not rest:
        return {key: value for key, value in schema.items() if key != head}
    return {**schema, head: without(schema[head], tuple(rest))}


def values_at(schema: Any, document: Any, route: Route = ()) -> dict[Route, list[Any]]:
    """What stands in a document where each part of a schema applies."""
    found: dict[Route, list[Any]] = {route: [document]}

    def add(more: dict[Route, list[Any]]) -> None:
        for key, values in more.items():
            found.setdefault(key, []).extend(values)

    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, each in enumerate(schema.get(keyword, [])):
            add(values_at(each, document, (*route, keyword, index)))
    if isinstance(document, dict):
        for name, each in schema.get("properties", {}).items():
            if name in document:
                add(values_at(each, document[name], (*route, "properties", name)))
    if isinstance(document, list) and "items" in schema:
        for item in document:
            add(values_at(schema["items"], item, (*route, "items")))
    return found


# Rules that nothing breaks without breaking the other one, too: a value of another type
# is no value of an enumeration, and a pattern can bound the length by itself.
IMPLIED = {
    ("exclusiveMinimum", "minimum"),
    ("format", "pattern"),
    ("maxLength", "pattern"),
    ("minLength", "format"),
    ("minLength", "pattern"),
    ("type", "const"),
    ("type", "enum"),
}


def unneeded(schema: Any, vectors: Mapping[str, Any]) -> list[Route]:
    """The rules without which no invalid vector would be valid.

    Left out are those that another rule implies, if a vector says so with ``also``.
    """
    refused = [v for v in vectors["invalid"] if not v["schema_accepts"]]
    refused += [v for v in vectors["differs"] if not v["schema"]]
    found = []
    for route, value in rules(schema):
        keyword = next(str(word) for word in route[::-1] if isinstance(word, str))
        if keyword in ("minItems", "minLength") and value == 0:
            continue  # nothing is shorter
        weaker = Draft202012Validator(without(schema, route), format_checker=CHECKER)
        # Those that name the rule first: most often it is one of them.
        keyed = [v for v in refused if v.get("keyword") == keyword]
        if any(weaker.is_valid(v["document"]) for v in [*keyed, *refused]):
            continue
        beside = siblings(schema, route)
        said = {also for v in keyed for also in v.get("also", ())} & beside
        if not any((keyword, also) in IMPLIED for also in said):
            found.append(route)
    return found


def siblings(schema: Any, route: Route) -> set[str]:
    """The keywords beside a rule."""
    part = schema
    for token in route[: -1 if isinstance(route[-1], str) else -2]:
        part = part[token]
    inside = [each for branch in part.get("allOf", []) for each in branch]
    return {*part, *inside}
