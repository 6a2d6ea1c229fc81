"""Cost of one event: written as JSON, and read and validated again.

An order with three lines, in an envelope. The baseline is the same model in plain
pydantic, written and read by its own JSON functions; the kernel's event adds finding
the class by its type, the checks on the bytes, and the envelope's own rules.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_structured_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from pydantic import BaseModel, ConfigDict, Field

from benchmarks import _harness as harness
from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.events.cloudevents import from_message, to_structured

BASE = "pydantic, model_dump_json and model_validate_json"
SDK = "cloudevents SDK and pydantic"

HEADERS = {"content-type": "application/cloudevents+json"}
TYPE = "order.placed"
EVENT_ID, ORDER_ID, CUSTOMER_ID = (UUID(int=2**120 + n) for n in range(3))
CORRELATION_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
NOW = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)
LINES = [
    {"sku": f"SKU-{n:05d}", "quantity": n + 1, "unit_price": 9.95 + n} for n in range(3)
]
ADDRESS = {
    "street": "12 Harbour Road",
    "city": "Utrecht",
    "postcode": "3511 AB",
    "country": "NL",
}


class Codec(NamedTuple):
    """One way to write an event and read it again."""

    event: Any
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Line(BaseModel):
    sku: str = Field(min_length=1, max_length=40)
    quantity: int = Field(gt=0)
    unit_price: float = Field(ge=0)


class _Address(BaseModel):
    street: str
    city: str
    postcode: str
    country: str = Field(min_length=2, max_length=2)


class _Order(BaseModel):
    order_id: UUID
    customer_id: UUID
    placed_at: datetime
    currency: str = Field(min_length=3, max_length=3)
    total: float
    channel: Literal["web", "app", "phone"]
    express: bool
    note: str | None = None


class PlainLine(_Line, _Frozen):
    """A line of the order in plain pydantic."""


class PlainAddress(_Address, _Frozen):
    """Where it goes, in plain pydantic."""


class PlainPayload(_Order, _Frozen):
    """The payload in plain pydantic."""

    lines: tuple[PlainLine, ...] = Field(min_length=1)
    ship_to: PlainAddress


class PlainEvent(_Frozen):
    """The same envelope in plain pydantic."""

    event_id: UUID
    event_type: Literal["order.placed"]
    correlation_id: str
    timestamp: datetime
    payload: PlainPayload
    schema_version: int = Field(ge=1)
    causation_id: UUID | None


class OrderLine(_Line, EventPayload):
    """A line of the order as a service of the kernel writes it."""


class OrderAddress(_Address, EventPayload):
    """Where it goes, as a service of the kernel writes it."""


class OrderPlacedPayload(_Order, EventPayload):
    """The payload as a service of the kernel writes it."""

    lines: tuple[OrderLine, ...] = Field(min_length=1)
    ship_to: OrderAddress


class OrderPlaced(BaseEvent[OrderPlacedPayload]):
    """The event as a service of the kernel writes it."""

    event_type: Literal["order.placed"] = "order.placed"


class PackedLine(msgspec.Struct, frozen=True):
    """The floor: msgspec, a compiled codec with fewer rules."""

    sku: str
    quantity: int
    unit_price: float


class PackedAddress(msgspec.Struct, frozen=True):
    """Where it goes, in msgspec."""

    street: str
    city: str
    postcode: str
    country: str


class PackedPayload(msgspec.Struct, frozen=True):
    """The payload in msgspec."""

    order_id: UUID
    customer_id: UUID
    placed_at: datetime
    currency: str
    lines: list[PackedLine]
    ship_to: PackedAddress
    total: float
    channel: Literal["web", "app", "phone"]
    express: bool
    note: str | None = None


class PackedEvent(msgspec.Struct, frozen=True):
    """The envelope in msgspec."""

    event_id: UUID
    event_type: Literal["order.placed"]
    correlation_id: str
    timestamp: datetime
    payload: PackedPayload
    schema_version: int
    causation_id: UUID | None


PAYLOAD: dict[str, Any] = {
    "order_id": ORDER_ID,
    "customer_id": CUSTOMER_ID,
    "placed_at": NOW,
    "currency": "EUR",
    "lines": LINES,
    "ship_to": ADDRESS,
    "total": 71.6,
    "channel": "web",
    "express": False,
    "note": "ring twice",
}
ENVELOPE: dict[str, Any] = {
    "event_id": EVENT_ID,
    "event_type": TYPE,
    "correlation_id": CORRELATION_ID,
    "timestamp": NOW,
    "payload": PAYLOAD,
    "schema_version": 1,
    "causation_id": None,
}


def codecs() -> dict[str, Codec]:
    """Every row, with its event built."""
    registry = EventRegistry([OrderPlaced])
    ours = OrderPlaced.model_validate(ENVELOPE)
    plain = PlainEvent.model_validate(ENVELOPE)
    packed = msgspec.convert(ENVELOPE, PackedEvent, from_attributes=True)
    writer, reader = msgspec.json.Encoder(), msgspec.json.Decoder(PackedEvent)
    cloud = CloudEvent(
        attributes={
            "id": str(EVENT_ID),
            "source": "/orders",
            "type": TYPE,
            "time": NOW,
            "specversion": "1.0",
            "datacontenttype": "application/json",
            "correlationid": CORRELATION_ID,
        },
        data=json.loads(plain.payload.model_dump_json()),
    )

    def sdk_write(event: CloudEvent) -> bytes:
        body: bytes = to_structured_event(event).body
        return body

    def sdk_read(raw: bytes) -> PlainPayload:
        message = HTTPMessage(headers=HEADERS, body=raw)
        return PlainPayload.model_validate(from_structured_event(message).get_data())

    return {
        "kernel": Codec(ours, OrderPlaced.encode, registry.parse),
        BASE: Codec(
            plain,
            lambda event: event.model_dump_json().encode(),
            PlainEvent.model_validate_json,
        ),
        "floor: msgspec": Codec(packed, writer.encode, reader.decode),
        "kernel, CloudEvents": Codec(
            ours,
            lambda event: to_structured(event, source="/orders").body,
            lambda raw: from_message(HEADERS, raw, registry=registry),
        ),
        SDK: Codec(cloud, sdk_write, sdk_read),
    }


def loop_of(codec: Codec) -> harness.Loop:
    """Write and read."""

    def loop(count: int) -> None:
        event, encode, decode = codec
        for _ in range(count):
            decode(encode(event))

    return loop


def main() -> None:
    """Check that each row reads what it wrote, measure, print."""
    options = harness.parse(__doc__ or "", rounds=9)
    rows = codecs()
    for name, codec in rows.items():
        again = codec.decode(codec.encode(codec.event))
        if again != codec.event and name != SDK:
            raise SystemExit(f"{name} does not read what it wrote.")
    samples = harness.measure(
        {name: loop_of(codec) for name, codec in rows.items()}, options.rounds
    )
    sdk = statistics.median(harness.ratios(samples, BASE)[SDK])
    goals = [
        harness.Goal("kernel", 1.15),
        harness.Goal("kernel, CloudEvents", round(sdk / 2, 2)),  # half of the SDK's
    ]
    body = harness.table(samples, BASE, unit="µs an event", goals=goals)
    harness.report("Event", body, "pydantic", "msgspec", "cloudevents")
    harness.save(options.json, {"codec": samples})


if __name__ == "__main__":
    main()
