"""The schemas of one module: what the bundle says, without the rest of the kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.contracts.module_schemas import main

MODULES = ["auth", "common", "generation", "project", "team", "user"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_the_bundle_says(module: str) -> None:
    """There is one contract, and two ways to it."""
    compound = json.loads(Path(f"shared/dtos/{module}_schema.json").read_text())

    for name, document in compound["$defs"].items():
        whole = json.loads(
            Path(f"contracts/current/dtos/{name}.schema.json").read_text()
        )
        # Who writes it may depend on modules that this one does not know.
        assert whole | {"x-direction": document["x-direction"]} == document
    assert compound["$defs"]


def test_a_module_needs_no_other_than_it_imports() -> None:
    """So a change of projects exports no users: `kernel_schema` takes one target."""
    graph = json.loads(Path("shared/dtos/graph.json").read_text())
    module = next(each for each in graph if each["label"] == "//shared/dtos:user")

    reached = {label for label in module["first_party"] if "/dtos:" in label}
    assert reached == {
        "//shared/dtos:_fields",
        "//shared/dtos:base",
        "//shared/dtos:user",
    }


def test_a_module_without_dtos_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty file would look like a contract."""
    out = tmp_path / "out.json"

    assert main(["shared.dtos.base", str(out)]) == 1
    assert capsys.readouterr().err == "shared.dtos.base defines no DTO.\n"
    assert not out.exists()
