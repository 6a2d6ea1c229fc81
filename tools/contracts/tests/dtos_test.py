"""DTOs as documents: which there are, where, and who writes them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from shared import dtos
from shared.dtos import BaseDTO, BaseUpdateDTO
from tools.contracts.bundle import BASE
from tools.contracts.dtos import directions_of, dto_documents, dtos_of


def named(name: str, **fields: Any) -> type[BaseDTO]:
    """A DTO of this name."""
    return type(name, (BaseDTO,), {"__annotations__": fields, "__module__": __name__})


def test_every_public_dto_is_exported() -> None:
    """The bases are no contract; everything else of the facade is."""
    public = {
        name
        for name in dtos.__all__
        if isinstance(getattr(dtos, name), type) and name.endswith(("DTO", "Response"))
    }
    bases = {"BaseDTO", "BaseResponseDTO", "BaseUpdateDTO"}
    helpers = {"Page", "PageQuery", "ErrorDetail", "GenerationStatus", "TeamRole"}

    assert set(dtos_of([dtos])) == (public - bases) | helpers


def test_a_module_without_a_facade_exports_what_it_defines() -> None:
    """What it imports belongs to others, and a private class to nobody."""
    module = ModuleType(__name__)
    own = named("OwnDTO")
    vars(module).update(OwnDTO=own, _Private=named("_Private"), Base=BaseUpdateDTO)

    assert dtos_of([module]) == {"OwnDTO": own}


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("UserCreateDTO", "request"),
        ("UserUpdateDTO", "request"),
        ("PageQuery", "request"),
        ("RefreshTokenRequestDTO", "request"),
        ("GenerationCreateResponseDTO", "response"),
        ("StatusResponse", "response"),
        ("Page", "response"),
        ("PriceDTO", "both"),
    ],
)
def test_a_name_says_who_writes_it(name: str, direction: str) -> None:
    """And one that says nothing leaves both open."""
    assert directions_of({name: named(name)}) == {name: direction}


def test_a_part_is_written_by_those_who_write_the_whole() -> None:
    """A part of requests and responses is written by both."""
    part, shared_part = named("PartDTO"), named("SharedDTO")
    found = directions_of(
        {
            "PartDTO": part,
            "SharedDTO": shared_part,
            "MakeCreateDTO": named("MakeCreateDTO", part=part, other=shared_part),
            "MadeResponseDTO": named("MadeResponseDTO", other=shared_part),
        }
    )

    assert (found["PartDTO"], found["SharedDTO"]) == ("request", "both")


def test_a_document_names_itself() -> None:
    """Others refer to it by its path, relative to their own."""
    documents, _ = dto_documents(dtos_of([dtos]))
    path = "dtos/BrandKitCreateDTO.schema.json"

    assert documents[path]["$id"] == BASE + path
    assert documents[path]["x-direction"] == "request"
    colors = documents[path]["properties"]["colors"]
    assert colors["items"] == {"$ref": "BrandColorDTO.schema.json"}


def test_a_password_lists_what_checks_it() -> None:
    """JSON Schema can't say that there is one character of each kind."""
    _, unsaid = dto_documents(dtos_of([dtos]))

    assert unsaid["dtos/UserCreateDTO.schema.json", "/properties/password"] == (
        "validate_password_complexity",
    )


def test_a_request_may_refuse_members_that_it_does_not_know() -> None:
    """Its callers have to be told; a DTO that says nothing ignores them."""

    class StrictCreateDTO(BaseDTO, extra="forbid"):
        text: str

    made, _ = dto_documents(
        {"StrictCreateDTO": StrictCreateDTO, "OpenDTO": named("OpenDTO")}
    )
    strict, lax = (
        made[f"dtos/{name}.schema.json"] for name in ("StrictCreateDTO", "OpenDTO")
    )

    assert strict["additionalProperties"] is False
    assert "additionalProperties" not in lax
