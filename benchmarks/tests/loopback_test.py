from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from benchmarks.api_platform._loopback import NO_CONTENT, Loopback

REQUEST = b"POST /hooks HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Loopback]:
    """A server, which is slow to start."""
    with Loopback({"POST": NO_CONTENT}) as found:
        yield found


def answered(receiver: Loopback, parts: list[bytes], size: int) -> bytes:
    """What comes back, *size* bytes of it, for what is sent in parts."""
    where = urlsplit(receiver.urls[0])
    receiver.forget()
    with socket.create_connection(("127.0.0.1", where.port or 0), 10) as own:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            own.sendall(part)
        got = b""
        while len(got) < size:
            got += own.recv(size - len(got)) or b"?" * size
        return got


@pytest.mark.parametrize("cut", [1, 20, 45, len(REQUEST) - 1])
def test_a_request_in_two_parts_counts_once(receiver: Loopback, cut: int) -> None:
    """Wherever the network cuts it: a delivery is no two."""
    parts = [REQUEST[:cut], REQUEST[cut:]]

    assert answered(receiver, parts, len(NO_CONTENT)) == NO_CONTENT
    assert receiver.count == 1


def test_two_requests_in_one_part_count_twice(receiver: Loopback) -> None:
    """Both are answered, and the time is from the first to the last."""
    assert answered(receiver, [REQUEST * 2], 2 * len(NO_CONTENT)) == NO_CONTENT * 2
    assert receiver.count == 2
    assert receiver.seconds >= 0


def test_what_is_forgotten_is_not_counted(receiver: Loopback) -> None:
    """Warming up is no delivery."""
    answered(receiver, [REQUEST], len(NO_CONTENT))
    receiver.forget()

    assert receiver.count == 0
