"""The requests that a fake service was sent.

Private: import these names from ``shared.testing.fake_service``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from shared.logging import TraceContext, parse_traceparent
from shared.resilience import DEADLINE_HEADER

_MAX_HEADERS: Final = 200


class MalformedRequestError(Exception):
    """What came over the wire is no HTTP/1.1 request."""


class Headers(Mapping[str, str]):
    """Header fields by name, in any case; the values of one name are joined."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            key = name.lower()
            before = self._fields.get(key)
            self._fields[key] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<Headers {sorted(self._fields)}>"  # a value may be a token


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """A request as it was received."""

    method: str
    target: str
    """Path and query as they were sent."""
    headers: Headers
    """By name in any case."""
    body: bytes = field(repr=False)
    at: float
    """When it was complete, by ``time.monotonic``: the distance of two is a wait."""
    path_params: Mapping[str, str] = field(default_factory=dict)
    """What stood for the ``{names}`` of the route that answered, decoded."""
    matched: bool = False
    """Whether a route answered it."""

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded: the last value of each name."""
        return {name: values[-1] for name, values in self._query().items()}

    def query_values(self, name: str) -> list[str]:
        """All values that the query has under *name*."""
        return self._query().get(name, [])

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)

    @property
    def correlation_id(self) -> str | None:
        """What ``X-Correlation-ID`` says."""
        return self.headers.get("x-correlation-id")

    @property
    def trace(self) -> TraceContext | None:
        """What ``traceparent`` says, if it is valid."""
        return parse_traceparent(self.headers.get("traceparent", ""))

    @property
    def timeout(self) -> float | None:
        """The seconds that the caller had left, from the header of deadlines."""
        value = self.headers.get(DEADLINE_HEADER)
        return None if value is None else int(value) / 1000

    @property
    def bearer_token(self) -> str | None:
        """The token in ``Authorization``, if that is a bearer token."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None

    @property
    def idempotency_key(self) -> str | None:
        """What ``Idempotency-Key`` says."""
        return self.headers.get("idempotency-key")

    def _query(self) -> dict[str, list[str]]:
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    def __str__(self) -> str:
        # No query: it may hold a secret, and this stands in the output of a failure.
        return f"{self.method} {self.path}"


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> RecordedRequest | None:
    """Read one request; None if the connection ended instead.

    Raises:
        MalformedRequestError: It is none.
    """
    try:
        line = await reader.readline()
        if not line:
            return None
        words = line.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise MalformedRequestError("The request line is none of HTTP/1.")
        headers = await _read_headers(reader)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _read_body(reader, headers)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise MalformedRequestError("A line is too long.") from error
    return RecordedRequest(
        method=words[0],
        target=words[1],
        headers=headers,
        body=body,
        at=time.monotonic(),
    )


async def _read_headers(reader: asyncio.StreamReader) -> Headers:
    fields: list[tuple[str, str]] = []
    while True:
        line = await reader.readuntil(b"\r\n")
        if line == b"\r\n":
            return Headers(fields)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or len(fields) == _MAX_HEADERS:
            raise MalformedRequestError("A header has no colon, or they are too many.")
        fields.append((name, value.strip()))


async def _read_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await _read_chunks(reader)
        return await reader.readexactly(int(headers.get("content-length", "0")))
    except ValueError as error:
        raise MalformedRequestError("The length of the body is no number.") from error


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            await _read_headers(reader)  # trailers
            return bytes(body)
        body += await reader.readexactly(size)
        await reader.readexactly(2)
