"""A server on a real socket that does what servers do when they fail.

::

    with FakeUpstream(status(503), answer({"id": 7})) as upstream:
        client = ServiceClient("subjects", upstream.url)

Each request is met by the next behaviour, and by the last one from then on. It is a
thread for each connection, so that blocking and asynchronous clients can be tested.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Self, TypeAlias


class Received(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """The server's end of a connection."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self._sock = sock
        self._stopped = stopped
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Send *data*; ``OSError`` if the client has gone."""
        self._sock.sendall(data)

    def pause(self) -> None:
        """Let a moment pass; ``OSError`` if the test is over."""
        if self._stopped.wait(0.01):
            raise ConnectionAbortedError

    def wait_for_hangup(self) -> None:
        """Do nothing until the client has gone."""
        while self._sock.recv(65536):
            pass

    def reset(self) -> None:
        """Send RST instead of FIN."""
        self._sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._sock.close()

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def receive(self) -> Received | None:
        """Return the next request, or None if the client has gone."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = start.split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = b"".join(self._body(headers))
        return Received(method, target, headers, body)

    def _body(self, headers: dict[str, str]) -> Iterator[bytes]:
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self._line(), 16):
                yield self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        else:
            yield self._exactly(int(headers.get("content-length", "0")))

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if not self._more():
                raise ConnectionAbortedError
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise ConnectionAbortedError
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _more(self) -> bool:
        data = self._sock.recv(65536)
        self._buffer += data
        return bool(data)


Behaviour: TypeAlias = Callable[[Connection, Received], bool]
"""Meets a request; whether the connection is kept."""


class FakeUpstream:
    """Listens on a free port of this machine.

    Attributes:
        url: Where.
        requests: What has come, in order.
        connections: How many connections were made.
    """

    def __init__(self, *behaviours: Behaviour) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._behaviours = list(behaviours)
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept)
        return self

    def __exit__(self, *details: object) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._guard:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(30)

    def then(self, *behaviours: Behaviour) -> None:
        """Meet the requests from now on so."""
        with self._guard:
            self._behaviours = list(behaviours)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._guard:
                self.connections += 1
                self._open.add(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock, self._stopped)
        try:
            while (request := connection.receive()) is not None:
                with self._guard:
                    self.requests.append(request)
                    behaviour = self._behaviours[0]
                    if len(self._behaviours) > 1:
                        self._behaviours.pop(0)
                if not behaviour(connection, request):
                    return
        except OSError:
            pass  # the client has gone, or the test is over
        finally:
            with self._guard:
                self._open.discard(sock)
            connection.close()


# ------------------------------------------------------------------- behaviours


def raw(data: bytes, *, keep: bool = True) -> Behaviour:
    """Send *data* as it is."""

    def behave(connection: Connection, request: Received) -> bool:
        connection.send(data)
        return keep

    return behave


def message(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return a whole answer of HTTP."""
    fields = {"content-length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body


def answer(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Behaviour:
    """Answer with JSON."""
    fields = {"content-type": "application/json", **(headers or {})}
    return raw(message(status, json.dumps(value).encode(), fields))


def problem(value: dict[str, Any], headers: dict[str, str] | None = None) -> Behaviour:
    """Answer with a problem of RFC 9457, whose status is that of the answer."""
    fields = {"content-type": "application/problem+json", **(headers or {})}
    return answer(value, status=value["status"], headers=fields)


def text(
    body: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Behaviour:
    """Answer as a proxy or a framework does that knows nothing of us."""
    fields = {"content-type": "text/html", **(headers or {})}
    return raw(message(status, body.encode(), fields))


def hang(connection: Connection, request: Received) -> bool:
    """Never answer."""
    connection.wait_for_hangup()
    return False


def reset(connection: Connection, request: Received) -> bool:
    """Cut the connection."""
    connection.reset()
    return False


def hang_up(connection: Connection, request: Received) -> bool:
    """End the connection without an answer."""
    return False


def half_body(connection: Connection, request: Received) -> bool:
    """Announce 100 bytes, send 10, and hang up."""
    connection.send(message(200, b"[1, 2, 3, ", {"content-length": "100"}))
    return False


def drip(connection: Connection, request: Received) -> bool:
    """Send a body byte by byte, each soon after the last, without an end."""
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")
    while True:
        connection.pause()
        connection.send(b" ")


def drip_head(connection: Connection, request: Received) -> bool:
    """Send the headers like that."""
    connection.send(b"HTTP/1.1 200 OK\r\nx-padding: ")
    while True:
        connection.pause()
        connection.send(b"x")


def endless(connection: Connection, request: Received) -> bool:
    """Send 10 GB, or as much of it as the client takes."""
    piece = b" " * 1_000_000
    size = f"{len(piece):x}".encode()
    connection.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    for _ in range(10_000):
        connection.send(size + b"\r\n" + piece + b"\r\n")
    connection.send(b"0\r\n\r\n")
    return True


def announced(size: int) -> Behaviour:
    """Announce a body of *size* bytes, and send it if anybody waits."""

    def behave(connection: Connection, request: Received) -> bool:
        connection.send(message(200, b"[", {"content-length": str(size)}))
        connection.wait_for_hangup()
        return False

    return behave


def gzip_bomb(connection: Connection, request: Received) -> bool:
    """Send 100 MB in 100 kB."""
    connection.send(_gzipped(_bomb()))
    return True


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(100))
    return packed + packer.flush()


def gzipped(value: Any) -> Behaviour:
    """Answer with JSON in gzip."""
    return raw(_gzipped(gzip.compress(json.dumps(value).encode())))


def half_gzip(connection: Connection, request: Received) -> bool:
    """Send a whole body that is half of a gzip file."""
    packed = gzip.compress(json.dumps(list(range(1000))).encode())
    connection.send(_gzipped(packed[: len(packed) // 2]))
    return True


def _gzipped(body: bytes) -> bytes:
    fields = {"content-type": "application/json", "content-encoding": "gzip"}
    return message(200, body, fields)


def redirect_to_itself(connection: Connection, request: Received) -> bool:
    """Answer with where the request already is."""
    connection.send(message(302, b"", {"location": request.target}))
    return True


def bad_status_line(connection: Connection, request: Received) -> bool:
    """Answer in no protocol."""
    connection.send(b"220 mail.example ESMTP\r\n\r\n")
    return False


def answer_and_hang_up(value: Any) -> Behaviour:
    """Answer, promise to keep the connection, and hang up."""
    body = json.dumps(value).encode()
    return raw(message(200, body, {"content-type": "application/json"}), keep=False)
