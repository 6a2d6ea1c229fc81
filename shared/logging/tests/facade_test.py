"""Tests of what the package shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from shared import logging as kernel_logging


def run(program: str) -> str:
    """Return what *program* prints in a fresh interpreter."""
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", env=environment
    )
    return done.stdout


def test_all_names_what_is_public() -> None:
    """``__all__`` holds the public names, all of them and no others."""
    public = {
        name
        for name, value in vars(kernel_logging).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(kernel_logging.__all__) == public


def test_the_readme_s_example_runs() -> None:
    """What a reader pastes gives the line printed below it, but for the time."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    program, line = re.findall(r"^```\w+\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)

    said = run(program).splitlines()

    printed, real = json.loads(line), json.loads(said[0])
    changing = {"timestamp", "module"}
    assert list(real) == list(printed)
    assert {k: real[k] for k in {*real} - changing} == {
        k: printed[k] for k in {*printed} - changing
    }
    assert json.loads(said[1])["data"] == {"user_id": 7}


def test_import_needs_no_slow_module() -> None:
    """Importing the package loads neither dataclasses nor a third-party module."""
    program = (
        "import sys; before = set(sys.modules); import shared.logging;"
        "print(*sorted(m.partition('.')[0] for m in set(sys.modules) - before))"
    )

    loaded = set(run(program).split())
    assert loaded.isdisjoint({"asyncio", "dataclasses", "decimal", "inspect", "uuid"})
    assert loaded - sys.stdlib_module_names == {"shared"}
