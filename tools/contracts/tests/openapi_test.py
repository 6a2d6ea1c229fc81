"""What must be true of every service's OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.app import create_service
from shared.config import ServiceConfig
from shared.errors import NotFoundError, responses_for
from tools.contracts.declared import ContractError
from tools.contracts.openapi import openapi_of, operations_of, problems_of

CODES = frozenset({"resource_not_found", "validation_error"})


def document() -> dict[str, Any]:
    """Of a service with one route."""
    service = create_service(
        "notes", ServiceConfig(service_name="notes"), logging=False
    )

    @service.app.get("/notes/{note_id}", responses=responses_for(NotFoundError("N", 1)))
    async def note(note_id: int) -> str:
        return ""

    return openapi_of(service.app, CODES)


def get(document: dict[str, Any]) -> dict[str, Any]:
    """Its operation."""
    operation: dict[str, Any] = document["paths"]["/notes/{note_id}"]["get"]
    return operation


def test_a_service_as_it_is_has_no_problems() -> None:
    """The routes that every service has are checked, too."""
    made = document()

    assert list(problems_of(made, CODES)) == []
    places = [place for place, _ in operations_of(made)]
    assert (places[0], len(places)) == ("GET /notes/{note_id}", 6)


def test_a_service_with_a_problem_is_not_exported() -> None:
    """The first of them is told."""
    service = create_service(
        "notes", ServiceConfig(service_name="notes"), logging=False
    )
    service.app.get("/", responses=responses_for(NotFoundError("N", 1)))(lambda: "")

    with pytest.raises(ContractError, match="GET / documents the code 'resource_not"):
        openapi_of(service.app, frozenset())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: get(made).pop("operationId"), "GET /notes.* has no operationId"),
        (
            lambda made: get(made)["responses"]["404"].update(content={}),
            "documents 404 as no application/problem",
        ),
        (
            lambda made: get(made)["responses"]["default"].pop("content"),
            "documents default as no application/problem",
        ),
        (
            lambda made: made["components"]["schemas"].pop("Problem"),
            "#/components/schemas/Problem leads nowhere",
        ),
        (
            lambda made: get(made).update({"x": {"$ref": "other.json#/components"}}),
            "other.json#/components leads nowhere",
        ),
    ],
)
def test_what_would_mislead_a_client_is_told(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    """Where it is, and what."""
    made = document()
    change(made)

    with pytest.raises(ContractError, match=message):
        raise ContractError(next(problems_of(made, CODES)))
