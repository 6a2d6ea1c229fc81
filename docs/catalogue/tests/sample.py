"""A small bundle with one of everything, some of it hostile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from docs.catalogue.packages import Package, PublicTarget
from tools.contracts.bundle import (
    ASYNCAPI,
    BASE,
    ENVELOPE,
    ERRORS,
    FORMAT,
    MANIFEST,
    Bundle,
    to_text,
    vectors_of,
)

HOSTILE: Final = '<script>document.title = "run"</script>'

_COLOR: Final = "dtos/ColorDTO.schema.json"
_LAMP: Final = "dtos/LampCreateDTO.schema.json"
_MOOD: Final = "dtos/Mood.schema.json"
_LIT_1: Final = "events/lamp.lit.v1.schema.json"
_LIT_2: Final = "events/lamp.lit.v2.schema.json"

ENVELOPE_SCHEMA: Final = {
    "$id": BASE + ENVELOPE,
    "description": "What every event has.",
    "type": "object",
    "properties": {
        "event_id": {"$ref": "#/$defs/event_id"},
        "payload": {},
        "causation_id": {"type": ["string", "null"]},
    },
    "required": ["event_id", "payload"],
    "x-written": ["event_id", "payload", "causation_id"],
    "$defs": {"event_id": {"type": "string", "format": "uuid"}},
}

SCHEMAS: Final[dict[str, Any]] = {
    ENVELOPE: ENVELOPE_SCHEMA,
    _COLOR: {
        "title": "ColorDTO",
        "description": f"A colour. {HOSTILE}",
        "type": "object",
        "properties": {
            "hex": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
            "mood": {"$ref": "Mood.schema.json"},
        },
        "required": ["hex"],
        "x-written": ["hex", "mood"],
    },
    _LAMP: {
        "title": "LampCreateDTO",
        "description": "A new lamp.",
        "type": "object",
        "properties": {
            "colors": {
                "type": "array",
                "items": {"$ref": "ColorDTO.schema.json"},
                "maxItems": 3,
            },
            "watts": {
                "type": "integer",
                "minimum": 1,
                "default": 40,
                "description": "Of the `bulb`.",
                "x-validated-by": ["is_sold"],
            },
        },
        "examples": [{"colors": [{"hex": "#ffffff"}], "watts": 60}],
    },
    _MOOD: {"title": "Mood", "description": "A mood.", "enum": ["warm", "cold"]},
    _LIT_1: {
        "title": "lamp.lit",
        "description": "A lamp went on.",
        "type": "object",
        "properties": {"payload": {"$ref": "#/$defs/LampLitPayload"}},
        "$defs": {
            "LampLitPayload": {
                "type": "object",
                "properties": {"lamp": {"type": "string"}},
                "required": ["lamp"],
            }
        },
    },
    _LIT_2: {
        "title": "lamp.lit",
        "description": "A lamp went on.",
        "type": "object",
        "properties": {"payload": {"$ref": "#/$defs/LampLitPayload"}},
        "$defs": {
            "LampLitPayload": {
                "description": "Which one, and where.",
                "type": "object",
                "properties": {"place": {"$ref": "#/$defs/Place"}},
                "required": ["place"],
            },
            "Place": {
                "type": "object",
                "properties": {"room": {"type": "string"}},
            },
        },
    },
}

ERRORS_DOCUMENT: Final = {
    "problem": {
        "description": "An error (RFC 9457).",
        "type": "object",
        "properties": {"code": {"type": "string"}},
        "required": ["code"],
    },
    "kernel": [
        {
            "code": "not_found",
            "status": 404,
            "other_statuses": [410],
            "title": "Not Found",
            "type": "about:blank",
            "when": "It is not there.",
            "package": "shared.errors",
        }
    ],
    "services": {
        "lamps": [
            {
                "code": "bulb_broken",
                "status": 409,
                "other_statuses": [],
                "title": "Conflict",
                "type": "https://lamps.example/bulb_broken",
                "when": "The bulb is broken.",
                "package": "examples.lamps",
            }
        ]
    },
}


def _queue(name: str, role: str, **arguments: Any) -> dict[str, Any]:
    alone = role == "unrouted"
    bound = [{"exchange": "events", "routingKey": "lamp.lit"}]
    return {
        "address": name,
        "description": f"A {role} queue.",
        "bindings": {"amqp": {"is": "queue", "queue": {"name": name}}},
        "x-role": role,
        "x-consumer": None if alone else "lamps.count",
        "x-arguments": arguments,
        "x-bindings": bound if role == "main" else [],
    }


ASYNCAPI_DOCUMENT: Final = {
    "channels": {
        "lamp.lit": {
            "address": "lamp.lit",
            "bindings": {"amqp": {"is": "routingKey", "exchange": {"name": "events"}}},
        },
        "queue.nobodys": _queue("nobodys", "unrouted"),
        "queue.lamps.count.dead": _queue("lamps.count.dead", "dead"),
        "queue.lamps.count.retry.60000ms": _queue(
            "lamps.count.retry.60000ms", "retry", **{"x-message-ttl": 60000}
        ),
        "queue.lamps.count.retry.1000ms": _queue(
            "lamps.count.retry.1000ms", "retry", **{"x-message-ttl": 1000}
        ),
        "queue.lamps.count": _queue("lamps.count", "main"),
    },
    "operations": {
        "lamps.receives.count": {
            "action": "receive",
            "channel": {"$ref": "#/channels/queue.lamps.count"},
            "summary": "Lamps counts.",
            "x-policy": {
                "immediate_retries": 2,
                "delays": [1, 60],
                "timeout": 0.5,
                "never_retry": ["builtins.ValueError"],
                "ordered": False,
                "concurrency": 10,
            },
        }
    },
    "x-exchanges": {"events": {"type": "topic", "arguments": {"alternate": "nobodys"}}},
}

OPENAPI_DOCUMENT: Final = {
    "openapi": "3.1.0",
    "info": {"title": "Lamps", "version": "1.2.3", "description": "All the lamps."},
    "paths": {
        "/lamps/{lamp_id}": {
            "parameters": [
                {
                    "name": "lamp_id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "maxLength": 9},
                }
            ],
            "put": {
                "operationId": "put_lamp",
                "summary": "Replace a lamp",
                "description": "All of it.",
                "security": [{"bearer": []}],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/LampCreateDTO"}
                        }
                    }
                },
                "responses": {
                    "200": {
                        "description": "Done.",
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/Lamp"}
                            }
                        },
                    },
                    "409": {
                        "description": "No.",
                        "content": {
                            "application/problem+json": {
                                "schema": {"$ref": "#/components/schemas/Problem"},
                                "examples": {
                                    "bulb_broken": {"value": {"code": "bulb_broken"}},
                                    "not_found": {"value": {"code": "not_found"}},
                                },
                            }
                        },
                    },
                },
            },
        }
    },
    "components": {
        "schemas": {
            "Lamp": {"type": "object", "properties": {"id": {"type": "string"}}},
            "LampCreateDTO": {"type": "object"},
            "Problem": {"type": "object", "properties": {"code": {"type": "string"}}},
        }
    },
}


def _version(path: str) -> dict[str, str]:
    return {"schema": path, "vectors": vectors_of(path), "payload": "LampLitPayload"}


def _dto(path: str, direction: str) -> dict[str, str]:
    return {
        "schema": path,
        "vectors": vectors_of(path),
        "direction": direction,
        "target": "//shared/dtos:lamp",
    }


MANIFEST_DOCUMENT: Final = {
    "format": FORMAT,
    "dtos": {
        "ColorDTO": _dto(_COLOR, "both"),
        "LampCreateDTO": _dto(_LAMP, "request"),
        "Mood": _dto(_MOOD, "response"),
    },
    "events": {
        "lamp.lit": {
            "versions": {"1": _version(_LIT_1), "2": _version(_LIT_2)},
            "lifted_from": [1],
            "aggregate_key": "lamp_id",
            "target": "//shared/events:lamp",
            "producers": ["lamps"],
            "consumers": ["lamps.count"],
        }
    },
    "services": {
        "lamps": {
            "openapi": "openapi/lamps.json",
            "target": "//examples/lamps:contract",
            "publishes": ["lamp.lit"],
            "consumes": {"lamps.count": ["lamp.lit"]},
        }
    },
    "validated_by": [
        {"schema": _LAMP, "pointer": "/properties/watts", "by": ["is_sold"]}
    ],
}

PACKAGES: Final = (
    Package("logging", 0, frozenset(), frozenset()),
    Package(
        "errors",
        1,
        frozenset(),
        frozenset({"logging"}),
        (
            PublicTarget("//shared/errors", ()),
            PublicTarget("//shared/errors:handlers", ("fastapi",)),
        ),
    ),
    Package("app", 6, frozenset({"errors", "logging"}), frozenset()),
    Package("testing", None, frozenset({"errors"}), frozenset()),
)


def documents() -> dict[str, Any]:
    """Every file of the bundle, by path."""
    vectors = {
        vectors_of(path): {"valid": [{"name": "one", "document": {"path": path}}]}
        for path in SCHEMAS
        if path != ENVELOPE
    }
    return {
        MANIFEST: MANIFEST_DOCUMENT,
        ERRORS: ERRORS_DOCUMENT,
        ASYNCAPI: ASYNCAPI_DOCUMENT,
        "openapi/lamps.json": OPENAPI_DOCUMENT,
        **SCHEMAS,
        **vectors,
    }


def write(folder: Path, *, without: Iterable[str] = ()) -> Path:
    """Write the bundle into *folder*."""
    for path, document in documents().items():
        if path not in without:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(to_text(document), encoding="utf-8")
    return folder


def bundle(folder: Path) -> Bundle:
    """The bundle, written into *folder* and read from there."""
    return Bundle.load(write(folder), "sample")
