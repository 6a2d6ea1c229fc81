"""Changes of a schema: of a DTO that is a request, one that is a response, an event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tools.contracts.compat.tests.changes import NOT_DOCUMENTED, NOT_FOR_IT, Change
from tools.contracts.compat.tests.small_bundle import schema

Schema = dict[str, Any]

# What the new schema accepts beside what the old one did.
LESS: Final = "BAB"
MORE: Final = "ABB"
OTHER: Final = "BBB"
SAFE: Final = "AAA"
WORDS: Final = "WWW"

# Everything below a payload: the standard ends there.
INSIDE: Final = "unclassified"

_BOUNDS_OF: Final = {
    "minimum": ("MINIMUM", 1, 5),
    "exclusiveMinimum": ("EXCLUSIVE_MINIMUM", 1, 5),
    "maximum": ("MAXIMUM", 9, 5),
    "exclusiveMaximum": ("EXCLUSIVE_MAXIMUM", 9, 5),
    "minLength": ("MIN_LENGTH", 1, 5),
    "maxLength": ("MAX_LENGTH", 9, 5),
    "minItems": ("MIN_ITEMS", 1, 5),
    "maxItems": ("MAX_ITEMS", 9, 5),
    "minProperties": ("MIN_PROPERTIES", 1, 5),
    "maxProperties": ("MAX_PROPERTIES", 9, 5),
}
"""Keyword: Confluent's name of it, a loose value and a tight one."""

_TYPE_OF: Final = {"Length": "string", "Items": "array", "Properties": "object"}


def _type(keyword: str) -> str:
    found = (_TYPE_OF[end] for end in _TYPE_OF if keyword.endswith(end))
    return next(found, "integer")


def _dashed(keyword: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in keyword)


def _object(value: Schema, **keywords: Any) -> Schema:
    return {"type": "object", "properties": {"value": value}, **keywords}


def _row(
    words: str,
    rule: str,
    verdicts: str,
    before: Schema,
    after: Schema,
    *,
    buf: str = NOT_FOR_IT,
    confluent: str,
    also: dict[str, str] | None = None,
) -> Change:
    return Change(
        area="schema",
        words=words,
        findings={rule: verdicts, **(also or {})} if rule else {},
        before=schema(before),
        after=schema(after),
        buf=buf,
        confluent=confluent,
        asyncapi=INSIDE,
    )


def _value(
    words: str,
    rule: str,
    verdicts: str,
    before: Schema,
    after: Schema,
    **others: Any,
) -> Change:
    """The same of a member that is there before and after."""
    return _row(words, rule, verdicts, _object(before), _object(after), **others)


def _bounds() -> Iterator[Change]:
    for keyword, (name, loose, tight) in _BOUNDS_OF.items():
        up = keyword.startswith(("min", "exclusiveMin"))
        tighter, looser = (
            ("INCREASED", "DECREASED")
            if up
            else (
                "DECREASED",
                "INCREASED",
            )
        )
        kind = {"type": _type(keyword)}
        yield _value(
            f"`{keyword}` from {loose} to {tight}",
            f"{_dashed(keyword)}-tightened",
            LESS,
            {**kind, keyword: loose},
            {**kind, keyword: tight},
            confluent=f"FORWARD only ({name}_{tighter})",
        )
        yield _value(
            f"`{keyword}` from {tight} to {loose}",
            f"{_dashed(keyword)}-loosened",
            MORE,
            {**kind, keyword: tight},
            {**kind, keyword: loose},
            confluent=f"BACKWARD only ({name}_{looser})",
        )
    text = {"type": "string"}
    limited = {**text, "maxLength": 9}
    yield _value(
        "`maxLength` is new",
        "max-length-tightened",
        LESS,
        text,
        limited,
        confluent="FORWARD only (MAX_LENGTH_ADDED)",
    )
    yield _value(
        "`maxLength` has gone",
        "max-length-loosened",
        MORE,
        limited,
        text,
        confluent="BACKWARD only (MAX_LENGTH_REMOVED)",
    )
    number = {"type": "number"}
    yield _value(
        "`multipleOf` from 0.01 to 0.1",
        "multiple-of-tightened",
        LESS,
        {**number, "multipleOf": 0.01},
        {**number, "multipleOf": 0.1},
        confluent="FORWARD only (MULTIPLE_OF_EXPANDED)",
    )
    yield _value(
        "`multipleOf` from 0.1 to 0.01",
        "multiple-of-loosened",
        MORE,
        {**number, "multipleOf": 0.1},
        {**number, "multipleOf": 0.01},
        confluent="BACKWARD only (MULTIPLE_OF_REDUCED)",
    )
    items = {"type": "array", "items": {"type": "string"}}
    yield _value(
        "items of an array must be unique",
        "unique-items-tightened",
        LESS,
        items,
        {**items, "uniqueItems": True},
        confluent="FORWARD only (UNIQUE_ITEMS_ADDED)",
    )
    yield _value(
        "items of an array may be equal",
        "unique-items-loosened",
        MORE,
        {**items, "uniqueItems": True},
        items,
        confluent="BACKWARD only (UNIQUE_ITEMS_REMOVED)",
    )


_TYPED: Final = "breaking: FIELD_SAME_TYPE; FIELD_WIRE_JSON_COMPATIBLE_TYPE"
_REPEATED: Final = (
    "breaking: FIELD_SAME_CARDINALITY; FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY"
)


def _types() -> Iterator[Change]:
    text, whole, number = ({"type": t} for t in ("string", "integer", "number"))
    nullable = {"anyOf": [text, {"type": "null"}]}
    yield _value(
        "text becomes a whole number",
        "type-changed",
        OTHER,
        text,
        whole,
        buf=_TYPED,
        confluent="none (TYPE_CHANGED)",
    )
    yield _value(
        "a whole number may have a fraction",
        "type-widened",
        MORE,
        whole,
        number,
        buf=_TYPED,
        confluent="BACKWARD only (TYPE_EXTENDED)",
    )
    yield _value(
        "a number must be whole",
        "type-narrowed",
        LESS,
        number,
        whole,
        buf=_TYPED,
        confluent="FORWARD only (TYPE_NARROWED)",
    )
    yield _value(
        "a value of any type becomes text",
        "type-narrowed",
        LESS,
        {},
        text,
        buf=_TYPED,
        confluent="FORWARD only (TYPE_CHANGED)",
    )
    yield _value(
        "text becomes a value of any type",
        "type-widened",
        MORE,
        text,
        {},
        buf=_TYPED,
        confluent="BACKWARD only (an empty schema takes all)",
    )
    yield _value(
        "one value becomes an array of such",
        "type-changed",
        OTHER,
        text,
        {"type": "array", "items": text},
        buf=_REPEATED,
        confluent="none (TYPE_CHANGED)",
    )
    yield _value(
        "items of an array are of another type",
        "type-changed",
        OTHER,
        {"type": "array", "items": text},
        {"type": "array", "items": whole},
        buf=_TYPED,
        confluent="none (TYPE_CHANGED)",
    )
    yield _value(
        "values of a map may have a fraction",
        "type-widened",
        MORE,
        {"type": "object", "additionalProperties": whole},
        {"type": "object", "additionalProperties": number},
        buf=_TYPED,
        confluent="BACKWARD only (TYPE_EXTENDED)",
    )
    yield _value(
        "`null` is allowed",
        "null-allowed",
        MORE,
        text,
        nullable,
        confluent="BACKWARD only (SUM_TYPE_EXTENDED)",
    )
    yield _value(
        "`null` is refused",
        "null-refused",
        LESS,
        nullable,
        text,
        confluent="FORWARD only (TYPE_CHANGED)",
    )


_VALUE_GONE: Final = (
    "breaking: ENUM_VALUE_NO_DELETE; ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED"
)


def _values() -> Iterator[Change]:
    text = {"type": "string"}
    two = {**text, "enum": ["red", "green"]}
    three = {**text, "enum": ["red", "green", "blue"]}
    yield _value(
        "a value is new in an enumeration",
        "enum-value-added",
        MORE,
        two,
        three,
        buf="passes",
        confluent="BACKWARD only (ENUM_ARRAY_EXTENDED)",
    )
    yield _value(
        "a value has gone from an enumeration",
        "enum-value-removed",
        LESS,
        three,
        two,
        buf=_VALUE_GONE,
        confluent="FORWARD only (COMBINED_TYPE_SUBSCHEMAS_CHANGED)",
    )
    yield _value(
        "a value of an enumeration has another name",
        "enum-value-added",
        MORE,
        two,
        {**text, "enum": ["red", "lime"]},
        also={"enum-value-removed": LESS},
        buf="breaking: ENUM_VALUE_SAME_NAME in both",
        confluent="none (COMBINED_TYPE_SUBSCHEMAS_CHANGED)",
    )
    yield _value(
        "text becomes one of an enumeration",
        "enum-added",
        LESS,
        text,
        two,
        buf=_TYPED,
        confluent="FORWARD only (TYPE_CHANGED)",
    )
    yield _value(
        "an enumeration becomes any text",
        "enum-removed",
        MORE,
        two,
        text,
        buf=_TYPED,
        confluent="BACKWARD only (PRODUCT_TYPE_NARROWED)",
    )
    yield _value(
        "the values of an enumeration in another order",
        "",
        "...",
        two,
        {**text, "enum": ["green", "red"]},
        buf="passes",
        confluent="FULL (compared as a set)",
    )
    yield _value(
        "`const` is another value",
        "const-changed",
        OTHER,
        {"const": "a"},
        {"const": "b"},
        confluent="none (ENUM_ARRAY_CHANGED)",
    )
    for keyword, old, new in (
        ("pattern", "^[a-z]*$", "^[a-f]*$"),
        ("format", "uuid", "date"),
    ):
        of_text = {**text, keyword: old}
        name = keyword.upper()
        compared = keyword == "pattern"
        yield _value(
            f"`{keyword}` is new",
            f"{keyword}-added",
            LESS,
            text,
            of_text,
            confluent=f"FORWARD only ({name}_ADDED)" if compared else _NOT_COMPARED,
        )
        yield _value(
            f"`{keyword}` has gone",
            f"{keyword}-removed",
            MORE,
            of_text,
            text,
            confluent=f"BACKWARD only ({name}_REMOVED)" if compared else _NOT_COMPARED,
        )
        yield _value(
            f"`{keyword}` is another one",
            f"{keyword}-changed",
            OTHER,
            of_text,
            {**text, keyword: new},
            confluent=f"none ({name}_CHANGED)" if compared else _NOT_COMPARED,
        )
    yield _value(
        "`contentEncoding` is another one",
        "content-encoding-changed",
        OTHER,
        {**text, "contentEncoding": "base64"},
        {**text, "contentEncoding": "base16"},
        confluent=_NOT_COMPARED,
    )
    checked = {**text, "x-validated-by": ["check_password"]}
    yield _value(
        "code refuses what no keyword does (`x-validated-by`)",
        "validator-added",
        LESS,
        text,
        checked,
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "such code has gone",
        "validator-removed",
        MORE,
        checked,
        text,
        confluent=_NOT_COMPARED,
    )


_NOT_COMPARED: Final = "FULL (not compared)"
_FIELD_GONE: Final = "breaking: FIELD_NO_DELETE; FIELD_NO_DELETE_UNLESS_NAME_RESERVED"
_DEFAULT: Final = "proto2: breaking, FIELD_SAME_DEFAULT in both"
_REQUIRED: Final = "proto2: breaking, MESSAGE_SAME_REQUIRED_FIELDS in both"


def _members() -> Iterator[Change]:
    text = {"type": "string"}
    one = {"type": "object", "properties": {"a": text}}
    two = {"type": "object", "properties": {"a": text, "b": text}}
    yield _row(
        "an optional member is new",
        "property-added",
        SAFE,
        one,
        two,
        buf="passes",
        confluent="FORWARD only (OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL)",
    )
    yield _row(
        "a required member is new",
        "required-property-added",
        LESS,
        one,
        {**two, "required": ["b"]},
        buf=_REQUIRED,
        confluent="FORWARD only (REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL)",
    )
    yield _row(
        "an optional member is new where unknown members were refused",
        "property-added-to-closed",
        MORE,
        {**one, "additionalProperties": False},
        {**two, "additionalProperties": False},
        buf="passes",
        confluent="BACKWARD only (OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL)",
    )
    yield _row(
        "an optional member has gone",
        "property-removed",
        OTHER,
        two,
        one,
        buf=_FIELD_GONE,
        confluent="BACKWARD only (PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL)",
    )
    yield _row(
        "a required member has gone",
        "property-removed",
        OTHER,
        {**two, "required": ["b"]},
        one,
        buf=_FIELD_GONE,
        confluent="BACKWARD only (PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL)",
    )
    yield _row(
        "a member has another name",
        "property-removed",
        OTHER,
        one,
        {"type": "object", "properties": {"b": text}},
        also={"property-added": SAFE},
        buf="breaking: FIELD_SAME_NAME in both",
        confluent="none (OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL)",
    )
    yield _row(
        "an optional member is required",
        "required-added",
        LESS,
        one,
        {**one, "required": ["a"]},
        buf=_REQUIRED,
        confluent="FORWARD only (REQUIRED_ATTRIBUTE_ADDED)",
    )
    yield _row(
        "an optional member is required, and has a default",
        "required-added",
        LESS,
        one,
        _with_default("a", "x", required=True),
        also={"default-added": "WWA"},
        buf=_REQUIRED,
        confluent="FULL (REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED)",
    )
    yield _row(
        "a required member is optional",
        "required-removed",
        MORE,
        {**one, "required": ["a"]},
        one,
        buf=_REQUIRED,
        confluent="BACKWARD only (REQUIRED_ATTRIBUTE_REMOVED)",
    )
    yield _row(
        "a required member is optional, and still always written (`x-written`)",
        "required-removed",
        "AAA",
        {**one, "required": ["a"], "x-written": ["a"]},
        {**one, "x-written": ["a"]},
        buf=_REQUIRED,
        confluent="BACKWARD only (REQUIRED_ATTRIBUTE_REMOVED)",
    )
    yield _row(
        "an optional member is always written (`x-written`)",
        "written-added",
        "WAA",
        one,
        {**one, "x-written": ["a"]},
        confluent=_NOT_COMPARED,
    )
    yield _row(
        "an optional member is no longer always written",
        "written-removed",
        "WBB",
        {**one, "x-written": ["a"]},
        one,
        confluent=_NOT_COMPARED,
    )
    yield _row(
        "a default is said",
        "default-added",
        "AWA",
        one,
        _with_default("a", "x"),
        buf=_DEFAULT,
        confluent="FULL (DEFAULT_CHANGED)",
    )
    yield _row(
        "a default is another value",
        "default-changed",
        OTHER,
        _with_default("a", "x"),
        _with_default("a", "y"),
        buf=_DEFAULT,
        confluent="FULL (DEFAULT_CHANGED)",
    )
    yield _row(
        "a default has gone",
        "default-removed",
        OTHER,
        _with_default("a", "x"),
        one,
        buf=_DEFAULT,
        confluent="FULL (DEFAULT_CHANGED)",
    )
    closed = {**one, "additionalProperties": False}
    kept = {**one, "additionalProperties": True}
    yield _row(
        "unknown members are refused",
        "additional-refused",
        LESS,
        one,
        closed,
        confluent="FORWARD only (ADDITIONAL_PROPERTIES_REMOVED)",
    )
    yield _row(
        "unknown members are no longer refused",
        "additional-tolerated",
        SAFE,
        closed,
        one,
        confluent="BACKWARD only (ADDITIONAL_PROPERTIES_ADDED)",
    )
    yield _row(
        "unknown members were refused, and are kept",
        "additional-allowed",
        MORE,
        closed,
        kept,
        confluent="BACKWARD only (ADDITIONAL_PROPERTIES_ADDED)",
    )
    yield _row(
        "unknown members were ignored, and are kept",
        "additional-opened",
        SAFE,
        one,
        kept,
        confluent="FULL (both are open)",
    )
    yield _row(
        "unknown members were kept, and are ignored",
        "additional-dropped",
        LESS,
        kept,
        one,
        confluent="FULL (both are open)",
    )


def _with_default(name: str, value: str, *, required: bool = False) -> Schema:
    member = {"type": "string", "default": value}
    found: Schema = {"type": "object", "properties": {name: member}}
    return {**found, "required": [name]} if required else found


def _unions() -> Iterator[Change]:
    cat = _object({"const": "cat"}, required=["value"])
    dog = _object({"const": "dog"}, required=["value"])
    bird = _object({"const": "bird"}, required=["value"])
    yield _value(
        "a form is new in a union",
        "union-branch-added",
        MORE,
        {"anyOf": [cat, dog]},
        {"anyOf": [cat, dog, bird]},
        buf="passes",
        confluent="BACKWARD only (SUM_TYPE_EXTENDED)",
    )
    yield _value(
        "a form has gone from a union",
        "union-branch-removed",
        LESS,
        {"anyOf": [cat, dog, bird]},
        {"anyOf": [cat, dog]},
        buf=_FIELD_GONE,
        confluent="FORWARD only (SUM_TYPE_NARROWED)",
    )
    told = {"oneOf": [cat, dog], "discriminator": {"propertyName": "value"}}
    yield _value(
        "a union is told apart by a member that every form requires",
        "discriminator-added",
        WORDS,
        {"oneOf": [cat, dog]},
        told,
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "a union is no longer told apart by such a member",
        "discriminator-removed",
        WORDS,
        told,
        {"oneOf": [cat, dog]},
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "a union is told apart by another member",
        "discriminator-changed",
        OTHER,
        told,
        {"oneOf": [cat, dog], "discriminator": {"propertyName": "kind"}},
        confluent=_NOT_COMPARED,
    )


def _words() -> Iterator[Change]:
    text = {"type": "string"}
    yield _value(
        "a member is for reading only",
        "read-only-added",
        "BWW",
        text,
        {**text, "readOnly": True},
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "a member is no longer for reading only",
        "read-only-removed",
        "AWW",
        {**text, "readOnly": True},
        text,
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "a member is for writing only",
        "write-only-added",
        "WBB",
        text,
        {**text, "writeOnly": True},
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "a member is no longer for writing only",
        "write-only-removed",
        "WAA",
        {**text, "writeOnly": True},
        text,
        confluent=_NOT_COMPARED,
    )
    for keyword, rule, confluent in (
        ("title", "title-changed", "FULL (TITLE_CHANGED)"),
        ("description", "description-changed", "FULL (DESCRIPTION_CHANGED)"),
        ("$comment", "comment-changed", _NOT_COMPARED),
    ):
        yield _value(
            f"`{keyword}` reads otherwise",
            rule,
            WORDS,
            {**text, keyword: "Old."},
            {**text, keyword: "New."},
            buf="passes" if keyword != "title" else NOT_FOR_IT,
            confluent=confluent,
        )
    yield _value(
        "another example",
        "examples-changed",
        WORDS,
        {**text, "examples": ["a"]},
        {**text, "examples": ["b"]},
        confluent=_NOT_COMPARED,
    )
    yield _value(
        "a member is deprecated",
        "deprecated-changed",
        WORDS,
        text,
        {**text, "deprecated": True},
        buf="passes",
        confluent=_NOT_COMPARED,
    )
    old, new = (
        {**_object({"$ref": f"#/$defs/{name}"}), "$defs": {name: text}}
        for name in ("Name", "Title")
    )
    yield _row(
        "a definition has another name",
        "reference-renamed",
        WORDS,
        old,
        new,
        buf="breaking: MESSAGE_NO_DELETE; FIELD_WIRE_JSON_COMPATIBLE_TYPE",
        confluent="FULL (what it refers to is compared)",
    )
    yield _value(
        "a keyword that the gate does not know (`not`)",
        "schema-changed",
        OTHER,
        text,
        {**text, "not": {"const": ""}},
        confluent=NOT_DOCUMENTED,
    )


SCHEMA_CHANGES: Final = (
    *_members(),
    *_types(),
    *_values(),
    *_unions(),
    *_bounds(),
    *_words(),
)
