"""The README's session, run as it stands against the real command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path("examples/accounts")
PROGRAM = HERE / "accounts"
ADMIN = {"ADMIN_PASSWORD": "Admins-Only-2026"}


class Server:
    """The command, running: where it listens and what it has logged."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.url = self.wait_for("listening on ").split()[2].rstrip(",")

    def wait_for(self, start: str) -> str:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.append(json.loads(text))
            message: str = self.lines[-1]["message"]
            if message.startswith(start):
                return message
        raise AssertionError(f"it ended without {start!r}: {self.lines}")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        rest, self.err = self.process.communicate(timeout=30)
        self.lines += [json.loads(text) for text in rest.splitlines()]
        return self.process.returncode


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Run the command without waiting for it."""
    return subprocess.Popen(
        [PROGRAM, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def server() -> Iterator[Server]:
    """The command on a free port, with an admin."""
    process = start("--port=0", **ADMIN)
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()


def session() -> str:
    """The sh block of the README."""
    (block,) = re.findall(
        r"```sh\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL
    )
    return str(block)


def test_the_readmes_session_works_when_pasted(server: Server) -> None:
    """Each call of it gets the answer the README promises."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session()],
        env=os.environ | {"API": server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")

    bodies, _, last = done.stdout.partition("HTTP/1.1 ")
    replies = list(_json_values(bodies))
    shown = [reply.get("status", reply.get("full_name")) for reply in replies]
    assert shown == [None, 422, None, "Ada Lovelace", 403, None]
    assert [u["email"] for u in replies[-1]["items"]] == [
        "admin@example.com",
        "ada@example.com",
    ]
    assert last.startswith("401 ")
    assert "x-correlation-id: try-it-42" in last

    assert server.stop() == 0
    access = [line for line in server.lines if line.get("status") == 401]
    assert [line["correlation_id"] for line in access] == ["try-it-42"]
    secrets = ("Correct-Horse-9", "Admins-Only-2026", "eyJ")
    assert not any(secret in json.dumps(server.lines) for secret in secrets)


def _json_values(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        text = text[end:]
        yield value


def test_every_line_of_one_request_has_its_correlation_id(server: Server) -> None:
    """The request, its event and its handler carry one id, and each line is JSON."""
    done = subprocess.run(
        [
            "curl", "-sS", f"{server.url}/users", "-H", "X-Correlation-ID: one-id",
            "-H", "Content-Type: application/json",
            "-d", '{"email": "ada@example.com", "password": "Correct-Horse-9"}',
        ],
        capture_output=True,
        check=True,
    )  # fmt: skip
    server.wait_for("user.registered was handled")
    assert server.stop() == 0

    ours = [x["message"] for x in server.lines if x["correlation_id"] == "one-id"]
    assert b'"ada@example.com"' in done.stdout
    assert sorted(ours) == [
        "request",
        "user.registered",
        "user.registered was handled.",
    ]


def test_a_taken_port_is_one_clear_line(server: Server) -> None:
    """Nothing is started, and the way out is named."""
    port = server.url.rpartition(":")[2]
    process = start(f"--port={port}")

    out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "listening" not in out
    assert re.fullmatch(r"accounts: cannot listen on .* choose another .*\n", err)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["--port=0"], {"LOG_LEVEL": "LOUD"}, 1, "LOG_LEVEL"),
        (["--port=99999"], {}, 1, "cannot listen"),
        (["--port=x"], {}, 2, "invalid int value"),
        (["--port=0"], {"SECRET_KEY": "short"}, 1, "SECRET_KEY"),
    ],
)
def test_a_wrong_start_says_what_is_wrong(
    arguments: list[str], environment: dict[str, str], code: int, message: str
) -> None:
    """One line on stderr, no traceback, a non-zero exit."""
    process = start(*arguments, **environment)

    _, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_port_is_free_again_after_a_stop(
    server: Server, by: signal.Signals
) -> None:
    """Either signal ends it with 0, no traceback, and leaves nothing behind."""
    port = int(server.url.rpartition(":")[2])
    server.wait_for("Application startup complete")

    assert (server.stop(by), server.err) == (0, "")
    with socket.create_server(("127.0.0.1", port)) as listener:
        assert listener.getsockname()[1] == port
