"""A module of the package works without the rest of it, as a target in Bazel does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import shared.dtos.base
import shared.validation

MULTIARCH = getattr(sys.implementation, "_multiarch", "")
BASE = Path(shared.dtos.base.__file__).parent
VALIDATION = Path(shared.validation.__file__).parent

PROGRAM = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
before = set(sys.modules)
importlib.import_module(sys.argv[2])
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
assert not hasattr(sys.modules["shared.dtos"], "BaseDTO")
print(json.dumps(sorted(loaded - sys.stdlib_module_names)))
"""
PYDANTIC = {
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}
INTERPRETER = {f"_sysconfigdata_{sys.abiflags}_{sys.platform}_{MULTIARCH}"}

NEEDS = {
    "base": [],
    "common": ["base"],
    "user": ["base", "_fields"],
    "auth": ["base", "_fields", "user"],
    "project": ["base", "_fields"],
    "generation": ["base", "common"],
    "team": ["base", "_fields"],
}


@pytest.mark.parametrize("module", NEEDS)
def test_a_module_needs_what_its_target_says(module: str, tmp_path: Path) -> None:
    """Without facade and neighbours it imports, and pulls in pydantic alone."""
    package = tmp_path / "shared" / "dtos"
    package.mkdir(parents=True)
    for name in [module, *NEEDS[module]]:
        shutil.copyfile(BASE / f"{name}.py", package / f"{name}.py")
    (tmp_path / "shared" / "validation").mkdir()
    for file in VALIDATION.glob("*.py"):
        shutil.copyfile(file, tmp_path / "shared" / "validation" / file.name)

    # Neither the working directory nor PYTHONPATH may lead back to the repository.
    libraries = [p for p in sys.path if p and not Path(p, "shared", "dtos").exists()]
    paths = json.dumps([str(tmp_path), *libraries])
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, paths, f"shared.dtos.{module}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.stderr == ""
    loaded = set(json.loads(done.stdout))
    assert {"shared", "pydantic"} <= loaded <= {"shared", *PYDANTIC, *INTERPRETER}
