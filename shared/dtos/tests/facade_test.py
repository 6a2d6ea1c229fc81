"""Rules that hold for all DTOs alike."""

import json
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from shared import dtos

BASES = {"BaseDTO", "BaseResponseDTO", "BaseUpdateDTO"}
MODELS: list[type[BaseModel]] = [
    value
    for name in dtos.__all__
    if name not in BASES
    and isinstance(value := getattr(dtos, name), type)
    and issubclass(value, BaseModel)
]


def test_all_is_what_is_public() -> None:
    """``__all__`` names each public thing of the package, and nothing else."""
    public = {
        name
        for name, value in vars(dtos).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(dtos.__all__) == public


def test_every_public_model_of_a_module_is_exported() -> None:
    """A DTO that is added to a module does not get lost on the way."""
    modules = [value for value in vars(dtos).values() if isinstance(value, ModuleType)]
    defined = {
        name
        for module in modules
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and isinstance(value, type)
        and issubclass(value, BaseModel)
        and "[" not in name
    }

    assert defined <= set(dtos.__all__)
    assert len(MODELS) == len(defined - BASES)


@pytest.mark.parametrize("model", MODELS)
def test_every_schema_has_examples_that_are_valid(model: type[BaseModel]) -> None:
    """An example is accepted, is in canonical form, and is written as it stands."""
    for example in model.model_json_schema()["examples"]:
        written = json.loads(model.model_validate(example).model_dump_json())
        fields = model.model_fields
        shown = {k: value for k, value in example.items() if not fields[k].exclude}

        assert {name: written[name] for name in shown} == shown


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_every_model_says_what_it_is(model: type[BaseModel], mode: Any) -> None:
    """Whoever reads the API's documentation finds a sentence for each model."""
    assert model.model_json_schema(mode=mode)["description"].endswith(".")


@pytest.mark.parametrize("model", MODELS)
def test_passwords_are_write_only(model: type[BaseModel]) -> None:
    """Whatever is called a password is kept out of repr and dumps."""
    found = [f for name, f in model.model_fields.items() if "password" in name]

    assert [(f.exclude, f.repr) for f in found] == [(True, False)] * len(found)


@pytest.mark.parametrize("model", MODELS)
def test_tokens_are_not_shown(model: type[BaseModel]) -> None:
    """Whatever is called a token is kept out of repr."""
    tokens = [f for name, f in model.model_fields.items() if name.endswith("_token")]

    assert [field.repr for field in tokens] == [False] * len(tokens)
