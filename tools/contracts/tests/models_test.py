"""Models as JSON Schema: what a reader in another language is told."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tools.contracts.models import UnsayableError, export


class Colour(StrEnum):
    """What there is in stock."""

    RED = "red"
    BLUE = "blue"


def check_even(number: int) -> int:
    """Take even numbers only."""
    if number % 2:
        raise ValueError("odd")
    return number


class Wheel(BaseModel):
    """A part."""

    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, AfterValidator(check_even)] = Field(2, ge=1)
    colour: Colour


class Car(BaseModel):
    """The whole."""

    wheels: list[Wheel] = Field(default_factory=list)
    secret: str = Field(exclude=True)

    @model_validator(mode="after")
    def _has_wheels(self) -> Car:
        return self


class _Unknown:
    """No type that pydantic knows."""


def definitions(*classes: Any) -> dict[str, Any]:
    """The definitions of *classes*, each in a file of its own."""
    return dict(export(classes, ref_template="{model}.json").definitions)


def test_every_class_that_is_reached_stands_once() -> None:
    """Parts are referred to, not copied."""
    found = definitions(Car)

    assert list(found) == ["Car", "Colour", "Wheel"]
    assert found["Car"]["properties"]["wheels"]["items"] == {"$ref": "Wheel.json"}
    assert found["Wheel"]["properties"]["colour"] == {"$ref": "Colour.json"}
    assert found["Colour"]["enum"] == ["red", "blue"]


def test_readers_may_meet_members_that_they_do_not_know() -> None:
    """A model that is closed when it is written is open when it is read."""
    assert "additionalProperties" not in definitions(Wheel)["Wheel"]


def test_a_mapping_of_any_names_says_what_is_in_it() -> None:
    """Only a model is opened."""

    class Prices(BaseModel):
        by_name: dict[str, int]

    by_name = definitions(Prices)["Prices"]["properties"]["by_name"]
    assert by_name["additionalProperties"] == {"type": "integer"}


def test_members_that_are_always_written_are_listed() -> None:
    """A default is written, and an excluded member never."""
    found = definitions(Car)

    assert found["Wheel"]["x-written"] == ["size", "colour"]
    assert found["Wheel"]["required"] == ["colour"]
    assert found["Car"]["x-written"] == ["wheels"]


def test_what_code_checks_is_named_at_its_member() -> None:
    """A validator that no keyword stands for is in the schema, and in the list."""
    made = export([Car], ref_template="{model}.json")

    wheel = made.definitions["Wheel"]["properties"]
    assert wheel["size"]["x-validated-by"] == ["check_even"]
    assert made.definitions["Car"]["x-validated-by"] == ["has_wheels"]
    assert made.validated_by == {
        ("Car", ""): ("has_wheels",),
        ("Wheel", "/properties/size"): ("check_even",),
    }


def test_descriptions_and_bounds_stay() -> None:
    """They are what people read, and what validators check."""
    wheel = definitions(Wheel)["Wheel"]

    assert wheel["description"] == "A part."
    assert wheel["properties"]["size"]["minimum"] == 1


def test_titles_that_repeat_a_name_are_left_out() -> None:
    """Generators of code would make a type of each."""
    assert "title" not in definitions(Wheel)["Wheel"]["properties"]["size"]


def test_two_classes_of_one_name_are_refused() -> None:
    """A reader could not tell which one is meant."""
    other = type("Wheel", (BaseModel,), {"__module__": "elsewhere"})

    with pytest.raises(UnsayableError, match=r"Wheel has the name of .*\.Wheel"):
        export([Wheel, other], ref_template="{model}.json")


def test_a_type_without_a_schema_is_refused() -> None:
    """It is not dropped: the other language would not know of the member."""

    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        thing: _Unknown

    with pytest.raises(UnsayableError, match="has no JSON Schema"):
        export([Odd], ref_template="{model}.json")


class Aliased(BaseModel):
    """Its member can't have its name in Python."""

    from_: Annotated[int, AfterValidator(check_even)] = Field(2, alias="from")


def test_a_check_stands_at_the_name_that_readers_see() -> None:
    """Not at the one in Python."""
    found = export([Aliased], ref_template="{model}.json")

    assert found.validated_by == {("Aliased", "/properties/from"): ("check_even",)}
    members = found.definitions["Aliased"]["properties"]
    assert members["from"]["x-validated-by"] == ["check_even"]
