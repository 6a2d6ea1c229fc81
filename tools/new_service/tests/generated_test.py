"""A generated service passes its own tests, on the kernel as it is now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.new_service.new_service import main


@pytest.mark.parametrize(
    ("name", "title"),
    [("user-service", "User Service"), ("page-service", "\"'{{ \\ $x ü")],
)
def test_a_generated_service_passes_its_tests(
    root: Path, name: str, title: str
) -> None:
    """All of them, but those that need a server, which run where Bazel builds it."""
    assert main([name, "8005", "--title", title]) == 0
    (root / "pyproject.toml").write_text(Path("pyproject.toml").read_text())
    tests = [
        str(path.relative_to(root))
        for path in sorted(root.glob("services/*/tests/*_test.py"))
        if not path.name.endswith("_server_test.py")
    ]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *tests],
        cwd=root,
        env={
            "PYTHONPATH": ":".join([str(root), *map(os.path.abspath, sys.path)]),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(tests) >= 3
    assert done.returncode == 0, done.stdout + done.stderr
    left = [p for p in root.rglob("*") if p.suffix in (".db", ".log")]
    assert left == []


def test_a_revision_is_judged_at_once_and_passes_the_lint(
    root: Path, ruff: Path
) -> None:
    """Whatever its message: what the tests would say of it comes with the file."""
    assert main(["user-service", "8005"]) == 0
    (root / "pyproject.toml").write_text(Path("pyproject.toml").read_text())
    folder = root / "services/user_service"
    with (folder / "_model.py").open("a") as model:
        model.write("    nickname: Mapped[str]\n")

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "services.user_service",
            "revision",
            "café \\x, the API",
        ],
        cwd=root,
        env={
            "BUILD_WORKSPACE_DIRECTORY": str(root),
            "PYTHONPATH": ":".join([str(root), *map(os.path.abspath, sys.path)]),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    _, path, finding = done.stdout.splitlines()
    assert path.isascii()
    assert "adds users.nickname, NOT NULL without a server_default" in finding
    source = (folder / path).read_text(encoding="utf-8")
    assert source.startswith('"""Café \\u005cx, the API."""\n')
    for command in (["check"], ["format", "--check", "--diff"]):
        linted = subprocess.run(
            [ruff, *command, "--no-cache", "services"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert linted.returncode == 0, linted.stdout + linted.stderr
