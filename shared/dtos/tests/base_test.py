from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared.dtos.base import (
    BaseDTO,
    BaseResponseDTO,
    BaseUpdateDTO,
    NotNull,
    with_examples,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Item(BaseDTO):
    """A small DTO."""

    name: str
    size: int = 1


class Thing(BaseResponseDTO):
    """A small response."""

    name: str
    items: list[Item] = Field(default_factory=list)


class ThingUpdate(BaseUpdateDTO):
    """A small update."""

    name: NotNull[str] = None
    note: str | None = None
    items: NotNull[list[Item]] = None


class Column:
    """Like an ORM's attribute: read from the state, absent from the instance's dict."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, row: "Row | None", owner: type) -> Any:
        return self if row is None else row._state[self._name]


class Row:
    """Like a mapped object: columns, a relationship, and baggage of the ORM's."""

    id = Column()
    created_at = Column()
    updated_at = Column()
    name = Column()
    items = Column()

    def __init__(self, **state: Any) -> None:
        self._state = state
        self._sa_instance_state = object()


class Plain:
    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)


def test_the_configuration_of_the_spec_holds() -> None:
    """ORM objects are read, and fields with an alias go by their name as well."""
    assert BaseDTO.model_config["from_attributes"] is True
    assert BaseDTO.model_config["populate_by_name"] is True
    assert set(BaseResponseDTO.model_fields) == {"id", "created_at", "updated_at"}


@pytest.mark.parametrize("make", [Row, Plain])
def test_objects_are_read_by_their_attributes(make: Any) -> None:
    """A mapped object with its relationship becomes a response, whole."""
    row = make(
        id=uuid4(),
        created_at=NOON,
        updated_at=NOON,
        name="x",
        items=[Plain(name="a", size=2, secret="s"), {"name": "b"}],
    )

    thing = Thing.model_validate(row)

    assert (thing.id, thing.name) == (row.id, "x")
    assert thing.items == [Item(name="a", size=2), Item(name="b")]
    assert "secret" not in thing.model_dump_json()


def test_aliases_and_names_are_both_read() -> None:
    """A service can speak camelCase outside and stay with names inside."""

    class Camel(BaseDTO):
        model_config = ConfigDict(alias_generator=to_camel)
        display_name: str

    assert Camel.model_validate({"displayName": "x"}).display_name == "x"
    assert Camel(display_name="x").model_dump(by_alias=True) == {"displayName": "x"}


def test_unknown_members_are_ignored_and_not_written() -> None:
    """A newer caller is understood, and what it added is not passed on."""
    item = Item.model_validate_json('{"name": "a", "shade": "red"}')

    assert item.model_dump() == {"name": "a", "size": 1}


def test_a_dto_is_frozen_and_hashable() -> None:
    """What was validated stays as it was validated."""
    item = Item(name="a")

    with pytest.raises(ValidationError, match="Instance is frozen"):
        item.name = "b"  # type: ignore[misc]  # it is what the test is about
    assert {item, Item(name="a")} == {item}


def test_errors_quote_no_input() -> None:
    """The text of an error may be logged."""
    with pytest.raises(ValidationError, match="valid integer") as caught:
        Item(name="a", size="hunter2")

    assert "hunter2" not in f"{caught.value} {caught.value!r}"


def test_times_are_written_in_utc_with_z() -> None:
    """RFC 3339 with Z, whatever the offset of the row."""
    thing = Thing.model_validate(
        {
            "id": UUID(int=1),
            "created_at": "2026-01-31T13:00:00+01:00",
            "updated_at": NOON,
            "name": "x",
        }
    )

    assert thing.created_at == NOON
    assert '"created_at":"2026-01-31T12:00:00Z"' in thing.model_dump_json()


def test_naive_times_are_refused() -> None:
    """A column without time zone is found out in the first test, not by a customer."""
    naive = datetime(2026, 1, 31, 12)  # noqa: DTZ001  # it is what the test is about

    with pytest.raises(ValidationError, match="must have a time zone"):
        Thing(id=UUID(int=1), created_at=naive, updated_at=NOON, name="x")


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("{}", {}),
        ('{"note": null}', {"note": None}),
        ('{"name": "x"}', {"name": "x"}),
        ('{"note": "n", "name": "x", "other": 1}', {"name": "x", "note": "n"}),
        ('{"items": [{"name": "a"}]}', {"items": [{"name": "a", "size": 1}]}),
        ('{"items": []}', {"items": []}),
    ],
)
def test_an_update_knows_absent_from_null(body: str, changes: dict[str, Any]) -> None:
    """Only what was sent changes; a list that is sent replaces the whole list."""
    update = ThingUpdate.model_validate_json(body)

    assert update.changes() == changes


@pytest.mark.parametrize("body", ["{}", '{"note":null}', '{"name":"x","note":null}'])
def test_an_update_is_written_as_it_was_sent(body: str) -> None:
    """A service that passes an update on does not clear what was absent."""
    update = ThingUpdate.model_validate_json(body)

    assert update.model_dump_json() == body
    assert ThingUpdate.model_validate_json(body) == update
    assert [update.model_dump()] == [ThingUpdate.model_validate(update).changes()]


def test_a_log_shows_what_was_sent() -> None:
    """Absent and null look different."""
    assert repr(ThingUpdate()) == "ThingUpdate()"
    assert repr(ThingUpdate(note=None)) == "ThingUpdate(note=None)"


@pytest.mark.parametrize("field", ["name", "items"])
def test_null_is_refused_where_nothing_can_be_cleared(field: str) -> None:
    """``NotNull`` may be absent, but a name can't be taken away."""
    with pytest.raises(ValidationError, match=r"valid string|valid list") as caught:
        ThingUpdate.model_validate({field: None})

    assert caught.value.errors()[0]["loc"] == (field,)


def test_an_update_with_aliases_is_written_with_aliases() -> None:
    """What was sent is found under either spelling."""

    class CamelUpdate(BaseUpdateDTO):
        model_config = ConfigDict(alias_generator=to_camel)
        display_name: str | None = None
        short_bio: str | None = None

    update = CamelUpdate.model_validate({"displayName": None})

    assert update.changes() == {"display_name": None}
    assert update.model_dump_json(by_alias=True) == '{"displayName":null}'


def test_an_update_that_allows_extras_keeps_them() -> None:
    """A service that takes more than the fields gets more than the fields."""

    class OpenUpdate(ThingUpdate):
        model_config = ConfigDict(extra="allow")

    assert OpenUpdate.model_validate({"x": 1}).changes() == {"x": 1}


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_of_an_update_has_no_defaults(mode: Any) -> None:
    """``default: null`` would say that absent means null, and null is refused."""
    properties = ThingUpdate.model_json_schema(mode=mode)["properties"]

    assert properties["name"] == {"title": "Name", "type": "string"}
    assert properties["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert "default" not in properties["note"]


def test_examples_stand_in_the_schema() -> None:
    """``with_examples`` adds to the configuration of the base."""

    class Shown(BaseDTO):
        model_config = with_examples({"name": "a"}, {"name": "b"})
        name: str

    assert Shown.model_json_schema()["examples"] == [{"name": "a"}, {"name": "b"}]
    assert Shown.model_config["frozen"] is True
