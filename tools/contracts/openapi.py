"""The OpenAPI document of a service, and what must be true of every one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI

from shared.errors import PROBLEM_MEDIA_TYPE
from tools.contracts.declared import ContractError

_METHODS: Final = frozenset(
    ("delete", "get", "head", "options", "patch", "post", "put", "trace")
)
# What health answers with is its own format, also when it is not well.
_HEALTH: Final = "application/health+json"


def openapi_of(app: FastAPI, codes: frozenset[str]) -> dict[str, Any]:
    """The document as the service sends it.

    Args:
        app: The service's application.
        codes: That problems may carry.

    Raises:
        ContractError: Something in it would mislead a client; the first such thing.
    """
    document: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    for problem in problems_of(document, codes):
        raise ContractError(problem)
    return document


def problems_of(document: Mapping[str, Any], codes: frozenset[str]) -> Iterator[str]:
    """What is wrong with a document, beyond its form, which validators check."""
    for place, operation in operations_of(document):
        if "operationId" not in operation:
            yield f"{place} has no operationId."
        for status, response in operation["responses"].items():
            if status[0] not in "45d":
                continue
            content = response.get("content", {})
            if PROBLEM_MEDIA_TYPE not in content and _HEALTH not in content:
                yield f"{place} documents {status} as no {PROBLEM_MEDIA_TYPE}."
            for code in codes_in(response):
                if code not in codes:
                    yield (
                        f"{place} documents the code {code!r}, which no class of "
                        "errors declares."
                    )
    for reference in references_in(document):
        if not _leads_somewhere(document, reference):
            yield f"{reference} leads nowhere."


def operations_of(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every operation, by method and path: ``GET /users``."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield f"{method.upper()} {path}", operation


def codes_in(response: Mapping[str, Any]) -> list[str]:
    """The codes of the problems that a response shows as examples."""
    examples = (
        response.get("content", {}).get(PROBLEM_MEDIA_TYPE, {}).get("examples", {})
    )
    return [example["value"]["code"] for example in examples.values()]


def references_in(document: object) -> Iterator[str]:
    """Every ``$ref``, wherever it stands."""
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                yield reference
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _leads_somewhere(document: Mapping[str, Any], reference: str) -> bool:
    start, _, pointer = reference.partition("#")
    node: Any = document
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, Mapping) or token not in node:
            return False
        node = node[token]
    return start == ""
