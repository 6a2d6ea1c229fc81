"""JSON that can't be changed."""

import copy
import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from shared.events._json import MAX_DEPTH, FrozenDict, JsonObject, JsonValue, freeze
from shared.events.tests.strategies import json_values

OBJECT: TypeAdapter[Any] = TypeAdapter(JsonObject)
VALUE: TypeAdapter[Any] = TypeAdapter(JsonValue)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@settings(max_examples=50, deadline=None)
@given(value=json_values)
def test_freezing_changes_no_json(value: Any) -> None:
    """A frozen value is written as the value was, and hashable."""
    frozen = freeze(value)

    assert json.dumps(frozen) == json.dumps(value)
    assert VALUE.validate_json(VALUE.dump_json(frozen)) == frozen
    assert hash(frozen) == hash(freeze(frozen))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.update(a=2),
        lambda d: d.setdefault("b", 2),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.__ior__({"b": 2}),
    ],
)
def test_no_method_changes_a_frozen_dict(change: Callable[[Any], object]) -> None:
    """Each way to change a dict raises, and leaves it as it was."""
    frozen = FrozenDict({"a": 1})
    with pytest.raises(TypeError, match="can't be changed"):
        change(frozen)
    assert frozen == {"a": 1}


def test_a_frozen_dict_survives_pickle_and_copies() -> None:
    """Process pools and deep copies of payloads need that."""
    frozen = FrozenDict({"a": FrozenDict({"b": (1, 2)})})
    for twin in (
        pickle.loads(pickle.dumps(frozen)),
        copy.copy(frozen),
        copy.deepcopy(frozen),
    ):
        assert (type(twin), twin) == (FrozenDict, frozen)


def test_a_frozen_dict_shows_what_it_is() -> None:
    """A reader of a log line must not take it for a plain dict."""
    assert repr(FrozenDict({"a": 1})) == "FrozenDict({'a': 1})"


def test_freezing_is_deep() -> None:
    """Lists and dictionaries inside are frozen, too."""
    source = {"list": [{"a": 1}]}
    frozen = OBJECT.validate_python(source)
    source["list"].append({"b": 2})

    assert frozen == {"list": ({"a": 1},)}
    assert isinstance(frozen["list"][0], FrozenDict)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "no NaN"),
        ([float("-inf")], "no NaN and no infinity"),
        ({"a": Decimal(1)}, "no Decimal"),
        ({"a": {1, 2}}, "no set"),
        ({1: 2}, "Names in JSON must be text"),
        ("\ud800", "valid Unicode"),
        ({"\udfff": 1}, "valid Unicode"),
        (nested(MAX_DEPTH + 1), "nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused(value: object, message: str) -> None:
    """At the moment that the event is made, not when it is sent."""
    with pytest.raises(PydanticCustomError, match=message):
        freeze(value)


def test_the_deepest_value_is_kept() -> None:
    """The limit itself is allowed."""
    assert json.dumps(freeze(nested(MAX_DEPTH))) == json.dumps(nested(MAX_DEPTH))


@pytest.mark.parametrize("value", [[], "text", 1, None])
def test_an_object_is_an_object(value: object) -> None:
    """JsonObject takes no other JSON."""
    with pytest.raises(ValidationError, match="Must be an object"):
        OBJECT.validate_python(value)


def test_schemas_say_what_is_allowed() -> None:
    """Other languages read the schema."""
    assert OBJECT.json_schema() == {"type": "object"}
    assert VALUE.json_schema() == {}
