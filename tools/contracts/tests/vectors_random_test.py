"""Vectors of schemas that nobody wrote."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
)

from tools.contracts.tests.schemas import unneeded
from tools.contracts.vectors import make_vectors

Schema = dict[str, Any]

PATTERNS = ["^[a-z]*$", "^[A-Z0-9]+(?:-[a-z]+)*$", "^https?://[^ ]+$", "[^ ]"]


def some(draw: st.DrawFn, **rules: st.SearchStrategy[Any]) -> Schema:
    """A few of *rules*."""
    chosen = draw(st.sets(st.sampled_from(sorted(rules))))
    return {name: draw(rules[name]) for name in sorted(chosen)}


@st.composite
def strings(draw: st.DrawFn) -> Schema:
    """Text: a pattern or lengths, which could contradict each other."""
    least = draw(st.integers(0, 6))
    lengths = some(
        draw, minLength=st.just(least), maxLength=st.integers(max(1, least), 12)
    )
    pattern = {"pattern": draw(st.sampled_from(PATTERNS))}
    return {"type": "string", **draw(st.sampled_from([lengths, pattern, {}]))}


@st.composite
def numbers(draw: st.DrawFn) -> Schema:
    """Numbers between bounds that leave room."""
    least = draw(st.integers(-50, 50))
    most = least + draw(st.integers(4, 50))
    lower = draw(st.sampled_from(["minimum", "exclusiveMinimum"]))
    upper = draw(st.sampled_from(["maximum", "exclusiveMaximum"]))
    kind = draw(st.sampled_from(["integer", "number"]))
    bounds = {lower: st.just(least), upper: st.just(most)}
    return {"type": kind, **some(draw, **bounds)}


CHOICES = st.one_of(
    st.lists(st.sampled_from(["red", "green", "blue"]), min_size=1, unique=True),
    st.lists(st.integers(1, 9), min_size=1, unique=True),
).map(lambda values: {"enum": values})

LEAVES = st.one_of(
    strings(),
    numbers(),
    CHOICES,
    st.sampled_from(["uuid", "date", "date-time"]).map(
        lambda name: {"type": "string", "format": name}
    ),
    st.just({"type": "boolean"}),
    st.just({"const": "fixed"}),
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    """Objects, some of their members required."""
    members = draw(st.dictionaries(st.sampled_from("abcd"), inner, max_size=3))
    required = sorted(draw(st.sets(st.sampled_from(sorted(members) or ["a"]))))
    return {"type": "object", "properties": members, "required": required}


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    """Arrays; those of different items have items of which there are enough."""
    least = draw(st.integers(0, 2))
    sizes = {"minItems": st.just(least), "maxItems": st.integers(max(2, least), 4)}
    if draw(st.booleans()):
        unique = {"items": {"type": "integer"}, "uniqueItems": True}
        return {"type": "array", **unique, **some(draw, **sizes)}
    return {"type": "array", "items": draw(inner), **some(draw, **sizes)}


def nullable(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """What pydantic says of an optional field."""
    return inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]})


PARTS = st.recursive(
    LEAVES | nullable(LEAVES),
    lambda inner: objects(inner) | arrays(inner) | nullable(objects(inner)),
    max_leaves=4,
)
SCHEMAS = objects(PARTS)


def made(schema: Schema) -> dict[str, Any]:
    """The vectors, where the reader is the schema itself."""
    check = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return make_vectors(
        schema,
        documents={},
        path="random.schema.json",
        accepts=lambda data: bool(check.is_valid(json.loads(data))),
        examples=[],
    )


@settings(max_examples=80, deadline=None)
@given(SCHEMAS)
def test_vectors_of_any_schema(schema: Schema) -> None:
    """Three valid documents, refused ones, and no rule that could get lost."""
    check = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    found = made(schema)

    assert len(found["valid"]) >= 3
    assert all(check.is_valid(v["document"]) for v in found["valid"])
    assert not any(check.is_valid(v["document"]) for v in found["invalid"])
    assert unneeded(schema, found) == []


@settings(max_examples=20, deadline=None)
@given(SCHEMAS)
def test_same_vectors_again(schema: Schema) -> None:
    """The second time as the first."""
    assert json.dumps(made(schema)) == json.dumps(made(schema))
