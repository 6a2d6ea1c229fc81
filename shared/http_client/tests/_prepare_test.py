from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.http_client._options import ClientTimeouts
from shared.http_client._prepare import (
    PreparedCall,
    prepare,
    stream_inline,
    timeouts_of,
)


def prepared(method: str, path: str = "/a", **options: Any) -> PreparedCall:
    """Return what a client would send."""
    return prepare(
        method,
        path,
        accept="*/*",
        caller="me",
        default_timeouts=ClientTimeouts(),
        default_retries=2,
        stream_of=stream_inline,
        **options,
    )


@pytest.mark.parametrize(
    ("method", "key", "expected"),
    [
        ("GET", None, True),
        ("HEAD", None, True),
        ("OPTIONS", None, True),
        ("PUT", None, True),
        ("DELETE", None, True),
        ("POST", None, False),
        ("PATCH", None, False),
        ("QUERY", None, False),
        ("POST", "k", True),
        ("PATCH", "k", True),
    ],
)
def test_what_may_be_repeated(method: str, key: str | None, expected: bool) -> None:
    """RFC 9110, section 9.2.2, and whatever has a key."""
    assert prepared(method.lower(), idempotency_key=key).idempotent is expected


@pytest.mark.parametrize("method", ["", "G T", "GET\r\n", "CONNECT", "trace", "GÉT"])
def test_methods_that_are_none(method: str) -> None:
    """Nor those that only proxies have a use for."""
    with pytest.raises(ValueError, match="is no method"):
        prepared(method)


@pytest.mark.parametrize("key", ["", "a" * 256, "a\nb", "é"])
def test_keys_that_are_none(key: str) -> None:
    """1 to 255 characters of ASCII, as ``shared.idempotency`` reads them."""
    with pytest.raises(ValueError, match=r"(?i)idempotency.key"):
        prepared("POST", idempotency_key=key)


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("GET", {}, {}),
        ("DELETE", {}, {}),
        ("POST", {}, {"content-length": "0"}),
        ("PUT", {"json": [1]}, {"content-length": "3"}),
        ("POST", {"content": "é"}, {"content-length": "2"}),
        ("POST", {"content": bytearray(b"abc")}, {"content-length": "3"}),
        ("POST", {"content": iter([b"a"])}, {"transfer-encoding": "chunked"}),
    ],
)
def test_framing(
    method: str, options: dict[str, Any], expected: dict[str, str]
) -> None:
    """A body says how long it is, or comes in chunks (RFC 9112, section 6)."""
    headers = prepared(method, **options).headers
    framing = {"content-length", "transfer-encoding"}

    assert {n: v for n, v in headers.items() if n in framing} == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"json": 1}, "application/json"),
        ({"content": "a"}, "text/plain; charset=utf-8"),
        ({"content": b"a"}, "application/octet-stream"),
        ({"content": b"a", "headers": {"Content-Type": "text/csv"}}, "text/csv"),
        ({"json": 1, "headers": {"content-type": "a/b+json"}}, "a/b+json"),
    ],
)
def test_media_types(options: dict[str, Any], expected: str) -> None:
    """The caller knows best."""
    assert prepared("POST", **options).headers["content-type"] == expected


@pytest.mark.parametrize("content", [7, {"a": 1}, [b"a"], ("a",), object()])
def test_contents_that_are_none(content: Any) -> None:
    """Whoever meant JSON is told."""
    with pytest.raises(TypeError, match="objects go into json="):
        prepared("POST", content=content)


async def test_pieces() -> None:
    """Both kinds of iterable are sent in pieces, and not again."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"b"

    found = [prepared("PUT", content=c) for c in (iter([b"a"]), pieces())]
    contents: list[Any] = [call.content for call in found]

    assert [[piece async for piece in c] for c in contents] == [[b"a"], [b"b"]]
    assert [call.replayable for call in found] == [False, False]


def test_route() -> None:
    """Logs and metrics have the path without what is in it."""
    call = prepared("GET", "/users/{id}", path_params={"id": "a b"}, params={"a": 1})

    assert (call.route, call.path, call.query) == ("/users/{id}", "/users/a%20b", "a=1")


def test_defaults() -> None:
    """A call that says nothing has the client's; one that says something, its own."""
    usual, own = prepared("GET"), prepared("GET", timeout=1, retries=0)

    assert (usual.timeouts, usual.retries) == (ClientTimeouts(), 2)
    assert (own.timeouts, own.retries) == (ClientTimeouts.within(1), 0)


def test_a_number_bounds_all() -> None:
    """No part of an attempt may take longer than the attempt; reading may take all."""
    short, long = timeouts_of(0.5), timeouts_of(600)

    assert (short.connect, short.read, short.pool, short.total) == (0.5,) * 4
    assert (long.connect, long.read, long.pool, long.total) == (2.0, 600, 1.0, 600)
