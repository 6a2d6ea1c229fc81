"""What the topics about messages share: servers, a bare AMQP client, rounds, tables.

The servers are private ones, started for the run and thrown away, that write to disk as
in production. Rates are of the wall clock, because a broker is waited for; the CPU time
is of this process alone, all threads. A neighbour of the machine disturbs the rates, so
rows run in a new random order each round and ratios are taken round by round.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import random
import socket
import statistics
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import uvloop
from pamqp import body, commands, frame, header

from benchmarks import _harness as harness
from benchmarks.event_codec import ENVELOPE, OrderPlaced, PlainEvent
from shared.messaging import MessageWriter

EXCHANGE: Final = "creativeflow.events"
TYPE: Final = "order.placed"

EVENT: Final = OrderPlaced.model_validate(ENVELOPE)
PLAIN: Final = PlainEvent.model_validate(ENVELOPE)
MESSAGE: Final = MessageWriter().write(EVENT)
BODY: Final = MESSAGE.body
HEADERS: Final[dict[str, Any]] = dict(MESSAGE.headers)
MESSAGE_ID: Final = str(MESSAGE.event_id)

Run = Callable[[int], Any]  # handles that many events; a coroutine function, maybe


class RawAMQP:
    """A client that costs next to nothing: frames made beforehand, a blocking socket.

    It knows of one channel, of no reconnect and of no refusal but by the channel.

    Args:
        url: ``amqp://user:password@host:port/``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection(
            (parts.hostname or "127.0.0.1", parts.port or 5672)
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._published = 0
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._socket.sendall(frame.marshal(header.ProtocolHeader(0, 9, 1), 0))
        self._answer("Connection.Start")
        self._send(
            commands.Connection.StartOk({}, "PLAIN", f"\0{user}\0{password}", "en_US"),
            channel=0,
        )
        tune = self._answer("Connection.Tune")
        self._send(
            commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0), channel=0
        )
        self._send(commands.Connection.Open("/"), channel=0)
        self._answer("Connection.OpenOk")
        self.call(commands.Channel.Open(), "Channel.OpenOk")
        self.call(commands.Confirm.Select(), "Confirm.SelectOk")

    def call(self, method: Any, answer: str) -> Any:
        """Send a method, and return the answer of that name."""
        self._send(method)
        return self._answer(answer)

    def queue(self, name: str, key: str | None = None) -> None:
        """Declare a quorum queue, and bind it to the exchange of events."""
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        declare = commands.Queue.Declare(queue=name, durable=True, arguments=arguments)
        self.call(declare, "Queue.DeclareOk")
        if key is not None:
            bind = commands.Queue.Bind(queue=name, exchange=EXCHANGE, routing_key=key)
            self.call(bind, "Queue.BindOk")

    def purge(self, queue: str) -> int:
        """Empty a queue; how many messages it had."""
        purge = commands.Queue.Purge(queue=queue)
        return int(self.call(purge, "Queue.PurgeOk").message_count)

    def publish(self, count: int, *, window: int = 1000, chunk: int = 100) -> None:
        """Publish `MESSAGE` so often, with at most *window* without a confirmation."""
        one = _frames()
        first, sent, done = self._published, 0, 0
        self._published += count
        single: set[int] = set()
        while done < count:
            while sent < count and sent + chunk <= done + max(window, chunk):
                now = min(chunk, count - sent)
                self._socket.sendall(one * now)
                sent += now
            for payload in self._methods():
                if payload[:4] != b"\x00\x3c\x00\x50":  # basic.ack
                    raise RuntimeError(f"The broker said {payload[:40]!r}.")
                tag = int.from_bytes(payload[4:12], "big") - first
                if payload[12] & 1:  # multiple
                    done = max(done, tag)
                else:
                    single.add(tag)
            while done + 1 in single:
                done += 1
                single.discard(done)
            single = {tag for tag in single if tag > done}

    def consume(self, queue: str, count: int, prefetch: int) -> None:
        """Take so many, with an acknowledgement for each."""
        self.call(commands.Basic.Qos(prefetch_count=prefetch), "Basic.QosOk")
        consume = commands.Basic.Consume(queue=queue, consumer_tag="raw")
        self.call(consume, "Basic.ConsumeOk")
        head = struct.pack(">BHIHH", 1, 1, 13, 60, 80)
        taken = 0
        while taken < count:
            acks = []
            for payload in self._methods():
                if payload[:4] == b"\x00\x3c\x00\x3c":  # basic.deliver
                    at = 5 + payload[4]  # behind the tag of the consumer
                    acks.append(head + payload[at : at + 8] + b"\x00\xce")
            self._socket.sendall(b"".join(acks))
            taken += len(acks)
        self.call(commands.Basic.Cancel(consumer_tag="raw"), "Basic.CancelOk")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, method: Any, *, channel: int = 1) -> None:
        self._socket.sendall(frame.marshal(method, channel))

    def _answer(self, name: str) -> Any:
        while True:
            for payload in self._methods(most=1):
                number = int.from_bytes(payload[:4], "big")
                method = commands.INDEX_MAPPING[number]()
                method.unmarshal(payload[4:])
                if method.name == name:
                    return method
                if method.name.endswith(".Close"):
                    raise RuntimeError(f"The broker closes: {method.reply_text}.")

    def _methods(self, most: int = 1_000_000) -> list[bytes]:
        """The payloads of the method frames that have come; at least one."""
        found: list[bytes] = []
        while not found:
            data, at, size = self._buffer, 0, len(self._buffer)
            while size - at >= 8 and len(found) < most:
                end = at + 8 + int.from_bytes(data[at + 3 : at + 7], "big")
                if end > size:
                    break
                if data[at] == 1:
                    found.append(data[at + 7 : end - 1])
                at = end
            self._buffer = data[at:]
            if not found:
                more = self._socket.recv(1 << 18)
                if not more:
                    raise ConnectionError("The broker hung up.")
                self._buffer += more
        return found


def _frames() -> bytes:
    """`MESSAGE` as the kernel publishes it, ready for the socket."""
    properties = commands.Basic.Properties(
        content_type=MESSAGE.content_type,
        headers=HEADERS,
        delivery_mode=2,
        message_id=MESSAGE_ID,
        message_type=TYPE,
        timestamp=MESSAGE.timestamp,
    )
    publish = commands.Basic.Publish(exchange=EXCHANGE, routing_key=TYPE)
    head = header.ContentHeader(body_size=len(BODY), properties=properties)
    parts = (publish, head, body.ContentBody(BODY))
    return b"".join(frame.marshal(part, 1) for part in parts)


@dataclass(frozen=True)
class AtLeast:
    """The least that the ratio of a row's rate may be, and the most of its CPU time."""

    row: str
    ratio: float
    cpu: float | None = None


@dataclass(frozen=True)
class Rates:
    """What every row reached in every round."""

    rate: harness.Samples = field(default_factory=dict)
    """Events a second, on the wall."""
    cpu: harness.Samples = field(default_factory=dict)
    """Microseconds of this process for one."""

    def add(self, name: str, rate: float, cpu: float) -> None:
        """One more round of a row."""
        self.rate.setdefault(name, []).append(rate)
        self.cpu.setdefault(name, []).append(cpu)


def only(found: Rates, *names: str) -> Rates:
    """Some of the rows."""
    return Rates(
        {name: found.rate[name] for name in names},
        {name: found.cpu[name] for name in names},
    )


def runner() -> asyncio.Runner:
    """One event loop for all rows: uvloop's, which every peer may have too."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


class Stopwatch:
    """Rate and CPU time of a stretch of work."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin again."""
        self._wall, self._cpu = time.perf_counter_ns(), time.process_time_ns()

    def cost(self, count: int) -> tuple[float, float]:
        """Events a second, and microseconds of CPU for one, since the beginning."""
        cpu = time.process_time_ns() - self._cpu
        wall = time.perf_counter_ns() - self._wall
        return count * 1e9 / wall, cpu / count / 1000


def timed(run: asyncio.Runner, row: Run) -> Callable[[int], tuple[float, float]]:
    """A row that is timed as a whole."""

    def once(count: int) -> tuple[float, float]:
        watch = Stopwatch()
        done = row(count)
        if inspect.iscoroutine(done):
            run.run(done)
        return watch.cost(count)

    return once


def measure(
    rows: Mapping[str, Callable[[int], tuple[float, float]]],
    rounds: int,
    *,
    before: Callable[[str, int], object] = lambda name, count: None,
    after: Callable[[str, int], object] = lambda name, count: None,
    seconds: float = 0.3,
    warm: int = 500,
    multiple: int = 100,
    least: int = 100,
    most: int = 1_000_000,
) -> Rates:
    """Run all rows so long each, *rounds* times in a new random order.

    Args:
        rows: What returns a rate and a cost for a number of events.
        rounds: How often.
        before: Called with a row's name and the number before it is run.
        after: Called after it; checks and cleans.
        seconds: What a row is to take in a round.
        warm: How many events come first, to see how fast a row is.
        multiple: The numbers are multiples of this.
        least: The smallest number.
        most: The largest number.
    """
    counts = {}
    for name, row in rows.items():
        rate = 0.0
        for _ in range(2):
            before(name, warm)
            rate, _ = row(warm)
            after(name, warm)
        wanted = round(rate * seconds / multiple) * multiple
        counts[name] = min(most, max(least, wanted))
    order, found = list(rows), Rates()
    shuffle = random.Random(1).shuffle
    by_name: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            count = counts[name]
            before(name, count)
            gc.collect()
            by_name[name].append(rows[name](count))
            after(name, count)
    for name, costs in by_name.items():
        for rate, cpu in costs:
            found.add(name, rate, cpu)
    return found


def table(
    found: Rates,
    base: str,
    *,
    unit: str,
    goals: Sequence[AtLeast] = (),
    each: str = "event",
) -> str:
    """The Markdown table: rate, ratio to *base*, CPU time, goal and verdict."""
    wanted = {goal.row: goal for goal in goals}
    heads = ["", unit, f"ratio to {base}", f"CPU µs an {each}"]
    if each != "event":
        heads[-1] = f"CPU µs a {each}"
    if goals:
        heads.append("goal")
    lines = [
        "| " + " | ".join(heads) + " |",
        "| --- " + "| ---: " * (len(heads) - 1) + "|",
    ]
    for name, ratio in harness.ratios(found.rate, base).items():
        middle, cpu = statistics.median(ratio), statistics.median(found.cpu[name])
        cells = [
            name,
            f"{statistics.median(found.rate[name]):,.0f}",
            f"{middle:.2f} ({min(ratio):.2f} to {max(ratio):.2f})",
            harness.short(cpu),
        ]
        if goals:
            cells.append(_verdict(middle, cpu, wanted.get(name)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _verdict(ratio: float, cpu: float, goal: AtLeast | None) -> str:
    if goal is None:
        return ""
    told = [f"≥ {goal.ratio:g}: {'met' if ratio >= goal.ratio else '**missed**'}"]
    if goal.cpu is not None:
        reached = "met" if cpu <= goal.cpu else "**missed**"
        told.append(f"≤ {goal.cpu:g} µs: {reached}")
    return ", ".join(told)
