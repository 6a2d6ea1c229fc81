"""Vectors of models that the kernel has no like of: services will."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl

from shared.validation import BoundedText
from tools.contracts._vectors_inline import inline
from tools.contracts.tests.schemas import unneeded
from tools.contracts.vectors import VectorsError, make_vectors


def vectors_of(
    cls: type[BaseModel],
    schema: dict[str, Any] | None = None,
    examples: Sequence[Any] = (),
) -> dict[str, Any]:
    """The vectors of a model, of its own schema or another one."""

    def accepts(data: bytes) -> bool:
        try:
            cls.model_validate_json(data)
        except ValueError:
            return False
        return True

    return make_vectors(
        schema or cls.model_json_schema(),
        documents={},
        path="thing.schema.json",
        accepts=accepts,
        examples=examples,
    )


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    """The other one."""

    kind: Literal["dog"]
    name: str = Field(min_length=2)


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Size(IntEnum):
    """Numbers that are choices."""

    SMALL = 1
    LARGE = 2


class WithPet(BaseModel):
    """A union that a member tells apart."""

    pet: Pet


class WithPets(BaseModel):
    """A list of it."""

    pets: list[Pet] = Field(min_length=1, max_length=3)


class WithTags(BaseModel):
    """A set."""

    tags: set[str] = Field(min_length=2, max_length=4)


class WithMap(BaseModel):
    """Members of any name."""

    counts: dict[str, int] = Field(min_length=1, max_length=2)


class WithTuple(BaseModel):
    """Items that differ by their place."""

    point: tuple[int, str, bool]


class WithUnion(BaseModel):
    """A union of plain types."""

    either: int | list[str] | None = None


class WithTimes(BaseModel):
    """Formats that the kernel has no fields of."""

    day: date
    span: timedelta
    hour: time
    four: IPv4Address
    six: IPv6Address


class WithUrl(BaseModel):
    """A format with a length."""

    url: HttpUrl


class WithSteps(BaseModel):
    """Numbers with steps and open bounds."""

    fives: int = Field(multiple_of=5, ge=10, le=100)
    share: float = Field(gt=0, lt=1)


class WithSizes(BaseModel):
    """An enumeration of numbers, and one of all sorts."""

    size: Size
    mixed: Literal["a", 1, True, None]


class Tree(BaseModel):
    """A part of itself."""

    label: str
    children: list[Tree] = []


class Chain(BaseModel):
    """A part of itself that may be null."""

    following: Chain | None = None


class WithNested(BaseModel):
    """Arrays in arrays."""

    rows: list[list[int]] = Field(max_length=2)


class WithLongText(BaseModel):
    """A bound that nobody would want to read a vector of."""

    text: str = Field(max_length=20_000)


class WithAnything(BaseModel):
    """No rules."""

    anything: Any
    members: dict[str, Any] = {}


class WithPattern(BaseModel):
    """Text that only a pattern bounds."""

    code: str = Field(pattern=r"^[A-Z]{3}-\d{2,4}(?:x|yy)?$")


MODELS = [
    WithPet,
    WithPets,
    WithTags,
    WithMap,
    WithTuple,
    WithUnion,
    WithTimes,
    WithUrl,
    WithSteps,
    WithSizes,
    WithNested,
    WithAnything,
    WithPattern,
]


@pytest.mark.parametrize("cls", [*MODELS, Tree, Chain, WithLongText])
def test_enough_of_each_kind(cls: type[BaseModel]) -> None:
    """Three valid documents at least, and some that are not."""
    found = vectors_of(cls)

    assert len(found["valid"]) >= 3
    assert len(found["invalid"]) >= 2


@pytest.mark.parametrize("cls", MODELS)
def test_every_rule_is_needed(cls: type[BaseModel]) -> None:
    """Whatever rule is lost, a vector tells."""
    schema = inline(cls.model_json_schema(), {}, "thing.schema.json")

    assert unneeded(schema, vectors_of(cls)) == []


def test_a_part_of_itself_is_opened_to_some_depth() -> None:
    """A tree's vectors reach its children's children, and end."""
    pointers = {v["pointer"] for v in vectors_of(Tree)["invalid"]}

    assert "/children/0/children/0/label" in pointers
    assert max(pointer.count("children") for pointer in pointers) <= 3


def test_every_branch_of_a_union_is_there() -> None:
    """Each form is valid once, and each discriminator's value."""
    kinds = {v["document"]["pet"]["kind"] for v in vectors_of(WithPet)["valid"]}

    assert kinds == {"cat", "dog"}


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (WithTags, "/tags: an item twice"),
        (WithSteps, "/share: text for a number"),
        (WithTimes, "/span: a number for a duration"),
        (WithTimes, "/hour: a number for a time of day"),
        (WithTimes, "/hour: a time of day without a zone"),
        (WithTimes, "/four: a number for an IPv4 address"),
        (WithTimes, "/six: a number for an IPv6 address"),
    ],
)
def test_a_wider_reader_is_listed(cls: type[BaseModel], name: str) -> None:
    """What pydantic takes beyond the schema is in the file, not hidden."""
    found = {v["name"]: v for v in vectors_of(cls)["differs"]}

    assert (found[name]["reader"], found[name]["schema"]) == (True, False)


def test_a_number_that_pydantic_reads_from_true() -> None:
    """A float takes true for 1, which JSON Schema does not."""

    class Model(BaseModel):
        share: float

    found = {v["name"]: v for v in vectors_of(Model)["differs"]}

    assert found["/share: true for a number"]["reader"] is True


def test_very_long_bounds_are_noted() -> None:
    """No vector has 20,000 characters; a note says that there is none."""
    found = vectors_of(WithLongText)

    assert found["notes"] == ["/text: maxLength: a vector would be too long (20000)."]


def test_examples_come_first() -> None:
    """What the model shows is valid, and its values are those of other vectors."""
    found = vectors_of(WithPattern, examples=[{"code": "ADA-1815"}])

    assert found["valid"][0] == {"name": "example 1", "document": {"code": "ADA-1815"}}


def refused_text(text: str) -> str:
    """Code that no keyword says."""
    if "q" in text:
        raise ValueError("no q")
    return text


class WithCode(BaseModel):
    """What the schema leaves to code."""

    text: Annotated[str, AfterValidator(refused_text)]


def lowercase(text: str) -> str:
    """Code that nobody tells the schema of."""
    if text != text.lower():
        raise ValueError("no capitals")
    return text


class WithHiddenCode(BaseModel):
    """The reader refuses examples that the schema accepts."""

    text: Annotated[str, AfterValidator(lowercase)]


class Narrow(BaseModel):
    """Takes no member that it does not know."""

    model_config = ConfigDict(extra="forbid")

    text: str


class WithDecimal(BaseModel):
    """Pydantic's own schema takes any text for a number."""

    price: Decimal


class WithKeys(BaseModel):
    """A keyword that no vectors are made for."""

    counts: dict[Annotated[str, Field(pattern="^[a-z]+$")], int]


class WithLetters(BaseModel):
    """Text that has no room for what BoundedText refuses."""

    text: str = Field(pattern="^[a-z]*$")


class WithShortText(BaseModel):
    """Text too short for most of what BoundedText refuses."""

    text: Annotated[str, BoundedText(max_length=5)]


def marked(cls: type[BaseModel], name: str) -> dict[str, Any]:
    """The schema of a model whose text a function checks."""
    schema = cls.model_json_schema()
    schema["properties"]["text"] |= {"x-validated-by": [name]}
    return schema


def of_text(**rules: Any) -> dict[str, Any]:
    """A schema of one member."""
    text = {"type": "string", **rules}
    return {"type": "object", "properties": {"text": text}, "required": ["text"]}


BOOLEANS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "boolean"},
    "minItems": 3,
    "uniqueItems": True,
}
EXAMPLES: dict[type[BaseModel], list[Any]] = {WithHiddenCode: [{"text": "A"}]}

UNKNOWN_FUNCTION = (
    "/text: refused_text: it is in x-validated-by, and no sample is known that it "
    "refuses: add one to UNSAID['refused_text'] in tools/contracts/differences.py or "
    "the service's contract."
)
ACCEPTED_SAMPLE = (
    f'/text: BoundedText: the reader accepts "a{chr(0x301) * 31}", which is refused by '
    "UNSAID['BoundedText'] of tools/contracts/differences.py or the service's contract."
)
NO_ROOM = (
    "/text: BoundedText: no sample in UNSAID['BoundedText'] of "
    "tools/contracts/differences.py or the service's contract fits here: add one that "
    "the schema accepts."
)
REFUSED_EXAMPLE = (
    'example 1: the schema accepts {"text": "A"} and the reader refuses it.'
)
REFUSED_MEMBER = (
    'document: unknown member: the schema accepts {"text": "text", "unknown_member": '
    '"ignored"} and the reader refuses it.'
)
REFUSED_NUMBER = (
    '/price (2.string): minimal: the schema accepts {"price": "text"} and the reader '
    "refuses it."
)
UNKNOWN_KEYWORD = (
    "no vectors are made for the keyword at properties/counts/patternProperties."
)
UNKNOWN_FORMAT = (
    "no samples are known of the format isbn at properties/text/format: add them to "
    "FORMATS in tools/contracts/differences.py."
)
UNKNOWN_EXPRESSION = (
    "the expression at properties/text/pattern: no text can be made for assert in an "
    "expression."
)
WIDER = '/text: minLength 3: the schema refuses "aa" and the reader accepts it.'
NO_TEXT = "/text: no string was found that keeps to all rules."
NO_ITEMS = "/text: not so many different items were found (3)."
NO_TARGET = "$ref gone.schema.json leads nowhere."


@pytest.mark.parametrize(
    ("cls", "schema", "line"),
    [
        (WithCode, marked(WithCode, "refused_text"), UNKNOWN_FUNCTION),
        (WithCode, marked(WithCode, "BoundedText"), ACCEPTED_SAMPLE),
        (WithLetters, marked(WithLetters, "BoundedText"), NO_ROOM),
        (WithHiddenCode, None, REFUSED_EXAMPLE),
        (Narrow, of_text(), REFUSED_MEMBER),
        (WithDecimal, None, REFUSED_NUMBER),
        (WithKeys, None, UNKNOWN_KEYWORD),
        (WithCode, of_text(format="isbn"), UNKNOWN_FORMAT),
        (WithCode, of_text(pattern="^(?=a)b"), UNKNOWN_EXPRESSION),
        (WithCode, of_text(minLength=3), WIDER),
        (WithCode, of_text(minLength=3, maxLength=2), NO_TEXT),
        (WithCode, of_text(**BOOLEANS), NO_ITEMS),
        (WithCode, {"$ref": "gone.schema.json"}, NO_TARGET),
    ],
)
def test_a_disagreement_ends_the_export(
    cls: type[BaseModel], schema: dict[str, Any] | None, line: str
) -> None:
    """One line says the schema, the place, the rule and what both think."""
    with pytest.raises(VectorsError) as caught:
        vectors_of(cls, schema, EXAMPLES.get(cls, []))

    assert str(caught.value) == f"thing.schema.json: {line}"


def test_a_function_is_broken_in_short_text_too() -> None:
    """Where a sample has no room, another one stands for the function."""
    found = vectors_of(WithShortText, marked(WithShortText, "BoundedText"))
    unsaid = [v for v in found["invalid"] if v["keyword"] == "x-validated-by"]

    assert [v["document"] for v in unsaid] == [{"text": chr(0x958) * 5}]
