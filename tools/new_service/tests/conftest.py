from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def ruff() -> Path:
    """The program that //tools/lint unpacks, or outside Bazel an installed one."""
    unpacked = Path("tools/lint/bin/ruff")
    found = unpacked if unpacked.exists() else Path(shutil.which("ruff") or "ruff")
    return found.absolute()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace without services, told to the generator as `bazel run` does."""
    mark = tmp_path / "checkout" / "tools/bazel/python.bzl"
    mark.parent.mkdir(parents=True)
    mark.write_text("")
    checkout = tmp_path / "checkout"
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(checkout))
    return checkout
