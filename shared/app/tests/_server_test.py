"""A service as a process: how it starts, and how it stops."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.app._server import address_of, listen

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

    def ask(self, path: str) -> http.client.HTTPConnection:
        """Send a request and do not wait for its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connections.append(connection)
        connection.request("GET", path)
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


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99999), ("no such host", 0)])
def test_an_address_that_is_none(host: str, port: int) -> None:
    """A port over 65535, a host that nobody knows: one clear line too."""
    with pytest.raises(ValueError, match=f"cannot listen on {host}:{port}: "):
        listen(host, port)


def test_an_ipv6_address_has_brackets() -> None:
    """As it stands in a URL."""
    with listen("::1", 0) as listener:
        port = listener.getsockname()[1]

        assert address_of(listener) == f"[::1]:{port}"
