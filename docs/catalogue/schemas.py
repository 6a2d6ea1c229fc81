"""JSON Schemas as tables that people read: a type and rules in words for each member.

Nothing is left out: a keyword that has no words here is shown as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from docs.catalogue.parts import Part, Text, code, joined, words

Schema = Mapping[str, Any]
Linker = Callable[[str], Part]
"""Gives the name of what a ``$ref`` leads to, and where that is in the page."""

# What is said elsewhere in the page, or says nothing to a reader.
_ELSEWHERE: Final = frozenset(
    {
        *("$schema", "$id", "$defs", "$comment", "title", "description", "examples"),
        *("type", "format", "$ref", "anyOf", "oneOf", "items", "prefixItems"),
        *("properties", "required", "default", "x-written", "x-direction"),
        *("x-aggregate-key", "x-validated-by"),
    }
)

# Rules that have no short form, by what they are for. The pattern is shown with them.
PATTERNS: Final[Mapping[str, str]] = {
    r"[^\s\uFEFF]": "not only spaces",
    r"^[^\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069"
    r"\u200B\u2028\u2029\u2060\uFEFF]*$": "one line, no control characters",
    r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F"
    r"\u202A-\u202E\u2066-\u2069]*$": "no control characters but tabs and line ends",
    r"^[^@\s]+@[^@\s]+$": "an e-mail address",
    r"^https?://[^\s]+$": "an http or https address",
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$": "lowercase words and numbers, hyphens between",
    r"^#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$": "a colour in 3 or 6 hex digits",
}

_ENDS: Final = (
    ("minLength", "maxLength", "character", "characters"),
    ("minItems", "maxItems", "item", "items"),
    ("minProperties", "maxProperties", "member", "members"),
)
_BOUNDS: Final = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}


@dataclass(frozen=True)
class Rule:
    """One constraint."""

    text: Text
    pattern: str = ""
    """The regular expression that it is, if it is one."""


@dataclass(frozen=True)
class Row:
    """One member of an object."""

    name: str
    """With the way to it, where objects stand inside of others: ``items[].name``."""
    type: Text
    rules: tuple[Rule, ...]
    presence: str
    """``required``, ``optional``, or what `rows` is told to say."""
    description: str
    validated_by: tuple[str, ...]


def rows(
    schema: Schema, link: Linker, *, written: str = "", before: str = ""
) -> Iterator[Row]:
    """The members of an object's schema, those of objects inside of it after them.

    Args:
        schema: Of an object.
        link: For what it refers to.
        written: What to say of an optional member that is in all that is written; see
            ``x-written``. Nothing by default.
        before: The way to the object: ``items[].``.
    """
    required = schema.get("required", ())
    always = schema.get("x-written", ()) if written else ()
    for name, member in schema.get("properties", {}).items():
        presence = "required" if name in required else "optional"
        if presence == "optional" and name in always:
            presence = written
        yield Row(
            name=before + name,
            type=type_of(member, link),
            rules=tuple(rules(member, link)),
            presence=presence,
            description=_description(member),
            validated_by=tuple(member.get("x-validated-by", ())),
        )
        inside, way = _inside(member)
        if inside:
            way = f"{before}{name}{way}."
            yield from rows(inside, link, written=written, before=way)


def _description(member: Schema) -> str:
    own = member.get("description", "")
    inner = [each.get("description", "") for each in _choices(member)]
    return str(own or next(filter(None, inner), ""))


def _choices(schema: Schema) -> list[Schema]:
    """The alternatives but null."""
    found = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return [each for each in found if each.get("type") != "null"]


def _inside(member: Schema) -> tuple[Schema | None, str]:
    """An object that has no name of its own, and how to get to its members."""
    if "properties" in member:
        return member, ""
    if isinstance(member.get("items"), dict):
        found, way = _inside(member["items"])
        return found, f"[]{way}"
    for choice in _choices(member):
        found, way = _inside(choice)
        if found:
            return found, way
    return None, ""


def type_of(schema: Schema | bool, link: Linker) -> Text:
    """What a value is: ``list of BrandColorDTO``, ``string (uuid) or null``."""
    if isinstance(schema, bool):
        return words("anything" if schema else "nothing")
    if "$ref" in schema:
        return (link(schema["$ref"]),)
    if choices := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        found = dict.fromkeys(type_of(choice, link) for choice in choices)
        return joined(found, " or ")
    if len(schema.get("allOf", ())) == 1 and "type" not in schema:
        return type_of(schema["allOf"][0], link)
    if "const" in schema:
        return (Part("always "), Part(_json(schema["const"]), code=True))
    if "enum" in schema:
        values = [code(_json(value)) for value in schema["enum"]]
        return (Part("one of "), *joined(values, ", "))
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    return joined((_kind(kind, schema, link) for kind in kinds), " or ") or words(
        "anything"
    )


def _kind(kind: str, schema: Schema, link: Linker) -> Text:
    if kind == "array":
        if "prefixItems" in schema:
            each = joined((type_of(s, link) for s in schema["prefixItems"]), ", ")
            return (Part("list of "), *each, Part(" in this order"))
        return (Part("list of "), *type_of(schema.get("items", True), link))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return (Part("map to "), *type_of(schema["additionalProperties"], link))
    if kind == "string" and "format" in schema:
        return words(f"string ({schema['format']})")
    return words(kind)


def rules(schema: Schema | bool, link: Linker) -> Iterator[Rule]:
    """What is asked of a value beyond its type, what it is made of included."""
    if isinstance(schema, bool):
        return
    yield from _own(schema)
    choices = _choices(schema)
    for choice in choices:
        for rule in rules(choice, link):
            if len(choices) > 1:
                start = (Part("as "), *type_of(choice, link), Part(": "))
                rule = Rule((*start, *rule.text), rule.pattern)
            yield rule
    for part in schema.get("allOf", ()):
        yield from rules(part, link)
    for place, whose in (
        ("items", "each item: "),
        ("additionalProperties", "each value: "),
        ("propertyNames", "each name: "),
    ):
        if isinstance(schema.get(place), dict) and "properties" not in schema[place]:
            for rule in rules(schema[place], link):
                yield Rule((Part(whose), *rule.text), rule.pattern)
    if "default" in schema:
        yield Rule((Part("default "), Part(_json(schema["default"]), code=True)))


def _own(schema: Schema) -> Iterator[Rule]:
    said = {*_ELSEWHERE, "allOf"}
    if "type" not in schema and "format" in schema:
        said.discard("format")
    for least, most, one, many in _ENDS:
        if count := _count(schema.get(least), schema.get(most), one, many):
            yield Rule(words(count))
        said |= {least, most}
    for keyword, bound in _BOUNDS.items():
        if keyword in schema:
            yield Rule(words(f"{bound} {_json(schema[keyword])}"))
        said.add(keyword)
    if "pattern" in schema:
        pattern = schema["pattern"]
        yield Rule(words(PATTERNS.get(pattern, "matches a pattern")), pattern)
    said.add("pattern")
    for keyword, said_so in (
        ("uniqueItems", "no two items are equal"),
        ("writeOnly", "never in a reply"),
        ("readOnly", "never in a request"),
        ("deprecated", "deprecated"),
    ):
        if schema.get(keyword) is True:
            yield Rule(words(said_so))
        said.add(keyword)
    said |= {"const", "enum"}
    for keyword in ("additionalProperties", "propertyNames"):
        if isinstance(schema.get(keyword), dict):
            said.add(keyword)
    if schema.get("additionalProperties") is True:
        said.add("additionalProperties")
    for keyword in schema:
        if keyword not in said:
            value = _json(schema[keyword])
            yield Rule((Part(f"{keyword} "), Part(value, code=True)))


def _count(least: int | None, most: int | None, one: str, many: str) -> str:
    if least == most and least is not None:
        return f"{least} {one if least == 1 else many}"
    if least and most is not None:
        return f"{least} to {most} {many}"
    if least:
        return f"at least {least} {one if least == 1 else many}"
    if most is not None:
        return f"at most {most} {one if most == 1 else many}"
    return ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
