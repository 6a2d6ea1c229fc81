"""What the OpenAPI document says that FastAPI does not read from the routes.

Links between operations, fields of replies that middleware and errors add, examples
of parameters, and the forms of what webhooks are sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI

from services.api_platform._deliveries import BODY, delivery_schemas

Document = dict[str, Any]

_GENERIC: Final = "DeliveryBodyDTO"
_USER: Final = "UserToken"
_BUILT_IN: Final = "OAuth2PasswordBearer"
_USER_SCHEME: Final[Document] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A user's token, which the portal has: Authorization: Bearer eyJ...",
}

_TAGS: Final = {
    "keys": "API keys of a user, and reports of keys that were found in public.",
    "generations": "What developers come for: made from a prompt, for credits.",
    "usage": "What was used, by day and action.",
    "webhooks": "Who hears of what, and what became of each delivery.",
    "admin": "For those who run the platform.",
    "service": "How the service is.",
}

_TEXT: Final = {"type": "string"}


def _field(description: str, example: object, schema: Document) -> Document:
    return {"description": description, "schema": {**schema, "examples": [example]}}


_CHALLENGE: Final = {
    "WWW-Authenticate": _field("What is missing (RFC 6750).", "Bearer", _TEXT)
}
_LATER: Final = {
    "Retry-After": _field(
        "After how many seconds to ask again, where that helps.",
        60,
        {"type": "integer", "minimum": 0},
    )
}
_LIMITS: Final = {
    "RateLimit": _field(
        "What is left of each quota (r), and in one that is used up after how many "
        "seconds there is more (t).",
        '"key-minute";r=1180, "key-day";r=39980',
        _TEXT,
    ),
    "RateLimit-Policy": _field(
        "The quotas: units (q) in so many seconds (w).",
        '"key-minute";q=1200;w=60, "key-day";q=40000;w=86400',
        _TEXT,
    ),
}
_FIELDS: Final[dict[str, Document]] = {
    "401": _CHALLENGE,
    "403": _CHALLENGE,
    "429": {**_LATER, **_LIMITS},
    "503": _LATER,
}
"""What the replies of a status have, wherever one is documented."""

_OWN_FIELDS: Final[dict[tuple[str, str], Document]] = {
    ("keys_create_api_key", "201"): {
        "Location": _field(
            "Its path.", "/api/v1/keys/0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5b", _TEXT
        )
    },
    ("usage_get_usage", "200"): {
        "Content-Disposition": _field(
            "Of CSV: the name of the file.",
            'attachment; filename="usage-2026-01-02-2026-01-31.csv"',
            _TEXT,
        )
    },
}

_KEY: Final = {"key_id": "$response.body#/id"}
_WEBHOOK: Final = {"webhook_id": "$response.body#/id"}
_CHANGED: Final = {**_WEBHOOK, "header.if-match": "$response.header.ETag"}
_DELIVERY: Final = {
    "webhook_id": "$response.body#/webhook_id",
    "delivery_id": "$response.body#/id",
}

_LINKS: Final[dict[tuple[str, str], dict[str, tuple[str, dict[str, str]]]]] = {
    ("keys_create_api_key", "201"): {
        "key": ("keys_get_api_key", _KEY),
        "rotate": ("keys_rotate_api_key", _KEY),
        "revoke": ("keys_revoke_api_key", _KEY),
    },
    ("keys_revoke_api_key", "200"): {"key": ("keys_get_api_key", _KEY)},
    ("generations_create_generation", "202"): {
        "job": ("generations_get_generation", {"job_id": "$response.body#/job_id"}),
    },
    ("webhooks_register_webhook", "201"): {
        "webhook": ("webhooks_get_webhook", _WEBHOOK),
        "update": ("webhooks_update_webhook", _CHANGED),
        "delete": ("webhooks_delete_webhook", _CHANGED),
        "rotate": ("webhooks_rotate_webhook_secret", _WEBHOOK),
        "disable": ("webhooks_disable_webhook", _WEBHOOK),
        "ping": ("webhooks_ping_webhook", _WEBHOOK),
        "deliveries": ("webhooks_list_deliveries", _WEBHOOK),
        "replay": ("webhooks_replay_deliveries", _WEBHOOK),
    },
    ("webhooks_get_webhook", "200"): {
        "update": ("webhooks_update_webhook", _CHANGED),
    },
    ("webhooks_disable_webhook", "200"): {
        "enable": ("webhooks_enable_webhook", _WEBHOOK),
        "ping": ("webhooks_ping_webhook", _WEBHOOK),
    },
    ("webhooks_ping_webhook", "202"): {
        "delivery": ("webhooks_get_delivery", _DELIVERY),
        "replay": ("webhooks_replay_delivery", _DELIVERY),
    },
}
"""Which operations take up what a reply says: by the operation and the status."""

_ID: Final = "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5b"
_EXAMPLES: Final[dict[str, object]] = {
    "delivery_id": _ID,
    "format": "csv",
    "hours": 24,
    "job_id": "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21",
    "key_id": _ID,
    "limit": 50,
    "name": "enableVolumeDiscounts",
    "state": "failed",
    "webhook_id": _ID,
    "Github-Public-Key-Identifier": "90a421169f0a406205f1563a953312f0be89",
    "Github-Public-Key-Signature": "MEUCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgQ==",
    "Idempotency-Key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
}
"""Values of parameters that have no example of their own."""


def complete_openapi(app: FastAPI) -> None:
    """Let the document of *app* say all that others rely on."""
    plain = app.openapi
    # FastAPI's own way: https://fastapi.tiangolo.com/how-to/extending-openapi/
    app.openapi = lambda: completed(plain())  # type: ignore[method-assign]


def completed(document: Document) -> Document:
    """*document*, changed in place; a second time nothing changes any more."""
    document["tags"] = [
        {"name": name, "description": text} for name, text in _TAGS.items()
    ]
    operations = dict(_operations(document))
    for operation in operations.values():
        _name_user(operation)
        _give_examples(operation)
        _add_fields(operation)
    for (name, status), fields in _OWN_FIELDS.items():
        operations[name]["responses"][status].setdefault("headers", {}).update(fields)
    for (name, status), links in _LINKS.items():
        operations[name]["responses"][status]["links"] = {
            each: {"operationId": target, "parameters": dict(parameters)}
            for each, (target, parameters) in links.items()
        }
    schemes = document["components"]["securitySchemes"]
    schemes.pop(_BUILT_IN, None)
    schemes[_USER] = dict(_USER_SCHEME)
    _show_items(document["components"]["schemas"])
    _say_deliveries(document)
    return document


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for item in document["paths"].values():
        for operation in item.values():
            yield operation["operationId"], operation


def _name_user(operation: Document) -> None:
    """A user's token is no password of this service: it has no endpoint for that."""
    for requirement in operation.get("security", ()):
        if _BUILT_IN in requirement:
            requirement[_USER] = requirement.pop(_BUILT_IN)


def _give_examples(operation: Document) -> None:
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if name in _EXAMPLES and "examples" not in parameter["schema"]:
            parameter.setdefault("example", _EXAMPLES[name])


def _add_fields(operation: Document) -> None:
    responses = operation["responses"]
    limited = "429" in responses
    for status, response in responses.items():
        fields = _LIMITS if limited and status < "300" else _FIELDS.get(status, {})
        if fields and "application/health+json" not in response.get("content", {}):
            response["headers"] = {**response.get("headers", {}), **fields}


def _show_items(schemas: Document) -> None:
    """The example of a page has an item, as its items have an example."""
    for schema in schemas.values():
        if not schema.get("title", "").startswith("Page["):
            continue
        item = schemas[schema["properties"]["items"]["items"]["$ref"].split("/")[-1]]
        schema["examples"] = [{"items": item["examples"][:1], "next_cursor": None}]


def _say_deliveries(document: Document) -> None:
    schemas = document["components"]["schemas"]
    generic = schemas.pop(_GENERIC, None)
    if generic is None:  # done before
        return
    schemas = {**schemas, **delivery_schemas()}
    schemas[BODY]["examples"] = generic["examples"]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    content = document["webhooks"]["delivery"]["post"]["requestBody"]["content"]
    content["application/json"]["schema"] = {"$ref": f"#/components/schemas/{BODY}"}
