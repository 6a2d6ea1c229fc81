"""Counting names and texts: it must never overlook a repeated or unknown member."""

import json
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from shared.events._envelope import EventPayload
from shared.events._fields import Name, Secret, Timestamp
from shared.events._json import JsonObject
from shared.events._tally import tally_of, took_in_all
from shared.events.tests.strategies import json_values, models_of, texts


class Point(EventPayload):
    """A model that always has the same members."""

    x: int
    unit: Literal["mm", "px"]


class Color(Enum):
    """Text that is no str in Python."""

    RED = "red"


class Level(Enum):
    """No text at all."""

    LOW = 1


class Leaf(EventPayload):
    """A model whose members vary."""

    label: str
    point: Point
    parent: "Leaf | None" = None


class Everything(EventPayload):
    """Every kind of field that payloads have."""

    id: UUID
    at: Timestamp
    when: datetime
    day: date
    name: Name
    secret: Secret
    kind: Literal["a", "b"]
    level: Literal[1, 2]
    mixed: Literal["one", 1]
    color: Color
    grade: Level
    price: Decimal
    ratio: float
    flag: bool
    note: str | None
    other: UUID | int | None
    point: Point
    leaf: Leaf
    points: tuple[Point, ...]
    leaves: tuple[Leaf, ...]
    tags: tuple[str, ...]
    pair: tuple[str, int]
    labels: frozenset[str]
    free: JsonObject
    optional: str = "default"
    wrapped: Annotated[tuple[Annotated[str, Field(max_length=9)], ...], Field()] = ()


leaves = models_of(Point).flatmap(
    lambda point: st.builds(
        Leaf,
        label=texts,
        point=st.just(point),
        parent=st.none() | st.builds(Leaf, label=texts, point=st.just(point)),
    )
)
everything = st.builds(
    Everything,
    id=st.uuids(),
    at=st.just("2026-01-31T12:00:00Z"),
    when=st.datetimes(),
    day=st.dates(),
    name=st.just("name"),
    secret=st.just("secret"),
    kind=st.just("a"),
    level=st.just(1),
    mixed=st.sampled_from(["one", 1]),
    color=st.just(Color.RED),
    grade=st.just(Level.LOW),
    price=st.just(Decimal("1.5")),
    ratio=st.just(0.5),
    flag=st.booleans(),
    note=st.none() | texts,
    other=st.none() | st.integers() | st.uuids(),
    point=models_of(Point),
    leaf=leaves,
    points=st.lists(models_of(Point), max_size=2).map(tuple),
    leaves=st.lists(leaves, max_size=2).map(tuple),
    tags=st.lists(texts, max_size=2).map(tuple),
    pair=st.tuples(texts, st.integers()),
    labels=st.frozensets(texts, max_size=2),
    free=st.dictionaries(
        texts, texts | st.lists(texts, max_size=2), min_size=1, max_size=2
    ),
    optional=texts,
    wrapped=st.lists(texts.filter(lambda text: len(text) < 9), max_size=2).map(tuple),
)


def document_of(model: Everything) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(model.model_dump_json())
    # As text, which pydantic writes for a Decimal, it would count as one too many.
    return {**members, "price": 1.5}


def is_plain(text: str) -> bool:
    data = text.encode()
    model = Everything.model_validate_json(data, strict=True, extra="ignore")
    return took_in_all(data, tally_of(Everything)(model))


@settings(max_examples=60, deadline=None)
@given(model=everything, escaped=st.booleans(), indent=st.none() | st.just(1))
def test_a_document_without_strangers_is_recognised(
    model: Everything, escaped: bool, indent: int | None
) -> None:
    """However it is spaced and escaped, and whatever its texts look like."""
    assert is_plain(json.dumps(document_of(model), ensure_ascii=escaped, indent=indent))


@settings(max_examples=60, deadline=None)
@given(
    model=everything,
    path=st.sampled_from([(), ("point",), ("leaf",), ("leaf", "point")]),
    name=texts.map(lambda text: f"zz{text}"),
    value=json_values,
)
def test_an_unknown_member_is_noticed(
    model: Everything, path: tuple[str, ...], name: str, value: Any
) -> None:
    """A member that validation ignored is not in the model, and missed there."""
    document = document_of(model)
    object_at(document, path)[name] = value

    assert not is_plain(json.dumps(document))


@settings(max_examples=60, deadline=None)
@given(
    model=everything,
    path=st.sampled_from([(), ("point",), ("leaf",), ("leaf", "point"), ("free",)]),
    data=st.data(),
)
def test_a_member_that_occurs_twice_is_noticed(
    model: Everything, path: tuple[str, ...], data: st.DataObject
) -> None:
    """Only one of the two can be in the model."""
    document = document_of(model)
    place = object_at(document, path)
    name = data.draw(st.sampled_from(sorted(place)))
    twin = f"{json.dumps(name)}: {json.dumps(place[name])}"
    place["@@"] = 0

    assert not is_plain(json.dumps(document).replace('"@@": 0', twin))


def object_at(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def test_models_with_members_left_out_are_counted() -> None:
    """A member that has a default may be absent."""
    document = b'{"label":"a","point":{"x":1,"unit":"mm"}}'
    leaf = Leaf.model_validate_json(document)

    assert took_in_all(document, tally_of(Leaf)(leaf))


def test_escaped_quotes_can_not_stand_in_for_a_twin() -> None:
    """Text that looks like JSON is text: the quotes in it are not counted."""
    document = b'{"label":"\\"x\\": \\\\","point":{"x":1,"unit":"mm"},"label":"b"}'
    leaf = Leaf.model_validate_json(document)

    assert not took_in_all(document, tally_of(Leaf)(leaf))
