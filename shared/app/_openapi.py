"""What the OpenAPI document says of the paths that every service answers.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from enum import Enum
from typing import Any, Final

from fastapi.routing import APIRoute

from shared.app._health import HEALTH_MEDIA_TYPE
from shared.errors import PROBLEM_MEDIA_TYPE, PROBLEM_SCHEMA

TAG: Final = "service"

# One entry that covers every error, instead of five that repeat each other.
_ANY_PROBLEM: Final = {
    "description": "An error.",
    "content": {PROBLEM_MEDIA_TYPE: {"schema": dict(PROBLEM_SCHEMA)}},
}

_TEXT: Final = {"type": "string"}

_HEALTH: Final = {
    "type": "object",
    "title": "Health",
    "properties": {
        "status": {"enum": ["pass", "warn", "fail"]},
        "serviceId": _TEXT,
        "releaseId": _TEXT,
        "output": _TEXT,
        "checks": {
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "status": {"enum": ["pass", "warn", "fail"]},
                        "observedValue": {"type": "number"},
                        "observedUnit": _TEXT,
                        "time": {"type": "string", "format": "date-time"},
                        "output": _TEXT,
                    },
                    "required": ["status", "time"],
                },
            },
        },
    },
    "required": ["status", "serviceId", "releaseId"],
    "examples": [{"status": "pass", "serviceId": "my-service", "releaseId": "1.0.0"}],
}

_INFO: Final = {
    "type": "object",
    "title": "Info",
    "properties": {
        "name": _TEXT,
        "version": _TEXT,
        "environment": _TEXT,
        "build": {"type": ["string", "null"]},
        "python_version": _TEXT,
    },
    "required": ["name", "version", "environment", "build", "python_version"],
    "examples": [
        {
            "name": "my-service",
            "version": "1.0.0",
            "environment": "production",
            "build": None,
            "python_version": "3.12.8",
        }
    ],
}


def _operation(
    name: str, summary: str, schema: dict[str, Any], media_type: str, *, fails: bool
) -> dict[str, Any]:
    content = {media_type: {"schema": schema}}
    responses: dict[str, Any] = {"200": {"description": "", "content": content}}
    if fails:
        responses["503"] = {"description": "Not now.", "content": content}
    return {
        "get": {
            "tags": [TAG],
            "summary": summary,
            "operationId": name,
            "security": [],
            "responses": responses,
        }
    }


def _service_paths() -> dict[str, Any]:
    """The paths that are documented. ``/metrics`` is for machines and is not."""
    media = HEALTH_MEDIA_TYPE
    return {
        "/health": _operation(
            "health", "How the service and all it needs are", _HEALTH, media, fails=True
        ),
        "/health/live": _operation(
            "health_live",
            "Whether the process lives",
            _HEALTH,
            media,
            fails=False,
        ),
        "/health/ready": _operation(
            "health_ready", "Whether requests should come", _HEALTH, media, fails=True
        ),
        "/health/startup": _operation(
            "health_startup", "Whether it has started", _HEALTH, media, fails=True
        ),
        "/info": _operation(
            "info", "What runs here", _INFO, "application/json", fails=False
        ),
    }


def operation_id(route: APIRoute) -> str:
    """What an operation is called in generated clients: its first tag, its function.

    ``users_register``: it stays when the path changes, which FastAPI's own does not.
    ``operation_id=`` on the route says otherwise.
    """
    tags = [tag.value if isinstance(tag, Enum) else tag for tag in route.tags[:1]]
    words = re.sub(r"[^A-Za-z0-9]+", "_", "_".join([*map(str, tags), route.name]))
    return words.strip("_")


def described(document: dict[str, Any]) -> dict[str, Any]:
    """*document*, in which each operation may fail, with our paths after its own.

    Not by FastAPI's ``responses=``: beside a ``default`` it does not tell of the 422.

    Raises:
        ValueError: Two operations have one id.
    """
    paths = document.get("paths", {})
    for item in paths.values():
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("default", deepcopy(_ANY_PROBLEM))
    document["paths"] = {**paths, **_service_paths()}
    _check_ids(document)
    return document


def _check_ids(document: dict[str, Any]) -> None:
    places: dict[str, str] = {}
    for place, name in _ids_in(document):
        known = places.setdefault(name, place)
        if known != place:
            raise ValueError(
                f"{known} and {place} have the operationId {name!r}: make each a "
                "route of its own, with another tag, function name or operation_id=."
            )


def _ids_in(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every operation, as ``GET /users``, and its id."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "operationId" in operation:
                yield f"{method.upper()} {path}", operation["operationId"]
