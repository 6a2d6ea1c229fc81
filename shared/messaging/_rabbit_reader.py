"""Reads messages whose properties nobody can read.

A producer may write what pamqp does not decode: a header whose name is no UTF-8, a
timestamp in microseconds, which is no year. RabbitMQ passes it on. aiormq ends the
connection then, gets the message again on the next one, and so on.

After that has happened once, connections are made with `Careful`. It tries to decode
the properties itself, and where that fails puts others in their place, which hold the
original bytes in a header. It costs a few microseconds a message.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Any, Final

from aiormq.connection import TransportFactory
from pamqp.header import ContentHeader

from shared.messaging._rabbit_frames import Properties, content_header

UNREADABLE: Final = "x-unreadable-properties"
"""The header that holds the bytes."""

_KIND_OF_HEADER: Final = b"\x02"
_REST: Final = Struct(">HI")  # channel and size, after the kind
_BODY_SIZE: Final = Struct(">4xQ")
_LIMIT: Final = 2**16  # of asyncio.open_connection


class Careful(TransportFactory):
    """Connects as aiormq does, and reads with care."""

    async def create(
        self, url: Any, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See `TransportFactory.create`."""
        provider = kwargs.pop("ssl_context_provider")
        tls = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        reader = _Reader(limit=_LIMIT, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host, url.port, ssl=tls, **kwargs
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _Reader(asyncio.StreamReader):
    """Is asked for 1 byte, 6 and the rest of each frame, by aiormq's FrameReceiver."""

    _kind = b""
    _ready: bytes | None = None

    async def readexactly(self, n: int) -> bytes:
        if self._ready is not None:
            ready, self._ready = self._ready, None
            return ready
        data = await super().readexactly(n)
        if n == 1:
            self._kind = data
        elif n == _REST.size and self._kind == _KIND_OF_HEADER:
            self._kind = b""
            channel, size = _REST.unpack(data)
            payload = _readable((await super().readexactly(size + 1))[:-1])
            self._ready = payload + b"\xce"
            return _REST.pack(channel, len(payload))
        return data


def _readable(payload: bytes) -> bytes:
    try:
        ContentHeader().unmarshal(payload)
    except Exception:  # whatever it is, it would end the connection
        (size,) = _BODY_SIZE.unpack_from(payload)
        headers = {UNREADABLE: bytearray(payload)}
        return content_header(Properties(headers=headers), size)
    return payload
