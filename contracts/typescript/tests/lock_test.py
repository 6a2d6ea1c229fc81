"""What package-lock.json pins, and what it must not say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path("contracts/typescript")


def load(name: str) -> dict[str, Any]:
    """A file of npm's."""
    content: dict[str, Any] = json.loads((HERE / name).read_text())
    return content


def test_every_package_has_a_hash_and_no_address() -> None:
    """Whichever registry a machine reaches, the bytes are the same."""
    packages = load("package-lock.json")["packages"]
    own = packages.pop("")
    without = [
        name
        for name, package in packages.items()
        if not package.get("integrity", "").startswith("sha512-")
    ]

    assert own["name"] == load("package.json")["name"]
    assert len(packages) > 100
    assert without == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_what_we_ask_for_is_one_version() -> None:
    """The lock has it, so the package names what it was tested with."""
    package = load("package.json")
    asked = package["devDependencies"] | package["optionalDependencies"]
    locked = load("package-lock.json")["packages"]

    assert [v for v in asked.values() if not re.fullmatch(r"\d+\.\d+\.\d+", v)] == []
    assert {name: locked[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_node_is_of_one_long_term_release() -> None:
    """On each kind of machine."""
    node = load("package.json")["optionalDependencies"]

    assert {version.partition(".")[0] for version in node.values()} == {"24"}
    assert {name.rpartition("-")[2] for name in node} == {"arm64", "x64"}
