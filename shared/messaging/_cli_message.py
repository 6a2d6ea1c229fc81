"""A message as the command line sees it: what is shown, what is sent again.

Private: used by ``shared.messaging.cli`` only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pamqp.commands import Basic

from shared.events import EventFormatError, UnknownEvent
from shared.messaging._history import (
    ATTEMPTS,
    CONSUMER,
    DIED_AT,
    DIGEST,
    ERROR,
    OWN_HEADERS,
    REASON,
)
from shared.messaging._message import CORRELATION_ID, JSON, IncomingMessage, read_event
from shared.messaging._rabbit_consumer import ROUTING_KEY, is_brokers_own
from shared.messaging._rabbit_frames import Packet, Properties

REPLAYED_AT: Final = "x-replayed-at"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that lies in a queue, in hand for the moment."""

    tag: int
    exchange: str
    routing_key: str
    properties: Basic.Properties
    headers: Mapping[str, Any]
    body: bytes

    @classmethod
    def of(
        cls,
        tag: int | None,
        exchange: str | None,
        routing_key: str | None,
        properties: Basic.Properties,
        body: bytes,
    ) -> Message:
        """Take what a broker gave."""
        headers = properties.headers or {}
        return cls(
            tag or 0, exchange or "", routing_key or "", properties, headers, body
        )

    @property
    def event_type(self) -> str | None:
        """The type: the routing key that it was first published with."""
        known = _text(self.headers.get(ROUTING_KEY))
        if known or self.exchange:
            return known or self.routing_key
        # It was put into this queue itself, and the key is the name of the queue.
        return self.properties.message_type or _published_with(self.headers)

    @property
    def reason(self) -> str | None:
        """Why it is a dead letter."""
        reason = self.headers.get(REASON, self.headers.get("x-first-death-reason"))
        return _text(reason)

    @property
    def died_at(self) -> datetime | None:
        """When it became a dead letter."""
        text = self.headers.get(DIED_AT)
        if isinstance(text, str):
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                return None
            return moment if moment.tzinfo else None
        time = _first_death(self.headers).get("time")
        return _aware(time) if isinstance(time, datetime) else None

    @property
    def moment(self) -> datetime | None:
        """When it died or, if it did not, was published."""
        return self.died_at or _aware(self.properties.timestamp)

    def facts(self) -> dict[str, str | None]:
        """What filters ask for."""
        correlation = self.headers.get(CORRELATION_ID, self.properties.correlation_id)
        return {
            "id": _text(self.properties.message_id),
            "type": self.event_type,
            "reason": self.reason,
            "error": _text(self.headers.get(ERROR)),
            "digest": _text(self.headers.get(DIGEST)),
            "correlation": _text(correlation),
        }

    def told(self) -> dict[str, Any]:
        """What is shown without its body."""
        facts = self.facts()
        attempts = self.headers.get(ATTEMPTS)
        died_at, published = self.died_at, _aware(self.properties.timestamp)
        return {
            "id": facts["id"],
            "type": facts["type"],
            "consumer": _text(self.headers.get(CONSUMER)),
            "attempts": attempts if isinstance(attempts, int) else None,
            "reason": facts["reason"],
            "error": facts["error"],
            "digest": facts["digest"],
            "died_at": None if died_at is None else died_at.isoformat(),
            "published_at": None if published is None else published.isoformat(),
            "replayed_at": _text(self.headers.get(REPLAYED_AT)),
            "correlation_id": facts["correlation"],
            "bytes": len(self.body),
        }

    def shown_body(self) -> str | None:
        """The event with its secrets masked; None if nobody here knows its secrets."""
        # Here, since its types take their time and are not everybody's.
        from shared.events import PLATFORM_EVENTS

        incoming = IncomingMessage(
            self.body, self.properties.content_type or JSON, self.headers
        )
        try:
            event = read_event(incoming, PLATFORM_EVENTS)
        except EventFormatError:
            return None
        if isinstance(event, UnknownEvent):
            return None
        # Not mode="json", which is the one that reveals.
        return json.dumps(event.model_dump(), default=str, ensure_ascii=False)

    def raw_body(self) -> str:
        """The body as it is, as far as it is text."""
        return self.body.decode(errors="backslashreplace")

    def again(self, exchange: str, routing_key: str, now: datetime) -> Packet:
        """The same message without its past, to be published.

        Neither its expiration goes along, which would drop it, nor its user, whom the
        broker would take for a lie.

        Raises:
            ValueError: It can't be written.
        """
        headers = {
            name: value
            for name, value in self.headers.items()
            if name not in OWN_HEADERS and not is_brokers_own(name)
        }
        if exchange:
            headers.pop(ROUTING_KEY, None)  # it is published with it again
        headers[REPLAYED_AT] = now.isoformat()
        own = self.properties
        properties = Properties(
            content_type=own.content_type,
            content_encoding=own.content_encoding,
            headers=headers,
            priority=own.priority,
            correlation_id=own.correlation_id,
            reply_to=own.reply_to,
            message_id=own.message_id,
            timestamp=_aware(own.timestamp),
            type=own.message_type,
            app_id=own.app_id,
        )
        return Packet.of(exchange, routing_key, properties, self.body)


def printable(text: str) -> str:
    """*text* without what a terminal would obey."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def _first_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """RabbitMQ's note on the first queue that gave it up; the latest come first."""
    deaths = headers.get("x-death")
    found = deaths[-1] if isinstance(deaths, list) and deaths else None
    return found if isinstance(found, Mapping) else {}


def _published_with(headers: Mapping[str, Any]) -> str | None:
    death = _first_death(headers)
    keys = death.get("routing-keys")
    if isinstance(keys, list) and keys and death.get("exchange"):
        return _text(keys[0])
    return None


def _text(value: object) -> str | None:
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="backslashreplace")
    return None if value is None or value == "" else str(value)


def _aware(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
