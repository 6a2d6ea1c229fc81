"""The real export, installed by the command that it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.wheels.warehouse import INDEX, Environment, Warehouse
from tools.vendor.vendor import main

LOCK = "requirements_lock.txt"
TARGETS = ["//shared/dtos", "//shared/auth", "//shared/errors:handlers"]
WAREHOUSE = Warehouse.open()


@pytest.fixture(scope="module")
def vendored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `//tools/vendor` writes for a few targets."""
    out = tmp_path_factory.mktemp("vendor") / "out"
    assert main(str(INDEX), LOCK, [*TARGETS, "--out", str(out)]) == 0
    return out


def test_an_empty_environment_installs_from_the_folder_alone(
    vendored: Path, tmp_path: Path
) -> None:
    """Every wheel that is needed is there, with the hash that is asked for."""
    environment = Environment.create(tmp_path / "environment")

    environment.install(
        "--find-links",
        str(vendored),
        "--require-hashes",
        "-r",
        str(vendored / "requirements.txt"),
    )

    assert environment.pip("check") == "No broken requirements found.\n"
    imported = environment.python(
        "-c", "import shared.dtos, shared.auth, shared.errors.handlers"
    )
    assert imported.returncode == 0, imported.stderr
    wheels = sorted(path.name.partition("-")[0] for path in vendored.glob("*.whl"))
    assert [n.replace("-", "_") for n in environment.installed()] == wheels


def test_the_folder_lists_everything_it_holds(vendored: Path) -> None:
    """SHA256SUMS, requirements.txt and the SBOM speak of the same wheels."""
    held = {path.name for path in vendored.iterdir()} - {"SHA256SUMS"}
    sums = (vendored / "SHA256SUMS").read_text().splitlines()
    bom = (vendored / "sbom.cdx.json").read_text()

    assert {line.partition("  ")[2] for line in sums} == held
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom) is None
    wheels = [line.split() for line in sums if line.endswith(".whl")]
    assert wheels
    assert not [digest for digest, _ in wheels if digest not in bom]


def test_first_party_wheels_install_beside_an_index(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Third-party wheels then come from elsewhere, and are still pinned."""
    out = tmp_path / "out"
    elsewhere = WAREHOUSE.stock(tmp_path_factory.mktemp("index"))
    code = main(
        str(INDEX), LOCK, ["//shared/dtos", "--out", str(out), "--first-party-only"]
    )
    environment = Environment.create(tmp_path / "environment")

    environment.install(
        "--find-links",
        str(out),
        "--find-links",
        str(elsewhere),
        "--require-hashes",
        "-r",
        str(out / "requirements.txt"),
    )

    assert code == 0
    assert {path.name.partition("_shared")[0] for path in out.glob("*.whl")} == {
        "creativeflow"
    }
    assert environment.pip("check") == "No broken requirements found.\n"
