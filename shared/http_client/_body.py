"""Bodies: what is sent as JSON, and what is read of an answer, as bytes without I/O.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Final, NoReturn

from pydantic_core import PydanticSerializationError, to_json

from shared.http_client._faults import Fault, FaultKind

ACCEPT_ENCODING: Final = "gzip, deflate"

_STEP: Final = 1024 * 1024  # the most that is decompressed at a time


def encode_json(value: object) -> bytes:
    """*value* as JSON.

    Raises:
        TypeError: It holds something that has no JSON. Its value is not repeated.
        ValueError: It holds a NaN or an infinity, which JSON has not.
    """
    try:
        body = to_json(value, by_alias=True)
    except PydanticSerializationError as error:
        problem = type(error.__cause__ or error).__name__
    else:
        if b"NaN" in body or b"Infinity" in body:  # perhaps in a text
            json.loads(body, parse_constant=_no_json)
        return body
    raise TypeError(
        f"json= of type {type(value).__name__} holds what JSON has not ({problem})."
    )


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"json= holds {constant}, which JSON has not.")


class BodyReader:
    """Collects the body of one answer, decompressed and never more than a limit.

    Args:
        encoding: The field ``Content-Encoding``.
        length: The field ``Content-Length``.
        limit: The most bytes that the body may have, before and after decompression.

    Raises:
        Fault: The answer says that it is too large, or encoded in a way that was not
            asked for.
    """

    def __init__(self, encoding: str, length: str, *, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._received = 0
        self._pieces: list[bytes] = []
        self._inflate: _Inflate | None = None
        if length.isdecimal() and len(length) < 20 and int(length) > limit:
            self._too_large()
        encoding = encoding.strip().lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._inflate = _Inflate(bare=encoding == "deflate")
        elif encoding not in ("", "identity"):
            # Nothing else was asked for; chains of gzip are how bombs are built.
            raise Fault(FaultKind.UNDECODABLE, "its Content-Encoding was not asked for")

    def feed(self, data: bytes) -> None:
        """Take in a piece as it came over the wire.

        Raises:
            Fault: The body is too large, or can't be decompressed.
        """
        self._received += len(data)
        if self._received > self._limit:
            self._too_large()
        if self._inflate is None:
            self._pieces.append(data)
            return
        for piece in self._inflate.feed(data):
            self._size += len(piece)
            if self._size > self._limit:
                self._too_large()
            self._pieces.append(piece)

    def finish(self) -> bytes:
        """The whole body.

        Raises:
            Fault: What was compressed breaks off.
        """
        # A 204 or an answer to HEAD may name an encoding and have no body.
        if self._inflate is not None and self._received and not self._inflate.complete:
            raise Fault(FaultKind.UNDECODABLE, "it breaks off")
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _too_large(self) -> NoReturn:
        self._pieces.clear()
        raise Fault(FaultKind.TOO_LARGE, f"more than {self._limit} bytes")


class _Inflate:
    """gzip (RFC 1952) of one or more members, zlib, and bare deflate that some send."""

    def __init__(self, *, bare: bool) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out which
        # What has come so far, until it is clear that it is no bare deflate.
        self._head: bytes | None = b"" if bare else None

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what is in *data*, in pieces that are small whatever they hold."""
        while data:
            piece = self._step(data)
            if piece:
                self._head = None
                yield piece
            if self._stream.eof:
                data = self._stream.unused_data
                if not data.startswith(b"\x1f\x8b"):
                    return  # padding
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            else:
                data = self._stream.unconsumed_tail

    def _step(self, data: bytes) -> bytes:
        if self._head is not None:
            self._head += data
        try:
            return self._stream.decompress(data, _STEP)
        except zlib.error as error:
            if self._head is None:
                raise Fault(FaultKind.UNDECODABLE, "it is not what it says") from error
            # "deflate" without its zlib wrapper: wrong, and not rare.
            head, self._head = self._head, None
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._step(head)
