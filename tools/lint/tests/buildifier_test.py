"""Every BUILD and .bzl file is formatted, and buildifier's lints are clean."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def buildifier() -> Path:
    """The program, from the repository rule that finds or fetches it."""
    found = sorted(Path("..").glob("*creativeflow_kernel_buildifier/buildifier"))
    program = found[0].resolve()
    if not os.access(program, os.X_OK):
        reason = program.read_text().strip()
        if os.environ.get("CI"):
            pytest.fail(f"buildifier is needed in CI: {reason}")
        pytest.skip(f"buildifier: {reason}")
    return program


def test_build_files_are_formatted_and_lint_clean() -> None:
    """The formatter has nothing to change and nothing to warn of."""
    files = [
        str(path)
        for path in Path().rglob("*")
        if path.suffix in (".bzl", ".bazel") or path.name == "WORKSPACE"
    ]
    result = subprocess.run(
        # kernel_package() and the repository macros make fixed names: no name to give.
        [
            buildifier(),
            "-mode=diff",
            "-lint=warn",
            "-warnings=-unnamed-macro",
            *files,
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "BUILD.bazel" in files
    assert result.returncode == 0, result.stdout + result.stderr
