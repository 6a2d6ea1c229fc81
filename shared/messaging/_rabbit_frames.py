"""Frames of AMQP 0-9-1 as bytes: those of which there are many.

pamqp reads all frames and writes the rare ones. It does not write what it reads in
every case: it refuses bytes, makes single precision of a double and cuts names at 128
bytes. A copy of a message must not lose anything, so headers are written here.

Layout: AMQP 0-9-1, section 4.2; types of table fields as RabbitMQ has them,
https://www.rabbitmq.com/amqp-0-9-1-errata#section_3.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from typing import Any, Final

_METHOD: Final = 1
_HEADER: Final = 2
_BODY: Final = 3
_END: Final = b"\xce"
_FRAME: Final = Struct(">BHI")
_AROUND: Final = _FRAME.size + len(_END)
_BASIC: Final = 60
_PUBLISH: Final = Struct(">HHH").pack(_BASIC, 40, 0)
_MANDATORY: Final = b"\x01"
_ACK: Final = Struct(">BHIHHQBB")
_CONTENT: Final = Struct(">HHQH")
_U32: Final = Struct(">I")
_I64: Final = Struct(">q")
_U64: Final = Struct(">Q")
_DOUBLE: Final = Struct(">d")
_DECIMAL: Final = Struct(">Bi")

_LONGEST_SHORT: Final = 255
_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of a message that are written; see AMQP 0-9-1, class basic."""

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    message_id: str | None = None
    timestamp: datetime | None = None
    type: str | None = None
    app_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """A message, written as far as it can be before its channel is known."""

    exchange: str
    routing_key: str
    message_id: str
    header: bytes
    body: bytes

    @classmethod
    def of(
        cls, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> Packet:
        """Write *properties*.

        Raises:
            ValueError: A part is too long, or of a type that AMQP has not.
        """
        _publish(exchange, routing_key)
        header = content_header(properties, len(body))
        return cls(exchange, routing_key, properties.message_id or "", header, body)

    @property
    def size(self) -> int:
        """About as many bytes as it has on the wire."""
        return len(self.header) + len(self.body)

    def fits(self, frame_max: int) -> bool:
        """Whether its properties go into one frame, as they must."""
        return not frame_max or len(self.header) + _AROUND <= frame_max

    def frames(self, channel: int, frame_max: int) -> list[bytes]:
        """Publish it on *channel*, persistent, and have it back if it has no queue."""
        method = _publish(self.exchange, self.routing_key)
        parts = [_FRAME.pack(_METHOD, channel, len(method)), method, _END]
        parts += (_FRAME.pack(_HEADER, channel, len(self.header)), self.header, _END)
        body, most = self.body, (frame_max or 2**31) - _AROUND
        if len(body) <= most:
            if body:
                parts += (_FRAME.pack(_BODY, channel, len(body)), body, _END)
            return parts
        for start in range(0, len(body), most):
            part = body[start : start + most]
            parts += (_FRAME.pack(_BODY, channel, len(part)), part, _END)
        return parts


def ack(channel: int, tag: int) -> bytes:
    """The frame that acknowledges one delivery."""
    return _ACK.pack(_METHOD, channel, 13, _BASIC, 80, tag, 0, _END[0])


def reject(channel: int, tag: int) -> bytes:
    """The frame that gives one delivery back to its queue."""
    return _ACK.pack(_METHOD, channel, 13, _BASIC, 90, tag, 1, _END[0])


def drop(channel: int, tag: int) -> bytes:
    """The frame that lets its queue make a dead letter of one delivery."""
    return _ACK.pack(_METHOD, channel, 13, _BASIC, 90, tag, 0, _END[0])


def table(fields: Mapping[str, Any]) -> bytes:
    """A field table.

    Raises:
        ValueError: A name is too long, or a value of a type that AMQP has not.
    """
    parts = bytearray(4)
    for name, value in fields.items():
        parts += _short(name)
        if type(value) is str:  # nearly all
            text = value.encode()
            parts += b"S" + _U32.pack(len(text)) + text
        else:
            parts += _value(value)
    _U32.pack_into(parts, 0, len(parts) - 4)
    return bytes(parts)


@lru_cache(maxsize=1024)
def _publish(exchange: str, routing_key: str) -> bytes:
    return _PUBLISH + _short(exchange) + _short(routing_key) + _MANDATORY


def content_header(properties: Properties, size: int) -> bytes:
    """What stands before a body of *size* bytes.

    Raises:
        ValueError: A property is too long, or a header of a type that AMQP has not.
    """
    flags = 1 << 12  # delivery_mode
    parts = []
    if properties.content_type is not None:
        flags |= 1 << 15
        parts.append(_constant(properties.content_type))
    if properties.content_encoding is not None:
        flags |= 1 << 14
        parts.append(_constant(properties.content_encoding))
    if properties.headers is not None:
        flags |= 1 << 13
        parts.append(table(properties.headers))
    parts.append(b"\x02")  # persistent
    if properties.priority is not None:
        flags |= 1 << 11
        parts.append(bytes([properties.priority]))
    if properties.correlation_id is not None:
        flags |= 1 << 10
        parts.append(_short(properties.correlation_id))
    if properties.reply_to is not None:
        flags |= 1 << 9
        parts.append(_short(properties.reply_to))
    if properties.message_id is not None:
        flags |= 1 << 7
        parts.append(_short(properties.message_id))
    if properties.timestamp is not None:
        flags |= 1 << 6
        parts.append(_time(properties.timestamp))
    if properties.type is not None:
        flags |= 1 << 5
        parts.append(_constant(properties.type))
    if properties.app_id is not None:
        flags |= 1 << 3
        parts.append(_constant(properties.app_id))
    return b"".join((_CONTENT.pack(_BASIC, 0, size, flags), *parts))


def _short(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > _LONGEST_SHORT:
        raise ValueError(
            f"A name or property of a message must have at most {_LONGEST_SHORT} bytes "
            f"(got {len(encoded)}: {text[:40]!r}...)."
        )
    return bytes((len(encoded),)) + encoded


# What is the same in very many messages.
_constant = lru_cache(maxsize=1024)(_short)


def _time(value: datetime) -> bytes:
    seconds = int(value.timestamp())
    return _U64.pack(seconds % 2**64)


def _long(kind: bytes, value: bytes | bytearray) -> bytes:
    return kind + _U32.pack(len(value)) + value


def _value(value: object) -> bytes:
    match value:
        case str():
            return _long(b"S", value.encode())
        case bool():
            return b"t\x01" if value else b"t\x00"
        case int() if -_INT64 <= value < _INT64:
            return b"l" + _I64.pack(value)
        case float():
            return b"d" + _DOUBLE.pack(value)
        case None:
            return b"V"
        case datetime():
            return b"T" + _time(value)
        case Decimal():
            return b"D" + _decimal(value)
        case bytearray():
            return _long(b"x", value)
        case bytes():  # a string that is no UTF-8
            return _long(b"S", value)
        case Mapping():
            return b"F" + table(value)
        case list() | tuple():
            return _long(b"A", b"".join(map(_value, value)))
    raise ValueError(f"A header can't hold a {type(value).__name__} of this value.")


def _decimal(value: Decimal) -> bytes:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int):
        places = max(0, -exponent)
        digits = int(value.scaleb(places))
        if places <= 255 and -(2**31) <= digits < 2**31:
            return _DECIMAL.pack(places, digits)
    raise ValueError("A header can't hold a Decimal of this value.")
