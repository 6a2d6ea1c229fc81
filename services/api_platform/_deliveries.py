"""The schemas of what webhooks are sent: one for each type of event that is offered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.api_platform.webhooks import OFFERED, PING
from shared.events import PLATFORM_EVENTS

BODY: Final = "WebhookDelivery"
"""The name of the schema of any of them."""

_PLACE: Final = "#/components/schemas/"
_WRITTEN: Final[JsonSchemaMode] = "serialization"
_PING_PAYLOAD: Final = "WebhookPingPayload"


def delivery_schemas() -> dict[str, dict[str, Any]]:
    """Schemas by their names: a union of deliveries, deliveries, and their payloads.

    They say what is written, so every member of a payload is required. Receivers pass
    over members that they don't know: there may be more of them in future.
    """
    payloads = dict(_payloads())
    _, made = models_json_schema(
        [(cls, _WRITTEN) for cls in payloads.values()],
        ref_template=f"{_PLACE}{{model}}",
    )
    names = {each: cls.__name__ for each, cls in payloads.items()}
    names[PING] = _PING_PAYLOAD
    titles = {
        each: f"{name.removesuffix('Payload')}Delivery" for each, name in names.items()
    }
    return {
        **{name: _open(schema) for name, schema in made["$defs"].items()},
        _PING_PAYLOAD: _ping(),
        **{titles[each]: _delivery(titles[each], each, names[each]) for each in names},
        BODY: {
            "title": BODY,
            "description": "What a webhook is sent: an event that it hears of, or a "
            "ping.",
            "oneOf": [{"$ref": _PLACE + title} for title in titles.values()],
            "discriminator": {
                "propertyName": "type",
                "mapping": {each: _PLACE + title for each, title in titles.items()},
            },
        },
    }


def _payloads() -> Iterator[tuple[str, type[BaseModel]]]:
    """The classes of payloads by the type of their event."""
    for event_type in OFFERED:
        event = PLATFORM_EVENTS.find(event_type)
        fields = event.model_fields if event else {}
        payload = fields["payload"].annotation
        if isinstance(payload, type) and issubclass(payload, BaseModel):
            yield event_type, payload


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in schema.items() if key != "additionalProperties"
    }


def _ping() -> dict[str, Any]:
    return {
        "type": "object",
        "title": _PING_PAYLOAD,
        "description": "Which webhook was pinged.",
        "properties": {"webhook_id": {"type": "string", "format": "uuid"}},
        "required": ["webhook_id"],
    }


def _delivery(title: str, event_type: str, payload: str) -> dict[str, Any]:
    return {
        "type": "object",
        "title": title,
        "properties": {
            "type": {"type": "string", "const": event_type},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened, in UTC.",
            },
            "data": {"$ref": _PLACE + payload},
        },
        "required": ["type", "timestamp", "data"],
    }
