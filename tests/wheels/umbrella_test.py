"""The umbrella distribution: Bazel's, and the one that `pip install .` builds."""

from __future__ import annotations

import re
import shutil
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.build import build_sdist, build_wheel
from packaging.markers import Marker
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from tests.wheels.warehouse import INDEX, Warehouse

WAREHOUSE = Warehouse.open()
UMBRELLA = WAREHOUSE.ours[WAREHOUSE.umbrella.name]
CHECKOUT = ["pyproject.toml", "README.md", "LICENSE", ".gitignore", "shared", "tools"]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as far as the packaging looks."""
    folder = tmp_path_factory.mktemp("checkout")
    built = shutil.ignore_patterns("*.whl", INDEX.name)  # Bazel's, not the repository's
    for name in CHECKOUT:
        source = Path(name)
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=built)
        else:
            shutil.copy(source, folder / name)
    # Bazel leaves such links where it has built.
    (folder / "bazel-main").symlink_to(folder)
    return folder


def open_wheel(path: Path) -> tuple[dict[str, bytes], Metadata]:
    """The content of a wheel beside its metadata, and the metadata."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        content = {n: archive.read(n) for n in names if ".dist-info/" not in n}
        return content, Metadata.from_email(archive.read(info))


def described(metadata: Metadata) -> dict[str, Any]:
    """Every field, in an order that two builders can agree on."""
    return {
        "author_email": metadata.author_email,
        "classifiers": sorted(metadata.classifiers or []),
        "description": metadata.description,
        "description_content_type": metadata.description_content_type,
        "extras": sorted(metadata.provides_extra or []),
        "license": metadata.license_expression,
        "license_files": metadata.license_files,
        "name": metadata.name,
        "requires_dist": sorted(str(r) for r in metadata.requires_dist or []),
        "requires_python": str(metadata.requires_python),
        "summary": metadata.summary,
        "version": str(metadata.version),
    }


def derived() -> dict[str, list[str]]:
    """What Bazel derives, as the tables of pyproject.toml; "" is `dependencies`."""
    tables: dict[str, list[str]] = {extra: [] for extra in ("", *UMBRELLA.extras)}
    for text in UMBRELLA.metadata["requires_dist"]:
        requirement = Requirement(text)
        marker = str(requirement.marker or "")
        behind = re.fullmatch(r'(?:(.*) and )?extra == "(.+)"', marker)
        plain, extra = (behind[1], behind[2]) if behind else (marker, "")
        requirement.marker = Marker(plain) if plain else None
        tables[extra].append(str(requirement))
    return tables


def test_pyproject_asks_for_the_union_of_what_the_wheels_derive() -> None:
    """Who installs without Bazel gets the same requirements."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    written = {"": project["dependencies"], **project["optional-dependencies"]}
    expected = derived()

    normal = {
        extra: sorted(str(Requirement(r)) for r in requirements)
        for extra, requirements in written.items()
    }
    wanted = {extra: sorted(requirements) for extra, requirements in expected.items()}
    advice = "\n".join(
        f"{name or 'dependencies'} = {requirements}"
        for name, requirements in sorted(wanted.items())
    )
    assert normal == wanted, (
        "pyproject.toml: [project] dependencies and [project.optional-dependencies] "
        f"must be what the wheels derive:\n{advice}"
    )


def test_pip_builds_the_wheel_that_bazel_builds(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install .` without Bazel: the same files and the same metadata."""
    monkeypatch.chdir(checkout)
    built = tmp_path / build_wheel(str(tmp_path))
    monkeypatch.undo()

    content, metadata = open_wheel(built)
    expected, expected_metadata = open_wheel(UMBRELLA.path)
    assert built.name == UMBRELLA.path.name
    assert sorted(content) == sorted(expected)
    assert content == expected
    assert described(metadata) == described(expected_metadata)


def test_the_source_archive_builds_it_too(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source archive holds what its build needs, and no tests."""
    monkeypatch.chdir(checkout)
    archive = tmp_path / build_sdist(str(tmp_path))
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        opened.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path / archive.name.removesuffix(".tar.gz"))
    built = tmp_path / build_wheel(str(tmp_path))
    monkeypatch.undo()

    assert not [name for name in names if "/tests/" in name]
    assert sorted(open_wheel(built)[0]) == sorted(open_wheel(UMBRELLA.path)[0])


def test_the_umbrella_is_the_sum_of_the_single_wheels() -> None:
    """Both are ways to the same files, which is why one environment can't have both."""
    single: dict[str, bytes] = {}
    for distribution in WAREHOUSE.singles:
        single |= open_wheel(WAREHOUSE.ours[distribution.name].path)[0]
    content, metadata = open_wheel(UMBRELLA.path)

    assert content == single
    assert "never both" in str(metadata.summary)
    assert not [r for r in metadata.requires_dist or [] if "creativeflow" in r.name]
