from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import Metadata

from tools.wheel.wheelmaker import main

PROJECT = """
[project]
requires-python = ">=3.11"
license = "MIT"
authors = [{ name = "Ann" }, { name = "Bo", email = "bo@example.org" }]
classifiers = ["Typing :: Typed"]
"""


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    """A package with glue, as distribution.bzl would describe it."""
    texts = {
        "pyproject.toml": PROJECT,
        "requirements.in": "fastapi>=0.115,<1\npydantic>=2\n",
        "LICENSE": "Permission is granted.\n",
        "README.md": "# a\n\nErrors: é.\n",
        "__init__.py": "A = 1\n",
        "py.typed": "",
    }
    paths = {name: str(tmp_path / name) for name in texts}
    for name, text in texts.items():
        Path(paths[name]).write_text(text, encoding="utf-8")
    rest = {"build_file": "a/BUILD.bazel", "package": "a"}
    return {
        "label": "//a:wheel",
        "summary": "The a package.",
        "distributions": [
            {
                "distribution": "acme-a",
                "version": "1.2.3",
                "packages": ["a"],
                "roots": {"": ["//a:a"], "fastapi": ["//a:glue"]},
            }
        ],
        "files": {
            "a/__init__.py": paths["__init__.py"],
            "a/py.typed": paths["py.typed"],
        },
        "license_file": paths["LICENSE"],
        "project": paths["pyproject.toml"],
        "readme": paths["README.md"],
        "requirements": paths["requirements.in"],
        "targets": [
            {"label": "//a:a", "needs": [], "requires": ["pydantic"], **rest},
            {"label": "//a:glue", "needs": ["//a:a"], "requires": ["fastapi"], **rest},
        ],
    }


def run(spec: dict[str, Any], folder: Path) -> tuple[int, Path]:
    """Run the program in *folder*; return its exit code and where the wheel goes."""
    given, out = folder / "spec.json", folder / "acme_a-1.2.3-py3-none-any.whl"
    given.write_text(json.dumps(spec))
    return main(str(given), str(out)), out


def test_metadata_says_what_an_index_shows(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    """Every field is valid by the specification and comes from one named source."""
    code, out = run(spec, tmp_path)

    assert code == 0
    with zipfile.ZipFile(out) as archive:
        text = archive.read("acme_a-1.2.3.dist-info/METADATA")
        license_text = archive.read("acme_a-1.2.3.dist-info/licenses/LICENSE")
    metadata = Metadata.from_email(text)
    assert license_text == b"Permission is granted.\n"
    assert metadata.name == "acme-a"
    assert str(metadata.version) == "1.2.3"
    assert metadata.summary == "The a package."
    assert metadata.author == "Ann"
    assert metadata.author_email == "Bo <bo@example.org>"
    assert metadata.license_expression == "MIT"
    assert metadata.license_files == ["LICENSE"]
    assert metadata.classifiers == ["Typing :: Typed"]
    assert str(metadata.requires_python) == ">=3.11"
    assert metadata.provides_extra == ["fastapi"]
    assert [str(r) for r in metadata.requires_dist or ()] == [
        "pydantic>=2",
        'fastapi<1,>=0.115; extra == "fastapi"',
    ]
    assert metadata.description == "# a\n\nErrors: é.\n"
    assert metadata.description_content_type == "text/markdown"


def test_two_runs_make_the_same_bytes(spec: dict[str, Any], tmp_path: Path) -> None:
    """Whoever builds the same commit gets the hash that others have pinned."""
    outs = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        spec["targets"].reverse()
        spec["files"] = dict(reversed(spec["files"].items()))
        outs.append(run(spec, folder)[1].read_bytes())

    assert outs[0] == outs[1]


def test_what_no_wheel_can_express_fails_the_build_in_one_line(
    spec: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message starts with the wheel, and no file is left for Bazel to cache."""
    spec["targets"][0]["requires"] = ["anyio"]

    code, out = run(spec, tmp_path)

    assert code == 1
    assert not out.exists()
    message = capsys.readouterr().err
    assert message.startswith("//a:wheel: a/BUILD.bazel: //a:a depends on anyio, and")
    assert message.count("\n") == 1
