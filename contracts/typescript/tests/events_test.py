from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from contracts.typescript.needs_node import needs_package
from contracts.typescript.node import Node

CASES = Path("contracts/typescript/tests/events.test.mjs")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Node, with the package installed."""
    return needs_package(tmp_path)


def test_events_are_read_and_written_as_python_does(node: Node) -> None:
    """The cases are Node's own, so that they are written as its users write."""
    program = node.put(CASES)
    done = subprocess.run(
        [node.program, "--test", "--test-reporter=tap", program.name],
        cwd=node.folder,
        env=node.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "# pass 0\n" not in done.stdout
    assert "# fail 0\n" in done.stdout
