"""The generated client against a running service."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.typescript.needs_node import needs_package
from contracts.typescript.node import Node
from contracts.typescript.tests.readme import snippets
from contracts.typescript.tests.serving import listening

HERE = Path("contracts/typescript")
ACCOUNTS = Path("examples/accounts/accounts")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node, with the package installed."""
    return needs_package(tmp_path_factory.mktemp("node"))


@pytest.fixture
def url() -> Iterator[str]:
    """Where the service listens: a process of its own, on a free port."""
    with subprocess.Popen(
        [ACCOUNTS, "--port=0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield listening(process)
        finally:
            process.kill()


def test_the_readmes_client_registers_logs_in_and_reads(
    node: Node, url: str, tmp_path: Path
) -> None:
    """Once the address is new, and then it is taken."""
    program = snippets(tmp_path)["client.mts"]
    arguments = (url, "ada@example.com", "Correct-Horse-9")
    first = node.run(program, *arguments)
    second = node.run(program, *arguments)

    assert (first.stderr, second.stderr) == ("", "")
    assert first.stdout == "ada@example.com has 0 credits\nfree\n"
    assert second.stdout == "ada@example.com is taken\nfree\n"


def test_codes_narrow_problems(node: Node, url: str) -> None:
    """At the compiler, see compile_test, and with what the service answers."""
    done = node.run(HERE / "tests/problems.mts", url)

    assert done.stderr == ""
    assert done.stdout == "choose another address; look at 2 fields; log in\n"
