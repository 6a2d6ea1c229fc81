"""A bundle that has one of everything, for changes to be made to."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from tools.contracts.bundle import ASYNCAPI, BASE, ENVELOPE, ERRORS, MANIFEST, Bundle
from tools.contracts.compat.finding import Surface
from tools.contracts.compat.tests.changes import Documents, Edit

ASK: Final = "dtos/AskDTO.schema.json"
REPLY: Final = "dtos/ReplyDTO.schema.json"
COLOUR: Final = "dtos/Colour.schema.json"
MADE: Final = "events/thing.made.v1.schema.json"
OPENAPI: Final = "openapi/shop.json"

OF_SURFACE: Final = {Surface.REQUEST: ASK, Surface.RESPONSE: REPLY, Surface.EVENT: MADE}
"""Where a schema stands that is read or written in one way only."""

_EMPTY: Final[Any] = {"type": "object", "properties": {}}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def documents() -> Documents:
    """The documents of the small bundle, to change."""
    return deepcopy(_DOCUMENTS)


def bundle_of(name: str, *edits: Edit) -> Bundle:
    """The small bundle after some changes."""
    changed = documents()
    for edit in edits:
        edit(changed)
    manifest = changed.pop(MANIFEST)
    return Bundle(name, Path(), manifest, changed)


def schema(body: dict[str, Any]) -> Edit:
    """Puts an object's schema where requests, responses and events have it."""

    def edit(found: Documents) -> None:
        for path in (ASK, REPLY):
            found[path] |= deepcopy(body)
        found[MADE]["$defs"]["ThingMadePayload"] = deepcopy(body)
        # One definition for all: where a $ref of the body leads.
        definitions = body.get("$defs")
        if definitions is not None:
            del found[MADE]["$defs"]["ThingMadePayload"]["$defs"]
            found[MADE]["$defs"] |= deepcopy(definitions)

    return edit


def _dto(path: str, direction: str, body: dict[str, Any]) -> dict[str, Any]:
    name = path.removeprefix("dtos/").removesuffix(".schema.json")
    return {
        "$schema": _DIALECT,
        "$id": BASE + path,
        "title": name,
        "x-direction": direction,
        **body,
    }


def _entry(path: str, direction: str) -> dict[str, Any]:
    return {
        "schema": path,
        "vectors": "vectors/none.json",
        "direction": direction,
        "target": "//shared/dtos:shop",
    }


_ENVELOPE: Final[Any] = {
    "$schema": _DIALECT,
    "$id": BASE + ENVELOPE,
    "title": "envelope",
    "type": "object",
    "properties": {
        "event_id": {"$ref": "#/$defs/event_id"},
        "event_type": {"type": "string", "maxLength": 255},
        "schema_version": {"type": "integer", "minimum": 1},
    },
    "required": ["event_id", "event_type"],
    "$defs": {"event_id": {"type": "string", "format": "uuid"}},
}

_MADE: Final[Any] = {
    "$schema": _DIALECT,
    "$id": BASE + MADE,
    "title": "thing.made",
    "type": "object",
    "properties": {
        "event_id": {"$ref": "envelope.schema.json#/$defs/event_id"},
        "event_type": {"const": "thing.made"},
        "schema_version": {"const": 1},
        "payload": {"$ref": "#/$defs/ThingMadePayload"},
    },
    "required": ["event_id", "event_type", "payload"],
    "x-written": ["event_id", "event_type", "schema_version", "payload"],
    "$defs": {"ThingMadePayload": _EMPTY},
}

_PROBLEM: Final[Any] = {
    "description": "Refused.",
    "content": {
        "application/problem+json": {
            "schema": {"type": "object", "properties": {"code": {"type": "string"}}},
            "examples": {"not_found": {"value": {"status": 404, "code": "not_found"}}},
        }
    },
}

_OPENAPI: Final[Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1.0.0"},
    "servers": [{"url": "/shop"}],
    "security": [{"bearer": []}],
    "paths": {
        "/things/{thing_id}": {
            "get": {
                "operationId": "things.get",
                "summary": "Get a thing.",
                "parameters": [
                    {
                        "name": "thing_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    },
                    {
                        "name": "fields",
                        "in": "query",
                        "schema": {"type": "string", "maxLength": 100},
                    },
                ],
                "responses": {
                    "200": {
                        "description": "The thing.",
                        "headers": {
                            "ETag": {"required": True, "schema": {"type": "string"}}
                        },
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/Thing"}
                            }
                        },
                    },
                    "404": _PROBLEM,
                },
            },
        },
        "/things": {
            "post": {
                "operationId": "things.make",
                "summary": "Make a thing.",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/NewThing"}
                        }
                    },
                },
                "responses": {"201": {"description": "Made."}},
            }
        },
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "properties": {"size": {"type": "integer", "maximum": 10}},
                "required": ["size"],
            },
            "NewThing": {
                "type": "object",
                "properties": {"size": {"type": "integer", "maximum": 10}},
                "required": ["size"],
            },
        },
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        },
    },
}


def _error(code: str, status: int) -> dict[str, Any]:
    return {
        "code": code,
        "status": status,
        "other_statuses": [],
        "title": "Title",
        "type": "about:blank",
        "when": "Always.",
        "package": "shared.errors",
    }


_ERRORS: Final[Any] = {
    "problem": {
        "$schema": _DIALECT,
        "type": "object",
        "properties": {"code": {"type": "string"}, "status": {"type": "integer"}},
        "required": ["code", "status"],
    },
    "kernel": [_error("not_found", 404), _error("conflict", 409)],
    "services": {"shop": [_error("sold_out", 409)]},
}


def _queue(name: str, role: str, arguments: dict[str, Any]) -> dict[str, Any]:
    main = role == "main"
    return {
        "address": name,
        "title": name,
        "description": "A queue.",
        "messages": {"thing.made.v1": {"$ref": "#/components/messages/thing.made.v1"}},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                },
                "bindingVersion": "0.3.0",
            }
        },
        "x-role": role,
        "x-consumer": "shop.count",
        "x-arguments": {"x-queue-type": "quorum", **arguments},
        "x-bindings": [{"exchange": "creativeflow.events", "routingKey": "thing.made"}]
        if main
        else [],
    }


def _reference(*tokens: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(tokens)}


_ASYNCAPI: Final[Any] = {
    "asyncapi": "3.0.0",
    "id": BASE + ASYNCAPI,
    "info": {"title": "Events", "version": "0.0.0", "description": "All of them."},
    "defaultContentType": "application/json",
    "servers": {"rabbitmq": {"host": "{host}", "protocol": "amqp"}},
    "channels": {
        "thing.made": {
            "address": "thing.made",
            "title": "thing.made",
            "description": "A thing was made.",
            "messages": {
                "thing.made.v1": _reference("components", "messages", "thing.made.v1")
            },
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {
                        "name": "creativeflow.events",
                        "type": "topic",
                        "durable": True,
                        "autoDelete": False,
                    },
                    "bindingVersion": "0.3.0",
                }
            },
        },
        "queue.shop.count": _queue("shop.count", "main", {"x-delivery-limit": 20}),
        "queue.shop.count.retry.1000ms": _queue(
            "shop.count.retry.1000ms", "retry", {"x-message-ttl": 1000}
        ),
        "queue.shop.count.dead": _queue("shop.count.dead", "dead", {}),
    },
    "operations": {
        "shop.sends.thing.made": {
            "action": "send",
            "channel": _reference("channels", "thing.made"),
            "summary": "Shop publishes thing.made.",
            "messages": [
                _reference("channels", "thing.made", "messages", "thing.made.v1")
            ],
            "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": "0.3.0"}},
        },
        "shop.receives.count": {
            "action": "receive",
            "channel": _reference("channels", "queue.shop.count"),
            "summary": "Shop handles thing.made in count.",
            "messages": [
                _reference("channels", "queue.shop.count", "messages", "thing.made.v1")
            ],
            "bindings": {"amqp": {"ack": True, "bindingVersion": "0.3.0"}},
            "x-policy": {"delays": [1.0], "ordered": False, "concurrency": 10},
        },
    },
    "components": {
        "messages": {
            "thing.made.v1": {
                "name": "thing.made.v1",
                "title": "ThingMade",
                "summary": "A thing was made.",
                "contentType": "application/json",
                "headers": _reference("components", "schemas", "headers"),
                "payload": {"$ref": MADE},
            }
        },
        "schemas": {
            "headers": {
                "type": "object",
                "properties": {"correlation_id": {"type": "string"}},
                "required": ["correlation_id"],
            }
        },
    },
    "x-exchanges": {
        "creativeflow.events": {"type": "topic", "durable": True, "arguments": {}}
    },
}

_DOCUMENTS: Final[Documents] = {
    MANIFEST: {
        "format": 1,
        "dtos": {
            "AskDTO": _entry(ASK, "request"),
            "ReplyDTO": _entry(REPLY, "response"),
            "Colour": _entry(COLOUR, "both"),
        },
        "events": {
            "thing.made": {
                "versions": {
                    "1": {
                        "schema": MADE,
                        "vectors": "vectors/none.json",
                        "payload": "ThingMadePayload",
                    }
                },
                "lifted_from": [],
                "aggregate_key": "thing_id",
                "target": "//shop:events",
                "producers": ["shop"],
                "consumers": ["shop.count"],
            }
        },
        "services": {
            "shop": {
                "openapi": OPENAPI,
                "target": "//shop:contract",
                "publishes": ["thing.made"],
                "consumes": {"shop.count": ["thing.made"]},
            }
        },
        "validated_by": [],
    },
    ASK: _dto(ASK, "request", _EMPTY),
    REPLY: _dto(REPLY, "response", _EMPTY),
    COLOUR: _dto(COLOUR, "both", {"type": "string", "enum": ["red", "green"]}),
    ENVELOPE: _ENVELOPE,
    MADE: _MADE,
    OPENAPI: _OPENAPI,
    ERRORS: _ERRORS,
    ASYNCAPI: _ASYNCAPI,
}
