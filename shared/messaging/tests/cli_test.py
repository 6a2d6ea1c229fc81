"""The command line where there is no broker, and where it is used wrongly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import pytest

from shared.messaging.cli import main

PASSWORD = "hunter2-4711"


@pytest.fixture
def nowhere() -> str:
    """The address of a port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"amqp://ann:{PASSWORD}@127.0.0.1:{port}/"


@pytest.mark.parametrize(
    "command",
    [
        ["queues"],
        ["queues", "a.b", "--json"],
        ["peek", "a.b"],
        ["replay", "a.b.dead"],
        ["replay", "a.b.dead", "--dry-run"],
        ["purge", "a.b", "--yes"],
        ["purge", "a.b", "--dry-run"],
    ],
)
def test_no_broker(
    command: Sequence[str], nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, with the place and without the password."""
    code = main([*command, "--url", nowhere])

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("messaging: No connection to RabbitMQ at 127.0.0.1:")
    assert err.count("\n") == 1
    assert PASSWORD not in err


@pytest.mark.parametrize(
    "url",
    [
        f"http://ann:{PASSWORD}@localhost/",
        f"amqp://ann:{PASSWORD}@localhost:port/",
        f"amqp://:{PASSWORD}@/",
        PASSWORD,
        "",
    ],
)
def test_what_is_no_address(
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not repeated: who mistypes an address has a password in it all the same."""
    monkeypatch.delenv("RABBITMQ_URL", raising=False)

    code = main(["queues", "--url", url])

    err = capsys.readouterr().err
    assert (code, PASSWORD in err) == (2, False)
    assert err == (
        "messaging: The address of the broker must be amqp:// or amqps:// with a host "
        "(value hidden).\n"
    )


def test_the_address_of_the_environment(
    nowhere: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that services have."""
    monkeypatch.setenv("RABBITMQ_URL", nowhere)

    assert main(["queues"]) == 1
    assert nowhere.rpartition("@")[2].strip("/") in capsys.readouterr().err


def test_without_an_address_it_is_said_which_one_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody should purge a queue of another broker than he thinks."""
    monkeypatch.delenv("RABBITMQ_URL", raising=False)

    main(["purge", f"no-such-queue-{os.getpid()}", "--yes"])

    first = capsys.readouterr().err.splitlines()[0]
    assert first == "RABBITMQ_URL is not set: taking amqp://guest@localhost:5672/."


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["peek"], "Missing argument 'QUEUE'"),
        (["peek", ""], "QUEUE must have 1 to 250 bytes"),
        (["peek", "a\x1bb"], "QUEUE must have 1 to 250 bytes"),
        (["peek", "a" * 251], "QUEUE must have 1 to 250 bytes"),
        (["peek", "a.b", "-n", "0"], "Invalid value for '-n' / '--count'"),
        (["replay", "a.b"], "a.b holds no dead letters"),
        (["replay", ".dead"], ".dead holds no dead letters"),
        (["replay", "a.b.dead", "--to", "a.b.dead"], "--to is the queue itself"),
        (["replay", "a.b.dead", "--to", ""], "QUEUE must have 1 to 250 bytes"),
        (["replay", "a.b.dead", "--filter", ""], "--filter is empty"),
        (["replay", "a.b.dead", "--filter", "kind=a"], "--filter has conditions such"),
        (["replay", "a.b.dead", "--rate", "fast"], "--rate is messages per second"),
        (["replay", "a.b.dead", "--limit", "-1"], "Invalid value for '--limit'"),
        (["purge", "a.b", "--filter", "older=x", "--yes"], "--filter older= is a numb"),
        (["purge", "a.b", "--no-such-option"], "No such option: --no-such-option"),
        (["no-such-command"], "No such command 'no-such-command'"),
    ],
)
def test_wrong_arguments(
    command: Sequence[str],
    problem: str,
    nowhere: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, before anybody connects."""
    monkeypatch.setenv("RABBITMQ_URL", nowhere)

    code = main(command)

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("messaging: ")
    assert problem in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["queues", "peek", "replay", "purge"])
def test_the_help_of_each_command_tells_the_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who writes a script looks there."""
    assert main([command, "--help"]) == 0
    assert "130 interrupted" in " ".join(capsys.readouterr().out.split())


def test_as_a_program(nowhere: str) -> None:
    """By its module, as where the wheel is installed; without arguments it helps."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RABBITMQ_URL": nowhere,
    }
    program = [sys.executable, "-m", "shared.messaging.cli"]

    failed, helped = (
        subprocess.run(
            [*program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for arguments in (["queues"], [])
    )

    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert (helped.returncode, helped.stderr) == (2, "")
    assert "replay" in helped.stdout
