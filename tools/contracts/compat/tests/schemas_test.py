"""Rule by rule: what is found, where, in which words, and the verdict by surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tools.contracts.compat.finding import Finding, Impact, Surface
from tools.contracts.compat.place import Place, PlaceError
from tools.contracts.compat.schemas import RULES, compare_schemas

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}
NULL = {"type": "null"}


def find(before: Any, after: Any, surface: Surface) -> list[Finding]:
    """Compare two documents, or bundles of documents of which ``s`` is meant."""
    old = before if "s" in before else {"s": before}
    new = after if "s" in after else {"s": after}
    return list(compare_schemas(Place(old, "s", ""), Place(new, "s", ""), surface))


def members(**properties: Any) -> dict[str, Any]:
    """An object with these members, all optional."""
    return {"type": "object", "properties": properties}


@dataclass(frozen=True)
class Case:
    """One change, and the one finding that it must give."""

    rule: str
    before: Any
    after: Any
    pointer: str
    says: str
    verdict: str = ""
    """By surface, if it is not the rule's own: ``ABW``."""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.rule} {self.name}".strip()


def _bound(keyword: str, rule: str, kind: str, less: int, more: int) -> list[Case]:
    low, high = {"type": kind, keyword: less}, {"type": kind, keyword: more}
    plain = {"type": kind}
    at = f"/{keyword}"
    tight, loose = f"{rule}-tightened", f"{rule}-loosened"
    return [
        Case(tight, high, low, at, f"{keyword} is {less}, and was {more}."),
        Case(loose, low, high, at, f"{keyword} is {more}, and was {less}."),
        Case(tight, plain, low, at, f"{keyword} is new: {less}.", name="new"),
        Case(loose, low, plain, at, f"{keyword} was {less}, and is gone.", name="gone"),
    ]


CASES = [
    # Types
    Case(
        "type-widened",
        INTEGER,
        {"type": "number"},
        "/type",
        "The type was integer, and is number.",
    ),
    Case(
        "type-narrowed",
        {"type": "number"},
        INTEGER,
        "/type",
        "The type was number, and is integer.",
    ),
    Case(
        "type-changed", TEXT, INTEGER, "/type", "The type was string, and is integer."
    ),
    Case(
        "type-widened",
        TEXT,
        {"type": ["string", "integer"]},
        "/type",
        "The type was string, and is integer or string.",
        name="by a list",
    ),
    Case("type-widened", TEXT, {}, "/type", "The type was string, and is any."),
    Case("type-narrowed", {}, TEXT, "/type", "The type was any, and is string."),
    Case("null-allowed", TEXT, {"anyOf": [TEXT, NULL]}, "", "It may be null now."),
    Case(
        "null-refused",
        {"anyOf": [TEXT, NULL]},
        TEXT,
        "",
        "It may no longer be null.",
    ),
    Case(
        "null-allowed",
        TEXT,
        {"type": ["string", "null"]},
        "",
        "It may be null now.",
        name="by a list",
    ),
    Case(
        "null-allowed",
        members(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": TEXT}},
        members(a={"anyOf": [{"$ref": "#/$defs/x"}, NULL]}) | {"$defs": {"x": TEXT}},
        "/properties/a",
        "It may be null now.",
        name="beside a reference",
    ),
    # Listed values
    Case(
        "enum-added",
        TEXT,
        {**TEXT, "enum": ["a", "b"]},
        "/enum",
        'Only "a" or "b" is accepted, where values were not listed.',
    ),
    Case(
        "enum-removed",
        {**TEXT, "enum": ["a", "b"]},
        TEXT,
        "/enum",
        "The values are no longer listed: others are accepted.",
    ),
    Case(
        "enum-value-added",
        {"enum": ["a"]},
        {"enum": ["a", "b"]},
        "/enum",
        '"b" is new in the list.',
    ),
    Case(
        "enum-value-removed",
        {"enum": ["a", 1]},
        {"enum": ["a"]},
        "/enum",
        "1 is no longer accepted.",
    ),
    Case(
        "enum-value-added",
        {"const": "a"},
        {"enum": ["a", "b"]},
        "/enum",
        '"b" is new in the list.',
        name="to a const",
    ),
    Case(
        "enum-value-removed",
        {"enum": [True, 1]},
        {"enum": [1]},
        "/enum",
        "true is no longer accepted.",
        name="true is not 1",
    ),
    Case(
        "const-changed",
        {"const": 1},
        {"const": 2},
        "/const",
        "The only value was 1, and is 2.",
    ),
    # Bounds
    *_bound("maximum", "maximum", "number", 5, 9),
    *_bound("exclusiveMaximum", "exclusive-maximum", "number", 5, 9),
    *_bound("minimum", "minimum", "integer", 9, 5),
    *_bound("exclusiveMinimum", "exclusive-minimum", "number", 9, 5),
    *_bound("maxLength", "max-length", "string", 5, 9),
    *_bound("minLength", "min-length", "string", 9, 5),
    *_bound("maxItems", "max-items", "array", 5, 9),
    *_bound("minItems", "min-items", "array", 9, 5),
    *_bound("maxProperties", "max-properties", "object", 5, 9),
    *_bound("minProperties", "min-properties", "object", 9, 5),
    Case(
        "exclusive-minimum-tightened",
        {"type": "number", "minimum": 0},
        {"type": "number", "exclusiveMinimum": 0},
        "/exclusiveMinimum",
        "exclusiveMinimum is 0, and was minimum 0.",
    ),
    Case(
        "multiple-of-tightened",
        {**INTEGER, "multipleOf": 3},
        {**INTEGER, "multipleOf": 6},
        "/multipleOf",
        "Values must be multiples of 6.",
    ),
    Case(
        "multiple-of-loosened",
        {"type": "number", "multipleOf": 0.1},
        {"type": "number", "multipleOf": 0.05},
        "/multipleOf",
        "Values need not be multiples of 0.1.",
    ),
    Case(
        "unique-items-tightened",
        {"type": "array"},
        {"type": "array", "uniqueItems": True},
        "/uniqueItems",
        "Items must differ from each other.",
    ),
    Case(
        "unique-items-loosened",
        {"type": "array", "uniqueItems": True},
        {"type": "array", "uniqueItems": False},
        "/uniqueItems",
        "Items need not differ from each other.",
    ),
    Case(
        "enum-value-removed",
        {**TEXT, "enum": ["a", "abc"]},
        {**TEXT, "enum": ["a", "abc"], "maxLength": 2},
        "/enum",
        '"abc" is no longer accepted.',
        name="by a bound",
    ),
    # Patterns and other names for what is accepted
    *(
        case
        for keyword, rule in (("pattern", "pattern"), ("format", "format"))
        for case in (
            Case(
                f"{rule}-added",
                TEXT,
                {**TEXT, keyword: "x"},
                f"/{keyword}",
                f'The {keyword} "x" is asked for.',
            ),
            Case(
                f"{rule}-removed",
                {**TEXT, keyword: "x"},
                TEXT,
                f"/{keyword}",
                f'The {keyword} "x" is no longer asked for.',
            ),
            Case(
                f"{rule}-changed",
                {**TEXT, keyword: "x"},
                {**TEXT, keyword: "y"},
                f"/{keyword}",
                f'The {keyword} was "x", and is "y": what each accepts, the gate '
                "can't tell.",
            ),
        )
    ),
    Case(
        "pattern-added",
        {**TEXT, "pattern": "x"},
        {**TEXT, "pattern": "x", "allOf": [{"pattern": "y"}]},
        "/allOf/0/pattern",
        'The pattern "y" is asked for.',
        name="a second one",
    ),
    Case(
        "content-encoding-changed",
        TEXT,
        {**TEXT, "contentEncoding": "base64"},
        "/contentEncoding",
        'The content encoding "base64" is asked for.',
    ),
    Case(
        "content-encoding-changed",
        {**TEXT, "contentEncoding": "base64"},
        TEXT,
        "/contentEncoding",
        'The content encoding "base64" is no longer asked for.',
        name="gone",
    ),
    Case(
        "validator-added",
        TEXT,
        {**TEXT, "x-validated-by": ["is_email"]},
        "/x-validated-by",
        "Code of the name is_email checks the value; which values it refuses, the "
        "schema can't say.",
    ),
    Case(
        "validator-removed",
        {**TEXT, "x-validated-by": ["is_email"]},
        TEXT,
        "/x-validated-by",
        "Code of the name is_email no longer checks the value.",
    ),
    # Members
    Case(
        "property-added",
        members(),
        members(a=TEXT),
        "/properties/a",
        "The member a is new.",
    ),
    Case(
        "property-added",
        members(),
        {**members(a={**TEXT, "default": "x"}), "x-written": ["a"]},
        "/properties/a",
        "The member a is new.",
        name="with a default, and always written",
    ),
    Case(
        "property-added-to-closed",
        {**members(), "additionalProperties": False},
        {**members(a=TEXT), "additionalProperties": False},
        "/properties/a",
        "The member a is new, and the old schema refuses it.",
    ),
    Case(
        "required-property-added",
        members(),
        {**members(a=TEXT), "required": ["a"]},
        "/properties/a",
        "The member a is new, and required.",
    ),
    Case(
        "property-removed",
        members(a=TEXT),
        members(),
        "/properties/a",
        "The member a has gone.",
    ),
    Case(
        "property-removed",
        {**members(a=TEXT), "required": ["a"], "x-written": ["a"]},
        members(),
        "/properties/a",
        "The member a has gone.",
        name="that was promised",
    ),
    Case(
        "required-added",
        members(a=TEXT),
        {**members(a=TEXT), "required": ["a"]},
        "/properties/a",
        "The member a could be left out, and is required.",
    ),
    Case(
        "required-added",
        {**members(a=TEXT), "x-written": ["a"]},
        {**members(a=TEXT), "x-written": ["a"], "required": ["a"]},
        "/properties/a",
        "The member a could be left out, and is required.",
        verdict="BAA",
        name="that was always written",
    ),
    Case(
        "required-removed",
        {**members(a=TEXT), "required": ["a"]},
        members(a=TEXT),
        "/properties/a",
        "The member a was required, and may be left out.",
    ),
    Case(
        "required-removed",
        {**members(a=TEXT), "required": ["a"], "x-written": ["a"]},
        {**members(a=TEXT), "x-written": ["a"]},
        "/properties/a",
        "The member a was required, and may be left out.",
        verdict="AAA",
        name="that is always written",
    ),
    Case(
        "written-added",
        members(a=TEXT),
        {**members(a=TEXT), "x-written": ["a"]},
        "/properties/a",
        "The member a is always written from now on.",
    ),
    Case(
        "written-removed",
        {**members(a=TEXT), "x-written": ["a"]},
        members(a=TEXT),
        "/properties/a",
        "The member a was always written, and may be left out.",
    ),
    Case(
        "default-added",
        members(a=INTEGER),
        members(a={**INTEGER, "default": 1}),
        "/properties/a/default",
        "Leaving a out means 1.",
    ),
    Case(
        "default-changed",
        members(a={**INTEGER, "default": 1}),
        members(a={**INTEGER, "default": 2}),
        "/properties/a/default",
        "Leaving a out meant 1, and means 2.",
    ),
    Case(
        "default-changed",
        {**members(a={**INTEGER, "default": 1}), "x-written": ["a"]},
        {**members(a={**INTEGER, "default": 2}), "x-written": ["a"]},
        "/properties/a/default",
        "Leaving a out meant 1, and means 2.",
        verdict="BWW",
        name="of a member that is always written",
    ),
    Case(
        "default-removed",
        members(a={**INTEGER, "default": None}),
        members(a=INTEGER),
        "/properties/a",
        "Leaving a out meant null, and means what the contract leaves open.",
    ),
    Case(
        "default-changed",
        {**INTEGER, "default": 1},
        {**INTEGER, "default": 2},
        "/default",
        "The default was 1, and is 2.",
        verdict="WWW",
        name="of no member",
    ),
    # Members without a name
    Case(
        "additional-refused",
        members(),
        {**members(), "additionalProperties": False},
        "/additionalProperties",
        "Unknown members are refused, which were not.",
    ),
    Case(
        "additional-dropped",
        {"type": "object", "additionalProperties": TEXT},
        members(),
        "",
        "Members of any name were kept, and unknown ones are ignored.",
    ),
    Case(
        "additional-tolerated",
        {**members(), "additionalProperties": False},
        members(),
        "/additionalProperties",
        "Unknown members are ignored, which were refused.",
    ),
    Case(
        "additional-opened",
        members(),
        {"type": "object", "additionalProperties": TEXT},
        "/additionalProperties",
        "Members of any name are kept, where unknown ones were ignored.",
    ),
    Case(
        "additional-allowed",
        {**members(), "additionalProperties": False},
        {**members(), "additionalProperties": True},
        "/additionalProperties",
        "Members of any name are accepted, where unknown ones were refused.",
    ),
    Case(
        "type-narrowed",
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": INTEGER},
        "/additionalProperties/type",
        "The type was any, and is integer.",
        name="of members without a name",
    ),
    Case(
        "max-length-tightened",
        {"type": "object", "propertyNames": {"maxLength": 9}},
        {"type": "object", "propertyNames": {"maxLength": 5}},
        "/propertyNames/maxLength",
        "maxLength is 5, and was 9.",
        name="of names",
    ),
    # Items
    Case(
        "type-changed",
        {"type": "array", "items": TEXT},
        {"type": "array", "items": INTEGER},
        "/items/type",
        "The type was string, and is integer.",
        name="of items",
    ),
    Case(
        "type-changed",
        {"type": "array", "prefixItems": [TEXT, TEXT]},
        {"type": "array", "prefixItems": [TEXT, INTEGER]},
        "/prefixItems/1/type",
        "The type was string, and is integer.",
        name="of a position",
    ),
    # Unions
    Case(
        "union-branch-added",
        {"anyOf": [TEXT, INTEGER]},
        {"anyOf": [TEXT, {"type": "boolean"}, INTEGER]},
        "/anyOf/1",
        "The form boolean is new.",
    ),
    Case(
        "union-branch-removed",
        {"anyOf": [TEXT, {"type": "boolean"}, INTEGER]},
        {"anyOf": [INTEGER, TEXT]},
        "/anyOf/1",
        "The form boolean has gone.",
    ),
    Case(
        "union-branch-added",
        TEXT,
        {"anyOf": [TEXT, {"type": "array", "title": "Many"}]},
        "/anyOf/1",
        "The form Many is new.",
        name="to what was none",
    ),
    Case(
        "max-length-tightened",
        {"anyOf": [INTEGER, {**TEXT, "maxLength": 9}]},
        {"anyOf": [{**TEXT, "maxLength": 5}, INTEGER]},
        "/anyOf/0/maxLength",
        "maxLength is 5, and was 9.",
        name="in a branch that has moved",
    ),
    # Words
    Case(
        "read-only-added",
        TEXT,
        {**TEXT, "readOnly": True},
        "/readOnly",
        "It is for reading only.",
    ),
    Case(
        "read-only-removed",
        {**TEXT, "readOnly": True},
        {**TEXT, "readOnly": False},
        "/readOnly",
        "It is no longer for reading only.",
    ),
    Case(
        "write-only-added",
        TEXT,
        {**TEXT, "writeOnly": True},
        "/writeOnly",
        "It is for writing only.",
    ),
    Case(
        "write-only-removed",
        {**TEXT, "writeOnly": True},
        TEXT,
        "/writeOnly",
        "It is no longer for writing only.",
    ),
    *(
        Case(
            f"{rule}-changed",
            TEXT,
            {**TEXT, keyword: value},
            f"/{keyword}",
            f"The keyword {keyword} has changed.",
        )
        for keyword, rule, value in (
            ("title", "title", "T"),
            ("description", "description", "D"),
            ("examples", "examples", ["e"]),
            ("deprecated", "deprecated", True),
            ("$comment", "comment", "c"),
        )
    ),
    Case(
        "description-changed",
        {"$ref": "#/$defs/x", "description": "One.", "$defs": {"x": TEXT}},
        {"$ref": "#/$defs/x", "description": "Two.", "$defs": {"x": TEXT}},
        "/description",
        "The keyword description has changed.",
        name="beside a reference",
    ),
    Case(
        "reference-renamed",
        members(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": TEXT}},
        members(a={"$ref": "#/$defs/y"}) | {"$defs": {"y": TEXT}},
        "/properties/a",
        "The definition x is y now.",
    ),
    Case(
        "reference-renamed",
        {"anyOf": [{"$ref": "#/$defs/x"}, NULL], "$defs": {"x": TEXT}},
        {"anyOf": [{"$ref": "#/$defs/y"}, NULL], "$defs": {"y": TEXT}},
        "/anyOf/0",
        "The definition x is y now.",
        name="in a union",
    ),
    # What the gate can't tell
    *(
        Case(
            "schema-changed",
            {**TEXT, keyword: old},
            {**TEXT, keyword: new},
            f"/{keyword}",
            f"{keyword} has changed, and the gate has no rule for it.",
            name=keyword,
        )
        for keyword, old, new in (
            ("x-unheard-of", 1, 2),
            ("not", {"const": "a"}, {"const": "b"}),
            ("dependentRequired", {"a": ["b"]}, {"a": []}),
        )
    ),
    Case(
        "schema-changed",
        {"$id": "https://a.example/s", **TEXT},
        {"$id": "https://a.example/t", **TEXT},
        "/$id",
        'Its name was "https://a.example/s", and is "https://a.example/t".',
        name="$id",
    ),
    *(
        Case(
            "schema-changed",
            before,
            after,
            "",
            "It has changed, and is of a kind that the gate can't compare.",
            name=name,
        )
        for name, before, after in (
            (
                "oneOf that may overlap",
                {"oneOf": [TEXT, {**TEXT, "maxLength": 5}]},
                {"oneOf": [TEXT, {**TEXT, "maxLength": 6}]},
            ),
            (
                "patternProperties",
                {**members(), "patternProperties": {"^x": TEXT}},
                {**members(a=TEXT), "patternProperties": {"^x": TEXT}},
            ),
            (
                "unevaluatedProperties",
                {**members(), "unevaluatedProperties": False},
                {**members(a=TEXT), "unevaluatedProperties": False},
            ),
        )
    ),
]

LETTERS = {Impact.BREAKING: "B", Impact.ADDITION: "A", Impact.WORDING: "W"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_change_gives_one_finding(case: Case) -> None:
    """On every surface the same rule, place and sentence, and the rule's verdict."""
    rule = RULES[case.rule]
    verdict = case.verdict or "".join(LETTERS[rule.on(each)] for each in Surface)

    found = {each: find(case.before, case.after, each) for each in Surface}

    told = [(f.rule, f.pointer, f.says) for each in Surface for f in found[each]]
    assert told == [(case.rule, case.pointer, case.says)] * len(Surface)
    assert "".join(LETTERS[found[each][0].impact] for each in Surface) == verdict


def test_every_rule_has_a_case() -> None:
    """The table in contracts/README.md promises nothing that is not tested."""
    # These need more than one finding, and have tests of their own below.
    unions = {"discriminator-added", "discriminator-removed", "discriminator-changed"}

    assert {case.rule for case in CASES} | unions == set(RULES)


def tagged(*required: str, member: str | None = "kind") -> dict[str, Any]:
    """A union of two objects that are told apart by a member."""
    forms = [
        {**members(kind={"const": tag}, at={"const": tag}), "required": list(required)}
        for tag in ("x", "y")
    ]
    said = {"discriminator": {"propertyName": member}} if member else {}
    return {"oneOf": forms, **said}


@pytest.mark.parametrize(
    ("before", "after", "rule", "verdict"),
    [
        (
            {"anyOf": tagged("at", member=None)["oneOf"]},
            tagged("at"),
            "discriminator-added",
            "BAB",
        ),
        (
            tagged("at"),
            {"anyOf": tagged("at", member=None)["oneOf"]},
            "discriminator-removed",
            "ABB",
        ),
        (
            tagged("kind", "at", member=None),
            tagged("kind", "at"),
            "discriminator-added",
            "WWW",
        ),
        (
            tagged("kind", "at"),
            tagged("kind", "at", member="at"),
            "discriminator-changed",
            "BBB",
        ),
    ],
)
def test_a_discriminator_asks_for_its_member(
    before: Any, after: Any, rule: str, verdict: str
) -> None:
    """To tell forms apart by a member that may be missing accepts less."""
    found = {each: find(before, after, each) for each in Surface}

    told = [[f.rule for f in found[each]] for each in Surface]
    assert told == [[rule]] * len(Surface)
    assert "".join(LETTERS[found[each][0].impact] for each in Surface) == verdict


def test_a_branch_is_matched_by_the_value_of_its_tag() -> None:
    """Not by its position: what has changed is found in the form that has it."""
    before = tagged("kind")
    after = {**before, "oneOf": [before["oneOf"][1], dict(before["oneOf"][0])]}
    after["oneOf"][1] = {**after["oneOf"][1], "required": ["kind", "at"]}

    found = find(before, after, Surface.REQUEST)

    assert [(f.rule, f.pointer) for f in found] == [
        ("required-added", "/oneOf/1/properties/at")
    ]


@pytest.mark.parametrize(
    ("rule", "before", "after", "surface", "breaks"),
    [
        (
            "enum-value-added",
            {"enum": ["a"]},
            {"enum": ["a", "b"]},
            Surface.RESPONSE,
            'Clients of the old contract fail on "b".',
        ),
        (
            "max-length-tightened",
            {**TEXT, "maxLength": 9},
            {**TEXT, "maxLength": 5},
            Surface.REQUEST,
            "Clients that send a text of more than 5 characters get 422.",
        ),
        (
            "max-length-tightened",
            {**TEXT, "maxLength": 9},
            {**TEXT, "maxLength": 5},
            Surface.EVENT,
            (
                "Consumers of today refuse stored events with a text of more than 5 "
                "characters."
            ),
        ),
        (
            "exclusive-minimum-loosened",
            {**INTEGER, "exclusiveMinimum": 5},
            {**INTEGER, "exclusiveMinimum": 3},
            Surface.EVENT,
            "Consumers of the old contract fail on a value that is not above 5.",
        ),
        (
            "type-changed",
            TEXT,
            INTEGER,
            Surface.EVENT,
            (
                "Consumers of today refuse stored events with a value of type string. "
                "Consumers of the old contract fail on a value of type integer."
            ),
        ),
        (
            "required-property-added",
            members(),
            {**members(a=TEXT), "required": ["a"]},
            Surface.REQUEST,
            "Clients that send a document without a get 422.",
        ),
        (
            "property-removed",
            members(a=TEXT),
            members(),
            Surface.REQUEST,
            "Clients that send a are no longer heard, and get no error.",
        ),
        (
            "property-removed",
            members(a=TEXT),
            members(),
            Surface.RESPONSE,
            "Clients that read a find nothing.",
        ),
        (
            "default-changed",
            members(a={**INTEGER, "default": 1}),
            members(a={**INTEGER, "default": 2}),
            Surface.REQUEST,
            "Clients that leave a out and mean 1 are taken to mean something else.",
        ),
        (
            "validator-added",
            TEXT,
            {**TEXT, "x-validated-by": ["is_email"]},
            Surface.REQUEST,
            "Clients that send a value that is_email refuses get 422.",
        ),
        (
            "schema-changed",
            {**TEXT, "x-unheard-of": 1},
            TEXT,
            Surface.REQUEST,
            "Somebody may fail: who, and on what, the gate can't tell.",
        ),
    ],
)
def test_a_breaking_finding_says_who_fails(
    rule: str, before: Any, after: Any, surface: Surface, breaks: str
) -> None:
    """In the words of the surface, with the value that has done it."""
    (finding,) = find(before, after, surface)

    assert (finding.rule, finding.breaks) == (rule, breaks)


@pytest.mark.parametrize(
    ("surface", "way"),
    [
        (Surface.REQUEST, "add a new optional member or operation beside it"),
        (Surface.RESPONSE, "add a new member or operation beside it"),
        (Surface.EVENT, "add a new version of the event with an upcaster"),
    ],
)
def test_a_breaking_finding_has_a_way_out(surface: Surface, way: str) -> None:
    """The one of its surface, and last the file where it may be accepted."""
    (finding,) = find(TEXT, INTEGER, surface)

    assert finding.way_out.endswith(
        f", {way}, or accept it in contracts/accepted.toml with a reason."
    )


def test_what_was_written_before_and_is_now_stands_in_the_finding() -> None:
    """The values of the keyword on both sides; None where it is not said."""
    (changed,) = find({**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 5}, Surface.EVENT)
    (gone,) = find({**TEXT, "maxLength": 9}, TEXT, Surface.EVENT)

    assert (changed.before, changed.after) == (9, 5)
    assert (gone.before, gone.after) == (9, None)


@pytest.mark.parametrize("surface", Surface)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"anyOf": [{**TEXT, "maxLength": 5}, NULL]},
            {"type": ["null", "string"], "maxLength": 5},
        ),
        ({"type": ["string", "integer"]}, {"anyOf": [INTEGER, TEXT]}),
        ({"const": "a"}, {"enum": ["a"]}),
        ({"const": "a"}, {**TEXT, "enum": ["a"]}),
        ({**INTEGER, "minimum": 1}, {**INTEGER, "exclusiveMinimum": 0}),
        (TEXT, {**TEXT, "minLength": 0}),
        ({"type": "array"}, {"type": "array", "uniqueItems": False, "minItems": 0}),
        (
            {**TEXT, "pattern": "x", "allOf": [{"pattern": "y"}]},
            {**TEXT, "allOf": [{"pattern": "y"}, {"pattern": "x"}]},
        ),
        (
            members(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": TEXT}},
            members(a=TEXT),
        ),
        (
            members(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": TEXT}},
            members(a={"allOf": [{"$ref": "#/$defs/x"}]}) | {"$defs": {"x": TEXT}},
        ),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
        ({"enum": [1]}, {"enum": [1.0]}),
        (
            {**members(a=TEXT, b=TEXT), "required": ["a", "b"]},
            {**members(b=TEXT, a=TEXT), "required": ["b", "a"]},
        ),
        (TEXT, {**TEXT, "minimum": 5}),
        ({"oneOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, INTEGER]}),
    ],
)
def test_another_way_to_say_the_same_is_nothing(
    before: Any, after: Any, surface: Surface
) -> None:
    """A refactoring of models that accept the same documents finds nothing."""
    assert find(before, after, surface) == []
    assert find(after, before, surface) == []


def test_a_change_in_a_definition_is_found_once_and_there() -> None:
    """In the document where it stands, however many refer to it."""
    colour = {"properties": {"hex": {**TEXT, "maxLength": 7}}}
    kit = members(first={"$ref": "Colour"}, second={"$ref": "Colour"})
    wider = {"properties": {"hex": {**TEXT, "maxLength": 9}}}

    found = find(
        {"s": kit, "Colour": colour}, {"s": kit, "Colour": wider}, Surface.EVENT
    )

    assert [(f.rule, f.document, f.pointer) for f in found] == [
        ("max-length-loosened", "Colour", "/properties/hex/maxLength")
    ]


def test_a_schema_that_holds_itself_ends() -> None:
    """A tree of nodes, and a union that is JSON itself."""
    nodes = members(children={"type": "array", "items": {"$ref": "#"}}, name=TEXT)
    json: dict[str, Any] = {
        "anyOf": [
            TEXT,
            {"type": "array", "items": {"$ref": "#"}},
            {"type": "object", "additionalProperties": {"$ref": "#"}},
        ]
    }
    more = {"anyOf": [*json["anyOf"], INTEGER]}

    wider = {**nodes, "properties": {**nodes["properties"], "name": {}}}

    assert [f.rule for f in find(nodes, wider, Surface.REQUEST)] == ["type-widened"]
    assert [f.rule for f in find(json, more, Surface.RESPONSE)] == [
        "union-branch-added"
    ]


def test_a_reference_that_leads_nowhere_is_one_line() -> None:
    """The gate prints it; it is no finding, as nothing was compared."""
    with pytest.raises(
        PlaceError, match=r"^s#/properties/a: \$ref 'Gone' leads nowhere"
    ):
        find(members(a={"$ref": "Gone"}), members(a={"$ref": "Gone"}), Surface.REQUEST)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "text"},
        {"type": "string", "minLength": "2"},
        {"properties": []},
        {"required": "a"},
        {"anyOf": []},
        {"allOf": {}},
        {"enum": 3},
        {"minimum": True},
        7,
        None,
    ],
)
@pytest.mark.parametrize("surface", Surface)
def test_an_unexpected_shape_is_never_silently_safe(odd: Any, surface: Surface) -> None:
    """It stays what it was, or it breaks."""
    there, back = members(a={"title": "T"}), members(a=odd)

    for before, after in ((there, back), (back, there)):
        found = [f.rule for f in find(before, after, surface)]
        assert "schema-changed" in found
    assert find(back, back, surface) == []


def test_too_many_alternatives_are_not_compared_one_by_one() -> None:
    """A product of unions is equal, or the gate can't tell."""
    one = {"anyOf": [{**TEXT, "maxLength": n} for n in range(20)]}
    before = {"allOf": [one, one, one]}
    after = {"allOf": [one, one, {"anyOf": one["anyOf"][1:]}]}

    assert find(before, before, Surface.REQUEST) == []
    assert [f.rule for f in find(before, after, Surface.REQUEST)] == ["schema-changed"]
