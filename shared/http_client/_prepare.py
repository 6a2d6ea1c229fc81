"""A call, checked and encoded once for all its attempts. Without I/O.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from shared.http_client._answers import IDEMPOTENT
from shared.http_client._body import ACCEPT_ENCODING, encode_json
from shared.http_client._headers import checked_headers, checked_value
from shared.http_client._options import ClientTimeouts, Content, retries
from shared.http_client._url import checked_path, encode_query, expand

_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_NOT_OURS: Final = frozenset({"CONNECT", "TRACE"})  # for proxies, and a leak of headers
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

# Iterable, and a slip: their pieces are no bytes.
_NO_PIECES: Final[tuple[type, ...]] = (Mapping, list, tuple, set)

JSON_ONLY: Final = "application/json, application/problem+json"
ANYTHING: Final = "*/*"


class PreparedCall(NamedTuple):
    """What an attempt needs, beside the URL it goes to."""

    method: str
    route: str  # as the caller wrote the path: for logs and metrics
    path: str
    query: str
    headers: dict[str, str]  # by lower-case name; those of the caller among them
    content: bytes | AsyncIterable[bytes]
    replayable: bool
    idempotent: bool
    timeouts: ClientTimeouts
    retries: int


StreamOf = Callable[[Iterable[bytes]], AsyncIterable[bytes]]


def prepare(
    method: str,
    path: str,
    *,
    accept: str,
    caller: str,
    default_timeouts: ClientTimeouts,
    default_retries: int,
    stream_of: StreamOf,
    path_params: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    timeout: float | ClientTimeouts | None = None,
    retries: int | None = None,
    json: Any = None,
    content: Content | None = None,
) -> PreparedCall:
    """Check what the caller of a client passed.

    Raises:
        ValueError: A value would make another request than was meant.
        TypeError: A value has no form on the wire.
    """
    method = _method(method)
    own: dict[str, str] = {
        "accept": accept,
        "accept-encoding": ACCEPT_ENCODING,
        "user-agent": caller,
    }
    body, replayable = _content(json, content, own, stream_of)
    if isinstance(body, bytes):
        if body or method in _WITH_BODY:
            own["content-length"] = str(len(body))
    else:
        own["transfer-encoding"] = "chunked"
    if headers:
        own.update(checked_headers(headers))
    if idempotency_key is not None:
        own["idempotency-key"] = _key(idempotency_key)
    filled = expand(path, path_params) if path_params else path
    return PreparedCall(
        method,
        path,
        checked_path(filled),
        encode_query(params),
        own,
        body,
        replayable,
        method in IDEMPOTENT or idempotency_key is not None,
        default_timeouts if timeout is None else timeouts_of(timeout),
        default_retries if retries is None else _retries(retries),
    )


def timeouts_of(timeout: float | ClientTimeouts) -> ClientTimeouts:
    """*timeout*, where a number bounds the whole attempt."""
    if isinstance(timeout, ClientTimeouts):
        return timeout
    return ClientTimeouts.within(timeout)


def _retries(value: int) -> int:
    retries("retries", value)
    return value


def _method(method: str) -> str:
    upper = method.upper()
    if not _METHOD.fullmatch(upper) or upper in _NOT_OURS:
        raise ValueError(f"{method!r} is no method that a service is called with.")
    return upper


def _key(value: str) -> str:
    if not 1 <= len(checked_value("Idempotency-Key", value)) <= 255:
        raise ValueError("An idempotency_key must have 1 to 255 characters.")
    return value


def _content(
    json: Any, content: Content | None, headers: dict[str, str], stream_of: StreamOf
) -> tuple[bytes | AsyncIterable[bytes], bool]:
    """The body, and whether it can be sent twice."""
    if json is not None:
        if content is not None:
            raise ValueError("A body is either json= or content=, not both.")
        headers["content-type"] = "application/json"
        return encode_json(json), True
    if content is None:
        return b"", True
    if isinstance(content, str):
        headers["content-type"] = "text/plain; charset=utf-8"
        return content.encode(), True
    if isinstance(content, bytes | bytearray | memoryview):
        headers["content-type"] = "application/octet-stream"
        return bytes(content), True
    headers["content-type"] = "application/octet-stream"
    if isinstance(content, AsyncIterable):
        return content, False
    if not isinstance(content, _NO_PIECES) and isinstance(content, Iterable):
        return stream_of(content), False
    raise TypeError(
        "content= must be bytes, text or pieces of bytes "
        f"(got {type(content).__name__}); objects go into json=."
    )


async def stream_inline(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """*pieces*, in the event loop that asks for them."""
    for piece in pieces:
        yield piece
