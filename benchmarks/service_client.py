"""What ServiceClient costs a call, over httpx and httpx2 used bare.

A GET on a connection that is kept, of a server that answers with an event as JSON and
does nothing else, in a process of its own. All rows decode the answer and raise for a
bad status. The kernel also sends a deadline, the correlation id and the trace, asks its
breaker, and counts for retries; `response_model=` is beside pydantic by hand. The floor
writes the request on a socket and reads what its Content-Length says. Costs are CPU
time of this process, all threads: SyncServiceClient works in one of its own.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import random
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

import httpx
import httpx2
import uvloop

from benchmarks import _harness as harness
from benchmarks.event_codec import ENVELOPE, PlainEvent
from shared.http_client import ServiceClient, SyncServiceClient
from shared.logging import correlation_id_var, parse_traceparent, trace_context_var

BASE = "httpx"
PATH = "/api/v1/orders/1"
BODY = PlainEvent.model_validate(ENVELOPE).model_dump_json().encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    % len(BODY)
) + BODY
CORRELATION_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{CORRELATION_ID}-00f067aa0ba902b7-01"

Call = Callable[[], Any]
AsyncCall = Callable[[], Awaitable[Any]]


class _Answer(asyncio.Protocol):
    """The same answer to whatever comes."""

    _got = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            _, _, self._got = self._got.partition(b"\r\n\r\n")
            self._transport.write(ANSWER)


def serve(told: Connection) -> None:
    """Listen on a free port, and tell which."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Answer, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


class Floor:
    """As little as a client can do."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    def __call__(self) -> bytes:
        """One call."""
        self._socket.sendall(self._request)
        got = b""
        while len(got) < len(ANSWER):
            got += self._socket.recv(65536)
        return got

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


async def floor(port: int) -> AsyncCall:
    """The same on the streams of the event loop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    async def call() -> bytes:
        writer.write(request)
        return await reader.readexactly(len(ANSWER))

    return call


def by_hand(client: httpx.Client | httpx2.Client) -> tuple[Call, Call]:
    """A dict, and a model."""

    def plain() -> Any:
        return client.get(PATH).raise_for_status().json()

    def typed() -> Any:
        answer = client.get(PATH).raise_for_status()
        return PlainEvent.model_validate_json(answer.content)

    return plain, typed


def by_hand_async(
    client: httpx.AsyncClient | httpx2.AsyncClient,
) -> tuple[AsyncCall, AsyncCall]:
    """A dict, and a model."""

    async def plain() -> Any:
        return (await client.get(PATH)).raise_for_status().json()

    async def typed() -> Any:
        answer = (await client.get(PATH)).raise_for_status()
        return PlainEvent.model_validate_json(answer.content)

    return plain, typed


def measure(
    rows: Mapping[str, Callable[[int], object]], rounds: int
) -> tuple[harness.Samples, harness.Samples]:
    """As the harness does: CPU of all threads, and the wall beside."""
    cpu: harness.Samples = {name: [] for name in rows}
    wall: harness.Samples = {name: [] for name in rows}
    repeat = {}
    for name, loop in rows.items():
        loop(50)
        start = time.process_time_ns()
        loop(50)
        once = max(1.0, (time.process_time_ns() - start) / 50)
        repeat[name] = max(50, int(150e6 / once))
    order = list(rows)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            gc.collect()
            count = repeat[name]
            busy, start = time.process_time_ns(), time.perf_counter_ns()
            rows[name](count)
            cpu[name].append((time.process_time_ns() - busy) / count / 1000)
            wall[name].append((time.perf_counter_ns() - start) / count / 1000)
    return cpu, wall


def repeated(call: Call) -> Callable[[int], object]:
    """A loop of the harness."""

    def loop(count: int) -> None:
        for _ in range(count):
            call()

    return loop


def awaited(run: asyncio.Runner, call: AsyncCall) -> Callable[[int], object]:
    """A loop of the harness, in one event loop for all."""

    async def loop(count: int) -> None:
        for _ in range(count):
            await call()

    return lambda count: run.run(loop(count))


def sync_rows(stack: ExitStack, port: int) -> dict[str, Call]:
    """The clients that block."""
    url = f"http://127.0.0.1:{port}"
    least = Floor(port)
    stack.callback(least.close)
    plain, typed = by_hand(stack.enter_context(httpx.Client(base_url=url)))
    plain2, typed2 = by_hand(stack.enter_context(httpx2.Client(base_url=url)))
    client = stack.enter_context(SyncServiceClient("orders", url))
    return {
        "floor: a socket": least,
        BASE: plain,
        "httpx2": plain2,
        "kernel": lambda: client.get(PATH),
        "httpx and pydantic": typed,
        "httpx2 and pydantic": typed2,
        "kernel, response_model": lambda: client.get(PATH, response_model=PlainEvent),
    }


async def async_rows(port: int) -> dict[str, AsyncCall]:
    """The others."""
    url = f"http://127.0.0.1:{port}"
    plain, typed = by_hand_async(httpx.AsyncClient(base_url=url))
    plain2, typed2 = by_hand_async(httpx2.AsyncClient(base_url=url))
    client = ServiceClient("orders", url)
    return {
        "floor: a stream": await floor(port),
        BASE: plain,
        "httpx2": plain2,
        "kernel": lambda: client.get(PATH),
        "httpx and pydantic": typed,
        "httpx2 and pydantic": typed2,
        "kernel, response_model": lambda: client.get(PATH, response_model=PlainEvent),
    }


def show(title: str, cpu: harness.Samples, wall: harness.Samples) -> None:
    """Print one table."""
    over = {
        name: harness.short(
            statistics.median(values) - statistics.median(cpu["httpx2"])
        )
        for name, values in cpu.items()
        if name.startswith("kernel")
    }
    more = {"µs over httpx2": over, "µs on the wall": harness.medians(wall)}
    body = harness.table(cpu, BASE, unit="µs a call, CPU", more=more)
    harness.report(title, body, "httpx", "httpx2", "pydantic", "uvloop")


def main() -> None:
    """Check, measure, print."""
    options = harness.parse(__doc__ or "", rounds=15)
    correlation_id_var.set(CORRELATION_ID)
    trace_context_var.set(parse_traceparent(TRACEPARENT))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    saved: dict[str, harness.Samples] = {}
    with (
        ExitStack() as stack,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as run,
    ):
        stack.callback(server.terminate)
        awaits = run.run(async_rows(port))
        calls = sync_rows(stack, port)
        check(calls | {f"{k}, async": _now(run, v) for k, v in awaits.items()})
        loops = {name: awaited(run, call) for name, call in awaits.items()}
        cpu, wall = measure(loops, options.rounds)
        saved["async"] = cpu
        show("Call of a service, async", cpu, wall)
        cpu, wall = measure(
            {name: repeated(call) for name, call in calls.items()}, options.rounds
        )
        saved["sync"] = cpu
        show("Call of a service, sync", cpu, wall)
    harness.save(options.json, saved)


def _now(run: asyncio.Runner, call: AsyncCall) -> Call:
    async def once() -> Any:
        return await call()

    return lambda: run.run(once())


def check(calls: Mapping[str, Call]) -> None:
    """Exit unless each row has the event."""
    wanted = PlainEvent.model_validate(ENVELOPE)
    for name, call in calls.items():
        got = call()
        if isinstance(got, bytes):
            got = PlainEvent.model_validate_json(got[-len(BODY) :])
        if PlainEvent.model_validate(got) != wanted:
            raise SystemExit(f"{name} got something else.")


if __name__ == "__main__":
    main()
