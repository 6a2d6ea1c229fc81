"""A service as a process: how it starts, and how it stops."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.app import Service, _server
from shared.app._server import address_of, listen
from shared.testing import captured_logs

PROGRAM = Path(__file__).with_name("stoppable.py")


class Process:
    """The program, running: its port and what it has logged."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[dict[str, Any]] = []
        self.connections: list[http.client.HTTPConnection] = []
        path = os.pathsep.join(filter(None, sys.path))
        self.popen = subprocess.Popen(
            [sys.executable, "-P", PROGRAM, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines]

    def wait_for(self, message: str) -> str:
        assert self.popen.stdout is not None
        for text in self.popen.stdout:
            self.lines.append(json.loads(text))
            if message in self.messages[-1]:
                return self.messages[-1]
        raise AssertionError(f"it ended without {message!r}: {self.messages}")

    def started(self) -> Process:
        self.port = int(self.wait_for("listening on ").rpartition(":")[2])
        self.wait_for("Application startup complete")
        return self

    def ask(self, path: str, **headers: str) -> http.client.HTTPConnection:
        """Send a request and do not wait for its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connections.append(connection)
        connection.request("GET", path, headers=headers)
        return connection

    def status(self, path: str) -> int:
        return self.ask(path).getresponse().status

    def signal(self, by: signal.Signals = signal.SIGTERM) -> None:
        self.popen.send_signal(by)

    def ended(self) -> int:
        """Wait for the end and return the exit code."""
        rest, self.err = self.popen.communicate(timeout=60)
        self.lines += [json.loads(text) for text in rest.splitlines()]
        return self.popen.returncode

    def clean_up(self) -> None:
        self.popen.kill()
        self.popen.communicate()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start the program, and leave none behind."""
    processes: list[Process] = []

    def start(
        *more: str, shutdown_timeout: float = 30, drain_delay: float = 0, port: int = 0
    ) -> Process:
        numbers = (shutdown_timeout, drain_delay, port)
        process = Process(*map(str, numbers), *more)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.clean_up()


Start = Callable[..., Process]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_service_stops_with_0(start: Start, by: signal.Signals) -> None:
    """Either signal: resources close in reverse, no traceback, the port is free."""
    process = start().started()

    process.signal(by)

    assert (process.ended(), process.err) == (0, "")
    closed = [message for message in process.messages if message.endswith("closed")]
    assert closed == ["second closed", "first closed"]
    assert f"{by.name}: stopping" in process.messages
    with socket.create_server(("127.0.0.1", process.port)) as listener:
        assert listener.getsockname()[1] == process.port


@pytest.mark.parametrize(
    ("trusted", "client"), [([], "127.0.0.1"), (["127.0.0.0/8"], "192.0.2.7")]
)
def test_only_a_proxy_that_is_named_is_believed(
    start: Start, trusted: list[str], client: str
) -> None:
    """Anyone can send the header, and would have a rate limit for each address."""
    process = start(*trusted).started()

    reply = process.ask("/client", **{"X-Forwarded-For": "192.0.2.7"}).getresponse()

    assert json.loads(reply.read()) == client


def test_a_request_under_way_finishes(start: Start) -> None:
    """SIGTERM comes in the middle of it: it is answered, and then the service ends."""
    process = start(drain_delay=3600, shutdown_timeout=3600).started()
    waiting = process.ask("/hold")
    process.wait_for("holding")

    process.signal()
    process.wait_for("SIGTERM: stopping")
    ready = process.status("/health/ready")
    alive = process.status("/health/live")
    process.status("/release")
    reply = waiting.getresponse()

    assert (ready, alive) == (503, 200)
    assert (reply.status, reply.read()) == (200, b'"finished"')


def test_intake_stops_and_a_stream_is_sent_to_its_end(start: Start) -> None:
    """The stream goes on until it finds that new connections are refused."""
    process = start(shutdown_timeout=3600).started()
    stream = process.ask("/until-intake-stops").getresponse()
    process.wait_for("holding")

    process.signal()

    assert stream.read() == b"begun finished"
    assert process.ended() == 0


@pytest.mark.parametrize("path", ["/hold", "/endless"])
def test_what_does_not_finish_is_cancelled(start: Start, path: str) -> None:
    """After shutdown_timeout the service ends all the same, and closes what it has."""
    process = start(shutdown_timeout=1).started()
    process.ask(path)
    process.wait_for("holding")

    process.signal()

    assert process.ended() == 0
    assert process.messages.count("second closed") == 1


def test_a_thread_that_does_not_end_is_cut_off(start: Start) -> None:
    """It can't be cancelled, so the process ends under it."""
    process = start(shutdown_timeout=0).started()
    process.ask("/thread")
    process.wait_for("holding")

    process.signal()

    assert process.ended() == 1
    assert "The stop took too long; what still runs is cut off." in process.messages
    assert process.messages.count("first closed") == 1


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    """Neither the drain delay nor the requests under way are waited for."""
    process = start(drain_delay=3600, shutdown_timeout=3600).started()
    process.ask("/hold")
    process.wait_for("holding")

    process.signal()
    process.wait_for("SIGTERM: stopping")
    process.signal()

    assert process.ended() == 1
    assert process.messages.count("second closed") == 1


def test_a_taken_port_is_one_clear_line(start: Start) -> None:
    """Nothing is started, and the way out is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(port=port)
        code = process.ended()

    assert (code, process.lines) == (1, [])
    assert process.err.startswith(f"stoppable: cannot listen on 127.0.0.1:{port}: ")
    assert process.err.endswith("or choose another one with PORT.\n")
    assert process.err.count("\n") == 1


def test_a_resource_that_does_not_open_is_one_clear_line(start: Start) -> None:
    """What was open is closed, there is no traceback, and the exit code is 1."""
    process = start("broken")

    assert (process.ended(), process.err) == (1, "")
    errors = [line["message"] for line in process.lines if line["level"] == "ERROR"]
    assert errors == [
        (
            "Resource 'broken' could not be opened: "
            "ConnectionRefusedError: nobody listens there"
        ),
        "Application startup failed. Exiting.",
    ]
    assert process.messages.count("second closed") == 1
    assert "Traceback" not in json.dumps(process.lines)


# In this process, for what another one can't show


class Signalled(_server.Server):
    """A server that gets its signals as soon as it has started."""

    signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for by in self.signals:
            signal.raise_signal(by)


class SignalledTwice(Signalled):
    signals = (signal.SIGTERM, signal.SIGINT)


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("drain_delay", [0, 0.01])
def test_run_returns_after_a_stop(
    make: Callable[..., Service], monkeypatch: pytest.MonkeyPatch, drain_delay: float
) -> None:
    """What comes after it in a program is run, and nothing is left to end it."""
    monkeypatch.setattr(_server, "Server", Signalled)
    handlers = [signal.getsignal(by) for by in (signal.SIGTERM, signal.SIGINT)]
    service = make(server={"port": 0, "shutdown_delay": drain_delay})
    with captured_logs("shared.app", level=logging.INFO) as logs:
        service.run()

    assert logs.messages[-1] == "SIGTERM: stopping"
    assert handlers == [signal.getsignal(by) for by in (signal.SIGTERM, signal.SIGINT)]
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer)]


@pytest.mark.usefixtures("logging_restored")
def test_a_signal_before_the_start_is_over(
    make: Callable[..., Service],
) -> None:
    """It stops as soon as it can."""

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)
        yield

    service = make(server={"shutdown_delay": 3600}, lifespan=lifespan)
    service.run(host="127.0.0.1", port=0)


@pytest.mark.usefixtures("logging_restored")
def test_two_signals_in_this_process(
    make: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one makes it an exit with 1."""
    monkeypatch.setattr(_server, "Server", SignalledTwice)

    with pytest.raises(SystemExit, match=r"^1$"):
        make(server={"shutdown_delay": 3600}).run(port=0)


@pytest.mark.usefixtures("logging_restored")
def test_a_start_that_fails_in_this_process(make: Callable[..., Service]) -> None:
    """An exit with 1, and the port is free."""

    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        await _refused()
        yield

    service = make()
    service.add_resource("broken", broken)

    with pytest.raises(SystemExit, match=r"^1$"):
        service.run(port=0)


async def _refused() -> None:
    raise ConnectionRefusedError


def test_a_taken_port_in_this_process(
    make: Callable[..., Service], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is on stderr, where it is seen wherever the logs go."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=r"^1$"):
            make(server={"port": port}).run()

    assert capsys.readouterr().err.startswith("my-service: cannot listen on ")


def test_a_thread_that_is_busy_keeps_the_watchdog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the interpreter would wait for it, for as long as it likes."""
    monkeypatch.setattr(_server, "_MARGIN", 0.01)
    before = set(threading.enumerate())
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    busy = _server._any_busy(before)
    release.set()
    thread.join()

    assert (busy, _server._any_busy(before)) == (True, False)


def test_the_watchdog_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1, after the last lines are out."""
    ended: list[object] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(logging, "shutdown", lambda: ended.append("flushed"))
    with captured_logs("shared.app") as logs:
        _server._give_up()

    assert ended == ["flushed", 1]
    assert logs.messages == ["The stop took too long; what still runs is cut off."]


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99999), ("no such host", 0)])
def test_an_address_that_is_none(host: str, port: int) -> None:
    """A port over 65535, a host that nobody knows: one clear line too."""
    with pytest.raises(ValueError, match=f"cannot listen on {host}:{port}: "):
        listen(host, port)


def test_a_reply_is_not_held_back() -> None:
    """The kernel would keep its end until the client has acknowledged its beginning.

    That takes 40 ms and more, in each reply on a connection that is kept.
    """
    with listen("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
        with accepted:
            no_delay = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert no_delay != 0


def test_an_ipv6_address_has_brackets() -> None:
    """As it stands in a URL."""
    with listen("::1", 0) as listener:
        port = listener.getsockname()[1]

        assert address_of(listener) == f"[::1]:{port}"
