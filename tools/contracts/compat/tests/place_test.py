from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.contracts.bundle import BASE
from tools.contracts.compat.place import Place, PlaceError, tokens_of

DOCUMENTS: dict[str, Any] = {
    "dtos/User.schema.json": {
        "properties": {
            "colour": {"$ref": "Colour.schema.json", "description": "Of the hair."},
            "boss": {"$ref": "#"},
            "absolute": {"$ref": BASE + "dtos/Colour.schema.json"},
            "a/b~c": {"type": "string"},
        },
        "anyOf": [{"type": "object"}, {"$ref": "#/properties/a~1b~0c"}],
    },
    "dtos/Colour.schema.json": {"enum": ["red"]},
    "events/envelope.schema.json": {"$defs": {"event_id": {"type": "string"}}},
    "events/user.created.v1.schema.json": {
        "properties": {
            "event_id": {"$ref": "envelope.schema.json#/$defs/event_id"},
            "colour": {"$ref": "../dtos/Colour.schema.json"},
            "twice": {"$ref": "#/properties/event_id"},
            "encoded": {"$ref": "#/$defs/Page%5Bint%5D"},
        },
        "$defs": {"Page[int]": {"type": "array"}},
    },
    "openapi/accounts.json": {
        "body": {"$ref": "#/components/schemas/X"},
        "components": {"schemas": {"X": {"type": "null"}}},
    },
    "broken.json": {
        "nowhere": {"$ref": "Gone.schema.json"},
        "deep": {"$ref": "dtos/User.schema.json#/properties/gone"},
        "number": {"$ref": 7},
        "anchor": {"$ref": "#here"},
        "self": {"$ref": "#/self"},
        "ping": {"$ref": "#/pong"},
        "pong": {"$ref": "#/ping"},
    },
}

USER = Place(DOCUMENTS, "dtos/User.schema.json", "")
EVENT = Place(DOCUMENTS, "events/user.created.v1.schema.json", "")
BROKEN = Place(DOCUMENTS, "broken.json", "")


@pytest.mark.parametrize(
    ("place", "target"),
    [
        (USER, "dtos/User.schema.json#"),
        (USER.at("properties", "colour"), "dtos/Colour.schema.json#"),
        (USER.at("properties", "absolute"), "dtos/Colour.schema.json#"),
        (USER.at("properties", "boss"), "dtos/User.schema.json#"),
        (USER.at("anyOf", 1), "dtos/User.schema.json#/properties/a~1b~0c"),
        (
            EVENT.at("properties", "event_id"),
            "events/envelope.schema.json#/$defs/event_id",
        ),
        (
            EVENT.at("properties", "twice"),
            "events/envelope.schema.json#/$defs/event_id",
        ),
        (EVENT.at("properties", "colour"), "dtos/Colour.schema.json#"),
        (
            EVENT.at("properties", "encoded"),
            "events/user.created.v1.schema.json#/$defs/Page[int]",
        ),
        (
            Place(DOCUMENTS, "openapi/accounts.json", "/body"),
            "openapi/accounts.json#/components/schemas/X",
        ),
    ],
    ids=str,
)
def test_a_reference_leads_to_its_target(place: Place, target: str) -> None:
    """Local, relative to the document's folder, absolute, and through each other."""
    assert str(place.follow()) == target


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere",
            r"^broken\.json#/nowhere: \$ref 'Gone\.schema\.json' leads nowhere\.$",
        ),
        ("deep", r"^broken\.json#/deep: \$ref '.*/properties/gone' leads nowhere\.$"),
        ("number", r"^broken\.json#/number: \$ref must be a string \(got 7\)\.$"),
        ("anchor", r"^broken\.json#/anchor: \$ref '#here' leads nowhere\.$"),
        ("self", r"^broken\.json#/self: the \$ref leads back to itself\.$"),
        ("ping", r"^broken\.json#/ping: the \$ref leads back to itself\.$"),
    ],
)
def test_a_reference_that_leads_nowhere_is_one_line(name: str, message: str) -> None:
    """It names the place and the reference; a cycle ends."""
    with pytest.raises(PlaceError, match=message):
        BROKEN.at(name).follow()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (USER.at("gone"), r"#/gone: there is no 'gone'\.$"),
        (USER.at("anyOf", 2), r"#/anyOf/2: there is no '2'\.$"),
        (USER.at("anyOf", "x"), r"#/anyOf/x: there is no 'x'\.$"),
        (USER.at("anyOf", -1), r"#/anyOf/-1: there is no '-1'\.$"),
        (Place(DOCUMENTS, "no.json", ""), r"^no\.json#: the bundle has no document"),
        (Place(DOCUMENTS, "broken.json", "x"), r"^'x' is no JSON Pointer"),
    ],
)
def test_a_place_where_nothing_stands_says_so(place: Place, message: str) -> None:
    """Not with a KeyError; an index counts from the front only."""
    with pytest.raises(PlaceError, match=message):
        place.node  # noqa: B018 - a property that raises


def test_places_are_equal_by_document_and_pointer() -> None:
    """So that a memo may have them as keys, though documents are dicts."""
    twin = Place({}, USER.document, "/anyOf/1")

    assert {USER.at("anyOf", 1), twin} == {twin}


@given(st.lists(st.text()))
def test_tokens_survive_the_pointer(tokens: list[str]) -> None:
    """Slashes and tildes in a name are escaped, and read back."""
    assert tokens_of(USER.at(*tokens).pointer) == tokens
