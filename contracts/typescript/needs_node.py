"""Node for tests: none is a skip on a desk and a failure in CI. Needs pytest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from contracts.typescript.node import Node, NodeMissingError, refuse_note

_PACKAGE = Path(__file__).parent / "made.tgz"


def needs_node(folder: Path) -> Node:
    """Node with its packages in *folder*; without it the test ends here."""
    try:
        return Node.unpack(folder)
    except NodeMissingError as error:
        _end(error)


def needs_package(folder: Path) -> Node:
    """As `needs_node`, with ``@creativeflow/contracts`` installed."""
    node = needs_node(folder)
    try:
        refuse_note(_PACKAGE)
    except NodeMissingError as error:
        _end(error)
    target = node.folder / "node_modules/@creativeflow/contracts"
    target.mkdir(parents=True)
    subprocess.run(  # noqa: S603 - of the build
        ["tar", "-C", target, "--strip-components=1", "-xzf", _PACKAGE],  # noqa: S607
        check=True,
    )
    return node


def _end(error: NodeMissingError) -> NoReturn:
    reason = f"Node and its packages: {error}."
    if os.environ.get("CI"):
        pytest.fail(f"{reason} CI is set, so this is not skipped.", pytrace=False)
    pytest.skip(reason)
