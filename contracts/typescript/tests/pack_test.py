"""The package as a file: what is in it, and that it is the same each time."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.typescript.needs_node import needs_node
from contracts.typescript.pack import (
    PackageError,
    archive_of,
    folder_of,
    main,
    version_of,
)

BUNDLE = Path("contracts/current")

REASON = "npm or tar is not on PATH"

Files = dict[str, bytes]


@pytest.fixture(scope="module", autouse=True)
def node(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The program has Node, or else there is nothing to test."""
    needs_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The package of the bundle, made by the program."""
    out = tmp_path_factory.mktemp("pack") / "contracts.tgz"
    assert main(["--bundle", str(BUNDLE), "--out", str(out)]) == 0
    return out.read_bytes()


@pytest.fixture(scope="module")
def files(archive: bytes) -> Files:
    """What npm unpacks."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        read = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in read.items() if file}


def test_the_same_bundle_is_the_same_bytes(archive: bytes, tmp_path: Path) -> None:
    """Whenever it is made, in whichever folder, of the folder or of its files."""
    out = tmp_path / "again.tgz"
    given = [str(path) for path in sorted(BUNDLE.rglob("*.json"), reverse=True)]

    assert main(["--bundle", *given, "--out", str(out)]) == 0
    assert out.read_bytes() == archive


def test_an_archive_depends_on_content_alone() -> None:
    """Entries are sorted, and have one time and no user."""
    archive = archive_of({"b": b"2", "a/c": b"1"})

    assert archive == archive_of({"a/c": b"1", "b": b"2"})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["package/a/c", "package/b"]
    assert {(m.mtime, m.uid, m.mode) for m in members} == {(499_162_500, 0, 0o644)}


def test_every_entry_point_is_there(files: Files) -> None:
    """What package.json names is in the package, with its declarations."""
    package: dict[str, Any] = json.loads(files["package/package.json"])
    targets = [
        target
        for entry in package["exports"].values()
        for target in (entry.values() if isinstance(entry, dict) else [entry])
    ]

    assert {
        ".",
        "./validators",
        "./clients/accounts",
    } <= set(package["exports"])
    assert {f"package/{target[2:]}" for target in targets} <= set(files)
    assert {"package/README.md", "package/LICENSE"} <= set(files)
    assert package["version"] == "0.0.0-dev"
    assert sorted(package["dependencies"]) == ["ajv", "ajv-formats", "openapi-fetch"]


def test_nothing_of_the_machine_is_in_it(files: Files) -> None:
    """No path of the folder it was made in, and nothing to compile when it runs."""
    for name, content in files.items():
        assert b"/tmp" not in content, name
        assert b"new Function" not in content, name
        assert b"require(" not in content, name


@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("contracts/released/1.2.0", "1.2.0"),
        ("contracts/current", "0.0.0-dev"),
        ("somewhere/1.2.0", "0.0.0-dev"),
    ],
)
def test_the_version_is_that_of_the_release(folder: str, version: str) -> None:
    """What was not released has no number."""
    assert version_of(Path(folder)) == version


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    """Before anything is unpacked."""
    with pytest.raises(PackageError, match=r"there is no manifest\.json"):
        folder_of([tmp_path, BUNDLE / "errors.json"])


def no_manifest(bundle: Path) -> None:
    """A folder of something else."""


def broken(bundle: Path) -> None:
    """Cut off."""
    (bundle / "manifest.json").write_text("{")


def of_another_format(bundle: Path) -> None:
    """Of a later release of the kernel."""
    (bundle / "manifest.json").write_text('{"format": 99}')


def without_errors(bundle: Path) -> None:
    """A file is missing."""
    (bundle / "manifest.json").write_text(
        '{"format": 1, "dtos": {}, "events": {}, "services": {}}'
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (no_manifest, "No bundle: there is no manifest.json.\n"),
        (broken, "The bundle's manifest.json is no JSON: "),
        (of_another_format, "The bundle's format must be 1 (got 99).\n"),
        (without_errors, "The bundle has no errors.json.\n"),
    ],
)
def test_a_broken_bundle_is_one_line(
    make: Callable[[Path], None],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 1, and nothing is written."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    make(bundle)
    out = tmp_path / "out.tgz"

    assert main(["--bundle", str(bundle), "--out", str(out)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(reason)
    assert message.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "code", "written"),
    [([], 1, []), (["--note-what-is-missing"], 0, [f"missing: {REASON}"])],
)
def test_without_node_there_is_an_error_or_a_note(
    options: list[str],
    code: int,
    written: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The note is what tests skip for; a person gets the error."""
    for name in ("node", "node_modules.tar"):
        (tmp_path / name).write_text(f"missing: {REASON}\n")
    monkeypatch.setattr("contracts.typescript.node._of_runfiles", lambda: tmp_path)
    out = tmp_path / "out.tgz"

    assert main(["--bundle", str(BUNDLE), "--out", str(out), *options]) == code
    assert [path.read_text() for path in tmp_path.glob("*.tgz")] == written
