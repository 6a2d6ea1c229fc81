"""Errors in OpenAPI documents.

Private: import these names from ``shared.errors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.errors._catalogue import entry_of
from shared.errors._exceptions import (
    BaseAPIException,
    ValidationException,
    revive,
)

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

_TEXT: Final = {"type": "string"}

PROBLEM_SCHEMA: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "title": "Problem",
        "description": "An error (RFC 9457). Members beyond these are facts about it.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string", "description": "The kind of error, in short."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What went wrong this time."},
            "instance": {"type": "string", "format": "uri-reference"},
            "code": {
                "type": "string",
                "pattern": "^[a-z][a-z0-9_]*$",
                "description": "The stable name of the kind of error.",
            },
            "correlation_id": {
                "type": "string",
                "description": "Finds this occurrence in the logs.",
            },
            "errors": {
                "type": "array",
                "description": "What is wrong with which part of the input.",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": {
                            "type": "string",
                            "description": "JSON Pointer (RFC 6901) into the body; "
                            "/@query/..., /@path/..., /@header/... and /@cookie/... "
                            "name parameters.",
                        },
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                    "required": ["pointer", "code", "detail"],
                },
            },
        },
        "required": ["type", "title", "status", "detail", "code"],
        "additionalProperties": True,
    }
)


def responses_for(
    *errors: type[BaseAPIException] | BaseAPIException,
) -> dict[int | str, dict[str, Any]]:
    """FastAPI's ``responses=`` for an operation that answers with *errors*.

    Each error is a named example under its status; one given as an instance shows that
    instance's detail and facts::

        @app.get("/jobs/{job_id}", responses=responses_for(NotFoundError("Job", "7")))

    Raises:
        TypeError: Something else than an error or a class of errors.
    """
    responses: dict[int | str, dict[str, Any]] = {}
    for given in errors:
        error = _example_of(given)
        entry = entry_of(type(error))
        response = responses.setdefault(
            error.status_code,
            {
                "description": "",
                "content": {
                    PROBLEM_MEDIA_TYPE: {"schema": dict(PROBLEM_SCHEMA), "examples": {}}
                },
            },
        )
        _describe(response, entry.description)
        for name in error.headers:
            response.setdefault("headers", {})[name] = {"schema": dict(_TEXT)}
        examples = response["content"][PROBLEM_MEDIA_TYPE]["examples"]
        examples[_free_name(error.code, examples)] = {
            "summary": entry.description,
            "value": error.to_problem(),
        }
    return responses


def _example_of(given: object) -> BaseAPIException:
    if isinstance(given, BaseAPIException):
        return given
    if isinstance(given, type) and issubclass(given, BaseAPIException):
        return revive(given, None, extra={}, headers={})
    raise TypeError(f"responses_for takes errors and their classes (got {given!r}).")


def _describe(response: dict[str, Any], sentence: str) -> None:
    known = response["description"].split("\n\n") if response["description"] else []
    if sentence not in known:
        response["description"] = "\n\n".join([*known, sentence])


def _free_name(code: str, taken: Mapping[str, Any]) -> str:
    name, count = code, 1
    while name in taken:
        count += 1
        name = f"{code}_{count}"
    return name


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """*document*, changed in place to say that every error is a problem.

    FastAPI documents its own reply for a refused request, which our handlers replace;
    and the schema that `responses_for` repeats under each operation moves to
    ``#/components/schemas/Problem``, unless that name is taken.
    """
    components = document.get("components", {})
    schemas = components.get("schemas", {})
    schema: dict[str, Any] = dict(PROBLEM_SCHEMA)
    if schemas.get("Problem", schema) == schema:
        schema = {"$ref": "#/components/schemas/Problem"}
    for response in _responses_in(document):
        content = response.get("content", {})
        if content.get("application/json") == {"schema": {"$ref": _FASTAPI_ERROR}}:
            response["description"] = _REFUSED
            del content["application/json"]
            content[PROBLEM_MEDIA_TYPE] = {"schema": schema, **_refusal()}
        elif content.get(PROBLEM_MEDIA_TYPE, {}).get("schema") == PROBLEM_SCHEMA:
            content[PROBLEM_MEDIA_TYPE]["schema"] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        if f"#/components/schemas/{name}" not in _references_in(document):
            schemas.pop(name, None)
    if schema.get("$ref") in _references_in(document):
        schemas["Problem"] = dict(PROBLEM_SCHEMA)
        document["components"] = {
            **components,
            "schemas": dict(sorted(schemas.items())),
        }
    return document


_REFUSED: Final = "The request does not fit the schema."


def _refusal() -> dict[str, Any]:
    """The examples of what `shared.errors.handlers` answers a refused request with."""
    items = [
        {
            "pointer": "/@query/limit",
            "code": "int_parsing",
            "detail": "Must be an integer.",
        }
    ]
    error = ValidationException(items, _REFUSED)
    summary = entry_of(ValidationException).description
    return {"examples": {error.code: {"summary": summary, "value": error.to_problem()}}}


_FASTAPI_ERROR: Final = "#/components/schemas/HTTPValidationError"


def _responses_in(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The responses of every operation: of paths, webhooks and callbacks."""
    pending = [*document.get("paths", {}).values()]
    pending += document.get("webhooks", {}).values()
    while pending:
        for operation in pending.pop().values():
            if isinstance(operation, dict):
                yield from operation.get("responses", {}).values()
                for callback in operation.get("callbacks", {}).values():
                    pending += callback.values()


def _references_in(document: object) -> set[str]:
    references: set[str] = set()
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending += node.values()
            reference = node.get("$ref")
            if isinstance(reference, str):
                references.add(reference)
        elif isinstance(node, list):
            pending += node
    return references
