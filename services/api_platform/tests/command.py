"""The command, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "services.api_platform"]


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Run the command in *folder*, with no settings but *variables*."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={"PYTHONPATH": ":".join(map(os.path.abspath, sys.path)), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and output."""
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    return finish(start(folder, *arguments, **variables))


class Listening:
    """The command, which listens: on which port, and what it has said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.messages: list[str] = []
        message = self.wait_for("listening on http://")
        self.port = int(message.rpartition(":")[2])
        self.url = f"http://127.0.0.1:{self.port}"

    def wait_for(self, beginning: str) -> str:
        """The next message that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.messages.append(json.loads(line)["message"])
            if self.messages[-1].startswith(beginning):
                return self.messages[-1]
        raise AssertionError(f"it ended: {self.messages}")


@contextmanager
def listening(folder: Path, *arguments: str, **variables: str) -> Iterator[Listening]:
    """The command on any free port, killed at the end."""
    ports = {"SERVER_PORT": "0", "WORKER_PORT": "0"}
    process = start(folder, *arguments, **{**ports, **variables})
    try:
        yield Listening(process)
    finally:
        process.kill()
        process.communicate()
