"""Schemas in words."""

from __future__ import annotations

from typing import Any

import pytest

from docs.catalogue.parts import Part, plain
from docs.catalogue.schemas import Rule, rows, rules, type_of


def link(ref: str) -> Part:
    """The last part of a reference."""
    return Part(ref.rpartition("/")[2], code=True)


def said(rule: Rule) -> str:
    """A rule with its pattern."""
    return f"{plain(rule.text)} {rule.pattern}".strip()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (True, "anything"),
        (False, "nothing"),
        ({}, "anything"),
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "uuid"}, "string (uuid)"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, "A or B"),
        ({"anyOf": [{"type": "string"}, {"type": "string", "maxLength": 1}]}, "string"),
        ({"$ref": "#/$defs/A"}, "A"),
        ({"allOf": [{"$ref": "#/$defs/A"}]}, "A"),
        ({"const": 3}, "always 3"),
        ({"enum": ["a", "b"]}, 'one of "a", "b"'),
        ({"type": "array"}, "list of anything"),
        ({"type": "array", "items": {"type": "array", "items": {"$ref": "X"}}}, None),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"const": 1}]},
            "list of string, always 1 in this order",
        ),
        ({"type": "object"}, "object"),
        (
            {"type": "object", "additionalProperties": {"type": "number"}},
            "map to number",
        ),
    ],
)
def test_types_are_told_in_words(schema: Any, words: str | None) -> None:
    """What a value is, as one would say it."""
    assert plain(type_of(schema, link)) == (words or "list of list of X")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"minLength": 1, "maxLength": 64}, ["1 to 64 characters"]),
        ({"minLength": 0, "maxLength": 1}, ["at most 1 character"]),
        ({"minLength": 2}, ["at least 2 characters"]),
        ({"minItems": 3, "maxItems": 3}, ["3 items"]),
        ({"minItems": 0}, []),
        ({"minProperties": 1}, ["at least 1 member"]),
        ({"minimum": 0, "maximum": 9.5}, ["at least 0", "at most 9.5"]),
        (
            {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.1},
            ["more than 0", "less than 1", "a multiple of 0.1"],
        ),
        ({"pattern": "^a$"}, ["matches a pattern ^a$"]),
        ({"pattern": r"[^\s\uFEFF]"}, [r"not only spaces [^\s\uFEFF]"]),
        ({"uniqueItems": True}, ["no two items are equal"]),
        ({"writeOnly": True, "readOnly": False}, ["never in a reply"]),
        ({"default": None}, ["default null"]),
        ({"format": "uuid"}, ['format "uuid"']),
        ({"items": {"type": "string", "minLength": 1}}, None),
        (
            {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "null"}]},
            ["at most 2 characters"],
        ),
        (
            {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "integer"}]},
            ["as string: at most 2 characters"],
        ),
        (
            {"allOf": [{"minimum": 1}], "propertyNames": {"maxLength": 3}},
            ["at least 1", "each name: at most 3 characters"],
        ),
        (
            {"additionalProperties": {"type": "string", "maxLength": 3}},
            ["each value: at most 3 characters"],
        ),
        ({"additionalProperties": False}, ["additionalProperties false"]),
    ],
)
def test_rules_are_told_in_words(schema: Any, words: list[str] | None) -> None:
    """Each constraint, that of what a value is made of too."""
    expected = ["each item: at least 1 character"] if words is None else words

    assert [said(rule) for rule in rules(schema, link)] == expected


def test_a_keyword_without_words_is_shown_as_it_stands() -> None:
    """Nothing is left out because nobody thought of it."""
    schema = {"type": "string", "contentEncoding": "base64", "x-new": [1]}

    assert [said(r) for r in rules(schema, link)] == [
        'contentEncoding "base64"',
        "x-new [1]",
    ]


def test_members_of_objects_without_a_name_follow_with_the_way_to_them() -> None:
    """An object inside of a list inside of an object is in the same table."""
    inside = {
        "type": "object",
        "properties": {"b": {"type": "null"}},
        "required": ["b"],
    }
    schema = {"properties": {"a": {"type": "array", "items": inside}, "c": {}}}

    found = [(row.name, row.presence) for row in rows(schema, link)]

    assert found == [("a", "optional"), ("a[].b", "required"), ("c", "optional")]


def test_what_is_always_written_is_told_where_it_matters() -> None:
    """Of x-written, a reader learns which optional members it can rely on."""
    schema = {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["a"]}
    schema["x-written"] = ["a", "b"]

    told = [row.presence for row in rows(schema, link, written="always there")]
    untold = [row.presence for row in rows(schema, link)]

    assert told == ["required", "always there", "optional"]
    assert untold == ["required", "optional", "optional"]


def test_the_description_of_the_only_choice_is_the_members() -> None:
    """`X | None` keeps what is said of X."""
    schema = {"properties": {"a": {"anyOf": [{"description": "D"}, {"type": "null"}]}}}

    assert [row.description for row in rows(schema, link)] == ["D"]
