"""Events as messages: what is written, and what is read again.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from shared.events import (
    MAX_EVENT_BYTES,
    BaseEvent,
    EventRegistry,
    UnknownEvent,
)
from shared.events.cloudevents import (
    AMQP_PREFIX,
    from_message,
    is_cloudevent,
    to_binary,
    to_structured,
)
from shared.logging import trace_context_var
from shared.messaging._delivery import current_delivery
from shared.messaging._errors import EventTooLargeError

JSON: Final = "application/json"

# Headers of ours, in every mode, for who looks at a message without reading it.
CAUSATION_ID: Final = "causation_id"
CORRELATION_ID: Final = "correlation_id"
SCHEMA_VERSION: Final = "schema_version"
TRACEPARENT: Final = "traceparent"


class Wire(StrEnum):
    """How events are written. All of these are read, whatever is written."""

    ENVELOPE = "envelope"
    """The kernel's own envelope."""
    CLOUDEVENTS_STRUCTURED = "cloudevents-structured"
    """CloudEvents 1.0, all of it in the body."""
    CLOUDEVENTS_BINARY = "cloudevents-binary"
    """CloudEvents 1.0, the payload in the body and the rest in headers."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """An event on its way to a broker: bytes, and what must be known without them."""

    event_id: UUID
    event_type: str
    """Also the routing key."""
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    """``correlation_id`` and, where there are any, ``causation_id`` and
    ``traceparent`` among them."""
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it happened."""
    aggregate_id: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message as it came, before anybody knows whether it is an event.

    Attributes:
        body: As it was sent.
        content_type: The broker's property, which headers need not repeat.
        headers: As the broker has them, ours and those of others.
        event_type: The routing key it was first published with.
        message_id: Of the sender.
        redelivered: It was delivered before, to somebody who did not settle it.
        tag: How the bus that made this knows it again.
    """

    body: bytes
    content_type: str = JSON
    headers: Mapping[str, Any] = field(default_factory=dict)
    event_type: str = ""
    message_id: str = ""
    redelivered: bool = False
    tag: Any = None


class MessageWriter:
    """Writes events as messages.

    An event that is published while a handler runs, and says nothing of its cause, is
    caused by the event that is handled.

    Args:
        wire: The mode that is written.
        source: Who writes, for CloudEvents: a URI reference, such as ``/accounts``.
        max_bytes: How large a body may be; what readers read, unless told otherwise.

    Raises:
        ValueError: There is no *source* for CloudEvents, or it is none; or *max_bytes*
            is not positive.
    """

    def __init__(
        self,
        *,
        wire: Wire = Wire.ENVELOPE,
        source: str | None = None,
        max_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        wire = Wire(wire)
        if wire is not Wire.ENVELOPE and source is None:
            raise ValueError(
                f"source must be given for {wire.value}, such as /accounts."
            )
        if source is not None:  # written now, so that a wrong one is refused now
            to_structured(UnknownEvent(event_type="a.b", payload={}), source=source)
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be positive (got {max_bytes}).")
        self.wire = wire
        self._source = source or "/"
        self._max_bytes = max_bytes

    def write(self, event: BaseEvent[Any]) -> OutgoingMessage:
        """The message that says *event*.

        Raises:
            EventTooLargeError: Readers would refuse it.
            ValueError: A part of the payload has no form in JSON.
            TypeError: *event* is none.
        """
        if not isinstance(event, BaseEvent):
            raise TypeError(
                f"An event must be a BaseEvent (got {type(event).__name__})."
            )
        event = _with_cause(event)
        headers = {
            CORRELATION_ID: event.correlation_id,
            SCHEMA_VERSION: str(event.schema_version),
        }
        if event.causation_id is not None:
            headers[CAUSATION_ID] = str(event.causation_id)
        trace = trace_context_var.get()
        if trace is not None:
            headers[TRACEPARENT] = trace.traceparent
        content_type = JSON
        if self.wire is Wire.ENVELOPE:
            body = event.encode()
        elif self.wire is Wire.CLOUDEVENTS_STRUCTURED:
            own, body = to_structured(event, source=self._source)
            content_type = own["content-type"]
        else:
            own, body = to_binary(event, source=self._source, prefix=AMQP_PREFIX)
            content_type = own.pop("content-type")
            headers |= own
        if len(body) > self._max_bytes:
            raise EventTooLargeError(
                f"{event.event_type} {event.event_id} has {len(body)} bytes; an event "
                f"may have {self._max_bytes}. Store what is large and send its address."
            )
        return OutgoingMessage(
            event_id=event.event_id,
            event_type=event.event_type,
            body=body,
            content_type=content_type,
            headers=headers,
            timestamp=event.timestamp,
            aggregate_id=event.aggregate_id,
        )


def _with_cause(event: BaseEvent[Any]) -> BaseEvent[Any]:
    delivery = current_delivery()
    if (
        delivery is None
        or event.causation_id is not None
        or event.event_id == delivery.event.event_id
        or isinstance(event, UnknownEvent)  # its bytes are to stay as they came
    ):
        return event
    return event.model_copy(update={"causation_id": delivery.event.event_id})


def read_event(
    message: IncomingMessage,
    registry: EventRegistry,
    *,
    max_bytes: int = MAX_EVENT_BYTES,
) -> BaseEvent[Any]:
    """The event that *message* is, in whichever mode it was written.

    Raises:
        EventFormatError: It is none, and never will be.
    """
    if message.content_type == JSON and not _may_be_cloudevent(message.headers):
        return registry.parse(message.body, max_bytes=max_bytes)
    headers = {
        name: value
        for name, value in message.headers.items()
        if isinstance(value, str | bytes | int | float | datetime)
    }
    headers["content-type"] = message.content_type
    if is_cloudevent(headers):
        return from_message(
            headers, message.body, registry=registry, max_bytes=max_bytes
        )
    return registry.parse(message.body, max_bytes=max_bytes)


def _may_be_cloudevent(headers: Mapping[str, Any]) -> bool:
    return any(name[:2].lower() in ("cl", "ce") for name in headers)
