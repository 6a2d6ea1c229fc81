"""The DTOs of modules as schema documents: one file each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import ModuleType
from typing import Any, Final

from pydantic import BaseModel

from shared.dtos.base import BaseDTO, BaseResponseDTO, BaseUpdateDTO
from tools.contracts.bundle import BASE, Direction
from tools.contracts.models import DIALECT, export

_BASES: Final = (BaseDTO, BaseResponseDTO, BaseUpdateDTO)

# The words that names of DTOs end with, before "DTO", say who writes them.
_REQUESTS: Final = (
    "Change",
    "Confirm",
    "Create",
    "Invite",
    "Login",
    "Query",
    "Request",
    "Update",
)
_RESPONSES: Final = ("Page", "Response")


def dtos_of(modules: Iterable[ModuleType]) -> dict[str, type[BaseDTO | Enum]]:
    """The public DTOs and enumerations that *modules* define or export, by name."""
    found: dict[str, type[BaseDTO | Enum]] = {}
    for module in modules:
        for name in getattr(module, "__all__", vars(module)):
            kind = getattr(module, name)
            if (
                isinstance(kind, type)
                and issubclass(kind, BaseDTO | Enum)
                and not name.startswith("_")
                and kind not in _BASES
                and (hasattr(module, "__all__") or kind.__module__ == module.__name__)
            ):
                found[name] = kind
    return dict(sorted(found.items()))


def path_of(name: str) -> str:
    """Where the schema of a DTO is in a bundle."""
    return f"dtos/{name}.schema.json"


def dto_documents(
    dtos: Mapping[str, type[BaseDTO | Enum]],
) -> tuple[dict[str, dict[str, Any]], dict[tuple[str, str], tuple[str, ...]]]:
    """The documents by their path, and what they leave to code; see `Export`.

    Raises:
        UnsayableError: A DTO has a part without a JSON Schema.
    """
    template = "{model}.schema.json"
    made = export(dtos.values(), ref_template=template, tolerant=False)
    directions = directions_of(dtos)
    documents = {}
    for name, definition in made.definitions.items():
        document = {"$schema": DIALECT, "$id": BASE + path_of(name), **definition}
        document["x-direction"] = directions.get(name, "both")
        documents[path_of(name)] = document
    unsaid = {
        (path_of(name), pointer): functions
        for (name, pointer), functions in made.validated_by.items()
    }
    return documents, unsaid


def directions_of(
    dtos: Mapping[str, type[BaseDTO | Enum]],
) -> dict[str, Direction]:
    """Who writes each DTO: by its name, or else by the DTOs that it is a part of.

    A DTO of which neither says anything may be written by either side, which allows
    for the fewest changes.
    """
    named: dict[str, set[Direction]] = {
        name: found for name in dtos if (found := _by_name(name))
    }
    reached: dict[str, set[Direction]] = {
        name: set(named.get(name, ())) for name in dtos
    }
    for name, directions in named.items():
        for part in _parts_of(dtos[name]):
            if part in reached and part not in named:
                reached[part] |= directions
    return {
        name: next(iter(directions)) if len(directions) == 1 else "both"
        for name, directions in reached.items()
    }


def _by_name(name: str) -> set[Direction]:
    stem = name.removesuffix("DTO")
    if stem.endswith(_RESPONSES):
        return {"response"}
    return {"request"} if stem.endswith(_REQUESTS) else set()


def _parts_of(cls: type[BaseModel | Enum]) -> Iterator[str]:
    """The names of all that *cls* is made of."""
    made = export([cls], ref_template="{model}")
    return (name for name in made.definitions if name != cls.__name__)
