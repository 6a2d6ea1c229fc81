"""What is in the wheels, held against the source tree."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from twine.commands.check import check

from tests.wheels.warehouse import Warehouse
from tools.vendor.wheels import Wheel
from tools.wheel.distributions import Distribution

WAREHOUSE = Warehouse.open()
NAMES = sorted(WAREHOUSE.ours)
PACKAGES = {
    distribution.name: sorted(distribution.packages)
    for distribution in WAREHOUSE.graph.distributions
}
NOT_SHIPPED = {"BUILD.bazel", "README.md"}


def names_of(wheel: Wheel) -> list[str]:
    """Every path in the wheel, in its order."""
    with zipfile.ZipFile(wheel.path) as archive:
        return archive.namelist()


def content(wheel: Wheel) -> dict[str, bytes]:
    """Path to bytes of everything beside the metadata."""
    with zipfile.ZipFile(wheel.path) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if ".dist-info/" not in name
        }


def sources(package: str) -> dict[str, bytes]:
    """The files of a package folder that are not tests, notes or build files."""
    folder = Path(package)
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in NOT_SHIPPED
        and path.suffix != ".whl"  # Bazel builds the wheel into the same folder
        and "tests" not in path.relative_to(folder).parts
    }


def metadata(name: str) -> Metadata:
    """The METADATA file, every field validated."""
    wheel = WAREHOUSE.ours[name]
    info = f"{name.replace('-', '_')}-{wheel.version}.dist-info/METADATA"
    with zipfile.ZipFile(wheel.path) as archive:
        return Metadata.from_email(archive.read(info))


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_exactly_the_sources_of_its_packages(name: str) -> None:
    """A module that no target of kernel_wheel reaches is lost to whoever installs it.

    If one is missing here, add its target to deps or extras of the kernel_wheel.
    """
    expected: dict[str, bytes] = {}
    for package in PACKAGES[name]:
        expected |= sources(package)

    packed = content(WAREHOUSE.ours[name])
    assert sorted(packed) == sorted(expected)
    assert packed == expected


def test_every_package_of_shared_has_a_wheel() -> None:
    """A package one can depend on in Bazel can be installed too."""
    folders = sorted(
        path.parent.as_posix() for path in Path("shared").glob("*/BUILD.bazel")
    )

    assert folders
    assert sorted(p for d in WAREHOUSE.singles for p in d.packages) == folders


@pytest.mark.parametrize("name", NAMES)
def test_no_wheel_owns_the_namespace(name: str) -> None:
    """`shared/__init__.py` in one would hide the packages of all others."""
    packed = content(WAREHOUSE.ours[name])

    assert "shared/__init__.py" not in packed
    assert {path.count("/") >= 2 for path in packed} == {True}
    assert {f"{p}/py.typed" for p in PACKAGES[name]} <= packed.keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_archive_is_canonical(name: str) -> None:
    """Sorted, stored, undated: what makes two builds byte-identical."""
    with zipfile.ZipFile(WAREHOUSE.ours[name].path) as archive:
        entries = archive.infolist()

    paths = [entry.filename for entry in entries]
    split = next(i for i, path in enumerate(paths) if ".dist-info/" in path)
    assert paths[:split] == sorted(paths[:split])
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


@pytest.mark.parametrize("name", NAMES)
def test_metadata_is_valid_and_complete(name: str) -> None:
    """What an index and an installer read, by the core metadata specification."""
    found = metadata(name)

    assert found.name == name
    assert found.metadata_version == "2.4"
    assert str(found.requires_python) == ">=3.11"
    assert found.license_expression == "MIT"
    assert found.license_files == ["LICENSE"]
    assert "Typing :: Typed" in (found.classifiers or [])
    assert found.description_content_type == "text/markdown"
    assert found.project_urls is None
    wheel = WAREHOUSE.ours[name]
    info = f"{name.replace('-', '_')}-{wheel.version}.dist-info"
    assert f"{info}/licenses/LICENSE" in names_of(wheel)


@pytest.mark.parametrize("distribution", WAREHOUSE.singles, ids=lambda d: d.name)
def test_the_description_is_the_readme_of_the_package(
    distribution: Distribution,
) -> None:
    """The page on an index and the one in the repository are the same."""
    (package,) = distribution.packages

    assert metadata(distribution.name).description == Path(
        package, "README.md"
    ).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_first_party_requirements_are_compatible_releases(name: str) -> None:
    """Every one names a wheel that is built here, an extra it has, and `~=`."""
    requirements = [Requirement(str(r)) for r in metadata(name).requires_dist or []]
    first_party = [r for r in requirements if r.name.startswith("creativeflow-")]

    assert {r.name for r in first_party} <= set(NAMES) - {WAREHOUSE.umbrella.name}
    assert {(r.name, e) for r in first_party for e in r.extras} <= {
        (n, e) for n in NAMES for e in WAREHOUSE.ours[n].extras
    }
    assert {str(r.specifier) for r in first_party} <= {f"~={version()}"}


def version() -> str:
    """What tools/bazel/version.bzl says."""
    found = re.search(
        r'^VERSION = "(.+)"$', Path("tools/bazel/version.bzl").read_text(), re.MULTILINE
    )
    assert found
    return found[1]


def test_there_is_one_version() -> None:
    """tools/bazel/version.bzl has it; wheels, pyproject and MODULE.bazel follow."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    module = re.search(
        r'module\([^)]*?version = "(.+?)"', Path("MODULE.bazel").read_text()
    )

    assert {wheel.version for wheel in WAREHOUSE.ours.values()} == {version()}
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "tools/bazel/version.bzl"
    assert module is not None
    assert module[1] == version(), "change module(version = ...) in MODULE.bazel"


def test_twine_would_upload_them(capsys: pytest.CaptureFixture[str]) -> None:
    """`twine check --strict`: an index would accept and render every wheel."""
    failed = check([str(w.path) for w in WAREHOUSE.ours.values()], strict=True)

    assert not failed, capsys.readouterr().out
