"""Holds this repository to its laws."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tools.checks import build_laws, graph_laws, lock_laws, python_laws, text_laws
from tools.checks.law import Law
from tools.checks.repository import Repository

MODULES = (graph_laws, build_laws, python_laws, text_laws, lock_laws)
LAWS: list[Law] = [law for module in MODULES for law in module.LAWS]


@cache
def this_repository() -> Repository:
    """Everything below //:tree and //:graphs, from the runfiles of this test."""
    root = Path.cwd()
    paths = (root / "tools/checks/tree.txt").read_text().split()
    return Repository.load(root, paths, sorted(root.rglob("graph.json")))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Law) -> None:
    """The law holds everywhere. Each line below is one place where it does not."""
    findings = sorted(law(this_repository()))

    assert not findings, "\n" + "\n".join(map(str, findings))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_law_is_in_force(module: ModuleType) -> None:
    """One that was written and not listed would never run."""
    written = [
        function
        for name, function in vars(module).items()
        if not name.startswith("_")
        and getattr(function, "__module__", "") == module.__name__
        and getattr(function, "__annotations__", {}).get("return")
        == "Iterator[Finding]"
    ]

    assert list(module.LAWS) == written


def test_there_is_something_to_check() -> None:
    """An empty tree or graph would keep every law."""
    repository = this_repository()

    assert {"BUILD.bazel", "tools/checks/tests/laws_test.py"} <= repository.files.keys()
    assert "//tools/checks:tests/python_laws_test" in repository.targets
    assert "shared/errors" in repository.kernel_packages
