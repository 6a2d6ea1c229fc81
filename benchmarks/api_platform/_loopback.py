"""What stands at the other end of the service: quick answers, in a process of its own.

It reads no more of a request than its method and its length, and verifies nothing.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COUNT, _FIRST, _LAST = range(3)

NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


def with_json(status: str, body: object) -> bytes:
    """An answer with a body."""
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(text)}\r\n\r\n".encode() + text


class _Answering(asyncio.Protocol):
    """One connection, of HTTP/1.1."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            told = _LENGTH.search(head)
            size = int(told[1]) if told else 0
            if not end or len(rest) < size:
                return
            self._buffer = rest[size:]
            self._transport.write(self._answer(head))


def _serve(
    pipe: Connection,
    counted: Any,
    replies: Mapping[bytes, bytes],
    hosts: Sequence[str],
    file: Path | None,
) -> None:
    """The process: tell the port, then answer and count until it is ended."""

    def answer(head: bytes) -> bytes:
        now = time.monotonic()
        if not counted[_COUNT]:
            counted[_FIRST] = now
        counted[_LAST] = now
        counted[_COUNT] += 1  # last: who sees it may read the others
        return replies[head.partition(b" ")[0]]

    async def serve() -> None:
        tls = None
        if file is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(file)
        port = 0
        for host in hosts:  # the first chooses the port for all
            server = await asyncio.get_running_loop().create_server(
                lambda: _Answering(answer), host, port, ssl=tls, backlog=1024
            )
            port = server.sockets[0].getsockname()[1]
        pipe.send(port)
        await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


class Loopback:
    """A server on this machine, while inside `with`.

    Args:
        replies: What is answered to each method, to the byte.
        hosts: Its addresses, which are all on one port.
        certificate: A file with key and certificate, for TLS.

    Attributes:
        urls: Where it is, by the order of its addresses.
    """

    def __init__(
        self,
        replies: Mapping[str, bytes],
        *,
        hosts: Sequence[str] = ("127.0.0.1",),
        certificate: Path | None = None,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Of one writer, and a count is one word: no lock.
        self._counted = context.RawArray("d", 3)
        by_name = {method.encode(): reply for method, reply in replies.items()}
        self._process = context.Process(
            target=_serve,
            args=(theirs, self._counted, by_name, hosts, certificate),
            daemon=True,
        )
        self._scheme = "http" if certificate is None else "https"
        self._hosts = hosts
        self.urls: list[str] = []

    def __enter__(self) -> Self:
        """Start, and wait until it listens."""
        self._process.start()
        if not self._pipe.poll(60):
            raise SystemExit("The other end does not start.")
        port = self._pipe.recv()
        self.urls = [f"{self._scheme}://{host}:{port}" for host in self._hosts]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.terminate()
        self._process.join()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process.pid is not None  # noqa: S101 - it was started
        return self._process.pid

    def forget(self) -> None:
        """Count from nothing. Nobody may be calling."""
        self._counted[_COUNT] = 0

    @property
    def count(self) -> int:
        """Requests since the last `forget`."""
        return int(self._counted[_COUNT])

    @property
    def seconds(self) -> float:
        """From the first of them to the last."""
        return float(self._counted[_LAST] - self._counted[_FIRST])
