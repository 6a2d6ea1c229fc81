"""Vectors of every schema, each held to the reader of the class it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter

from shared.dtos.base import BaseDTO
from shared.events import EventFormatError, EventRegistry, UnknownEvent
from tools.contracts import dtos, events
from tools.contracts.bundle import vectors_of
from tools.contracts.differences import UNSAID, Unsaid
from tools.contracts.vectors import make_vectors

Verdict = Callable[[bytes], bool]

_FULL: Final = "document: full"


def with_vectors(
    documents: Mapping[str, Any],
    classes: Mapping[str, type[BaseDTO | Enum]],
    registry: EventRegistry,
    unsaid: Mapping[str, Unsaid] = UNSAID,
) -> dict[str, Any]:
    """*documents* with the vectors of each class, and an example in each event.

    Raises:
        VectorsError: A rule has no document on which the reader and the schema agree.
    """
    found = dict(documents)
    for path, accepts in verdicts(classes, registry).items():
        made = make_vectors(
            documents[path],
            documents=documents,
            path=path,
            accepts=accepts,
            examples=(),
            unsaid=unsaid,
        )
        found[vectors_of(path)] = made
        if path.startswith("events/"):
            full = [each for each in made["valid"] if each["name"] == _FULL]
            examples = [each["document"] for each in full or made["valid"][:1]]
            found[path] = {**documents[path], "examples": examples}
    return found


def verdicts(
    classes: Mapping[str, type[BaseDTO | Enum]], registry: EventRegistry
) -> dict[str, Verdict]:
    """For each schema by path, whether Python's own reader takes a document."""
    found: dict[str, Verdict] = {
        dtos.path_of(name): partial(_is_dto, TypeAdapter(cls))
        for name, cls in classes.items()
    }
    for event in registry:
        key = events.key_of(event)
        found[events.path_of(*key)] = partial(_is_event, EventRegistry([event]))
    return found


def _is_dto(adapter: TypeAdapter[Any], data: bytes) -> bool:
    try:
        adapter.validate_json(data)
    except ValueError:
        return False
    return True


def _is_event(registry: EventRegistry, data: bytes) -> bool:
    try:
        return not isinstance(registry.parse(data), UnknownEvent)
    except EventFormatError:
        return False
