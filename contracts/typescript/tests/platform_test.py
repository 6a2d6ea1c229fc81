"""The generated client of the API Platform against a server with its stand-ins."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.typescript.needs_node import needs_package
from contracts.typescript.node import Node
from contracts.typescript.tests.readme import snippets
from contracts.typescript.tests.serving import listening

PROGRAM = Path("contracts/typescript/tests/platform.mts")
PLATFORM = Path("services/api_platform/api_platform").absolute()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node, with the package installed."""
    return needs_package(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its SQLite file and its keys."""
    return tmp_path_factory.mktemp("platform")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """Where the server listens: a process of its own, on a free port."""
    environment = {**os.environ, "SERVER_PORT": "0", "STANDIN_SECONDS": "0"}
    with subprocess.Popen(
        [PLATFORM], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield listening(process)
        finally:
            process.kill()


@pytest.fixture
def token(url: str, folder: Path) -> str:
    """A user's, as the command makes it with the keys of the server."""
    done = subprocess.run(
        [PLATFORM, "token"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_readmes_client_gets_a_key_and_reads_its_job(
    node: Node, url: str, token: str, tmp_path: Path
) -> None:
    """The key is made with a user's token, the generation with the key."""
    program = snippets(tmp_path)["generate.mts"]
    done = node.run(program, url, token)

    assert done.stderr == ""
    assert re.fullmatch(r"[0-9a-f-]{36} is Completed\n", done.stdout)


def test_codes_narrow_problems(node: Node, url: str, token: str) -> None:
    """At the compiler, see compile_test, and with what the service answers."""
    done = node.run(PROGRAM, url, token)

    assert done.stderr == ""
    assert done.stdout == (
        "401 authentication_failed; 404 resource_not_found; 403 scope_missing; "
        "401 authentication_failed\n"
    )
