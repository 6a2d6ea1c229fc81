"""Node and Python agree on every vector of the bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.typescript.needs_node import needs_package
from contracts.typescript.node import Node

HERE = Path("contracts/typescript")
BUNDLE = Path("contracts/current")
USER = "vectors/dtos/UserCreateDTO.json"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node, with the package installed."""
    return needs_package(tmp_path_factory.mktemp("node"))


def verdicts(node: Node, bundle: Path) -> dict[str, Any]:
    """What Node says of *bundle*."""
    done = node.run(HERE / "tests/vectors.mjs", bundle.absolute())
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_verdicts_differ_nowhere(node: Node) -> None:
    """Valid, and invalid at the same place for the same keyword.

    Or else the vectors list the difference with its reason: what no keyword can say,
    and what Python reads otherwise than it writes.
    """
    report = verdicts(node, BUNDLE)
    manifest = json.loads((BUNDLE / "manifest.json").read_text())
    versions = [each["versions"] for each in manifest["events"].values()]

    assert report["differences"] == []
    assert report["schemas"] == len(manifest["dtos"]) + sum(map(len, versions))
    assert report["valid"] >= 3 * report["schemas"]
    assert report["invalid"] >= report["schemas"]
    assert all(each["reason"] for each in report["listed"])


def vector(name: str, document: object, **where: str) -> dict[str, Any]:
    """One that a schema must refuse."""
    return {"name": name, "document": document, "schema_accepts": False, **where}


def test_a_difference_is_said_by_name(node: Node, tmp_path: Path) -> None:
    """Of each kind: else the test above would be worth nothing."""
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle", symlinks=False))
    path = bundle / USER
    vectors = json.loads(path.read_text())
    vectors["valid"] = [{"name": "no object", "document": 7}]
    good = {"email": "ada@example.com", "password": "Correct-Horse-9"}
    bad = {"email": "ada@example.com"}
    vectors["invalid"] = [
        vector("a good one", good, pointer="", keyword="type"),
        vector("bad elsewhere", bad, pointer="/password", keyword="minLength"),
    ]
    vectors["differs"] = [
        {
            "name": "another opinion",
            "document": good,
            "reader": False,
            "schema": False,
            "reason": "made up",
        }
    ]
    path.unlink()
    path.write_text(json.dumps(vectors))

    assert verdicts(node, bundle)["differences"] == [
        {
            "file": USER,
            "vector": "no object",
            "verdict": "refused",
            "issues": [" type"],
        },
        {"file": USER, "vector": "a good one", "verdict": "accepted"},
        {
            "file": USER,
            "vector": "bad elsewhere",
            "verdict": "not refused for minLength at /password",
            "issues": [" required"],
        },
        {"file": USER, "vector": "another opinion", "verdict": "accepted"},
    ]
