"""Events as documents: the envelope once, each payload in its version."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from shared.events import PLATFORM_EVENTS, BaseEvent, EventPayload, EventType
from tools.contracts.bundle import ENVELOPE
from tools.contracts.events import event_documents


class _PaidPayload(EventPayload):
    aggregate_key = "invoice_id"

    invoice_id: UUID
    note: str | None = None


class _Paid(BaseEvent[_PaidPayload]):
    """An invoice was paid.

    More, for who reads the code.
    """

    event_type: Literal["invoice.paid"] = "invoice.paid"
    schema_version: Literal[2] = 2


def test_every_event_of_the_platform_has_a_document() -> None:
    """One a version, and one for what they share."""
    documents, _ = event_documents(PLATFORM_EVENTS)

    wanted = {f"events/{name}.v1.schema.json" for name in EventType}
    assert documents.keys() == wanted | {ENVELOPE}


def test_a_document_fixes_type_and_version_and_shares_the_rest() -> None:
    """What is common stands in the envelope's document."""
    documents, _ = event_documents([_Paid])
    document = documents["events/invoice.paid.v2.schema.json"]

    members = document["properties"]
    assert document["title"] == "invoice.paid"
    assert document["description"] == "An invoice was paid."
    assert members["event_type"] == {"type": "string", "const": "invoice.paid"}
    assert members["schema_version"] == {"type": "integer", "const": 2}
    assert members["timestamp"] == {"$ref": "envelope.schema.json#/$defs/timestamp"}
    assert members["payload"] == {"$ref": "#/$defs/_PaidPayload"}
    assert document["x-aggregate-key"] == "invoice_id"


def test_members_have_the_order_of_the_wire() -> None:
    """So that an example reads like an event."""
    documents, _ = event_documents([_Paid])
    document = documents["events/invoice.paid.v2.schema.json"]

    assert list(document["properties"]) == list(_Paid.model_fields)
    assert document["x-written"] == list(_Paid.model_fields)


def test_a_version_may_be_absent_only_from_the_first() -> None:
    """An event without one is of version 1."""
    first, second = (
        event_documents([event])[0][path]["required"]
        for event, path in (
            (PLATFORM_EVENTS.find("user.registered"), _V1),
            (_Paid, "events/invoice.paid.v2.schema.json"),
        )
        if event is not None
    )

    assert "schema_version" not in first
    assert "schema_version" in second


_V1 = "events/user.registered.v1.schema.json"


def test_the_envelope_takes_any_event() -> None:
    """A consumer in another language can read what it has no class for."""
    documents, _ = event_documents([])
    envelope = documents[ENVELOPE]

    assert envelope["properties"]["payload"] == {}
    assert envelope["$defs"]["event_type"]["maxLength"] == 255
    assert envelope["required"] == [
        "event_id",
        "event_type",
        "correlation_id",
        "timestamp",
        "payload",
    ]
