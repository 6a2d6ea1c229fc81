"""A generated service in a copy of this repository, built by Bazel.

It runs Bazel, so it runs outside the sandbox and not with the others:

    KERNEL_BAZEL=$PWD/bazelw ./bazelw test //tools/new_service:tests/real_build_test

KERNEL_BAZEL is the command, with startup options if it needs some.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tools.new_service.new_service import main

TITLE = 'User\'s "Service" {{ $x }}'


@dataclass(frozen=True)
class Workspace:
    """The copy, and a Bazel of its own for it."""

    root: Path
    output: Path
    command: tuple[str, ...]

    def bazel(self, *arguments: str) -> tuple[int, str]:
        """Run Bazel and return exit code and output."""
        done = subprocess.run(
            [*self.command, f"--output_base={self.output}", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The copy with a service; its Bazel server and output go at the end."""
    command = shlex.split(os.environ.get("KERNEL_BAZEL", ""))
    if not command:
        pytest.fail("KERNEL_BAZEL must name the Bazel to test with, such as ./bazelw.")
    root = tmp_path_factory.mktemp("workspace")
    here = Path.cwd()
    for name in (here / "tools/new_service/tree.txt").read_text().split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here / name, root / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILD_WORKSPACE_DIRECTORY", str(root))
        assert main(["user-service", "8005", "--title", TITLE]) == 0
    made = Workspace(root, tmp_path_factory.mktemp("output"), tuple(command))
    yield made
    made.bazel("clean", "--expunge")


@pytest.mark.parametrize(
    "targets",
    [
        ("//services/...",),
        ("//tools/checks:tests/laws_test", "//tools/lint:tests/buildifier_test"),
    ],
    ids=["its own tests, lint and types", "the laws of the repository"],
)
def test_passes(workspace: Workspace, targets: tuple[str, ...]) -> None:
    """As it was generated, without a change."""
    code, output = workspace.bazel("test", "--curses=no", *targets)

    assert code == 0, output


def test_serves_at_once(workspace: Workspace) -> None:
    """`bazel run` answers, keeps its data in its folder, and stops clean."""
    script = workspace.root / "run.sh"
    code, output = workspace.bazel(
        "run", "--curses=no", f"--script_path={script}", "//services/user_service"
    )
    assert code == 0, output
    process = subprocess.Popen(
        [script],
        env=os.environ | {"SERVER_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        listening = next(line for line in lines if "listening on " in line)
        port = int(json.loads(listening)["message"].rpartition(":")[2])
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        body, kind = b'{"name": "First"}', {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/users", body, kind)
        reply = connection.getresponse()
        assert (reply.status, json.load(reply)["name"]) == (201, "First")
        connection.close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 0
    assert (workspace.root / "services/user_service/user-service.db").exists()


def test_has_no_drift(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """After all that, the sources are as they were made."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(workspace.root))

    assert main(["drift", "user-service"]) == 0
