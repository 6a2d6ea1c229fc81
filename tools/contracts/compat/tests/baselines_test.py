from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.contracts.bundle import BundleError
from tools.contracts.compat.baselines import enforced, load_baselines
from tools.contracts.compat.tests.documents import write_release
from tools.contracts.compat.versions import Version


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Two baselines."""
    folder = tmp_path / "released"
    write_release(folder, "1.9.0")
    write_release(folder, "1.10.0", previous="1.9.0")
    return folder


def test_baselines_come_in_order(released: Path) -> None:
    """The oldest first, by number."""
    assert [str(each.version) for each in load_baselines(released)] == [
        "1.9.0",
        "1.10.0",
    ]


def test_there_may_be_none(tmp_path: Path) -> None:
    """As before the first release."""
    assert load_baselines(tmp_path / "released") == []


def test_a_readme_is_no_baseline(released: Path) -> None:
    """Someone may say what the folder is."""
    (released / "README.md").write_text("Frozen.")

    assert len(load_baselines(released)) == 2


def edit(path: Path) -> None:
    """Another digit somewhere."""
    path.write_text(path.read_text().replace("20", "21"))


def facts(path: Path, **members: object) -> None:
    """Other facts in release.json."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


DTO = "dtos/UserDTO.schema.json"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (
        lambda p: edit(p / DTO),
        f"1.10.0/{DTO} is not as it was released.",
    ),
    "a file is gone": (
        lambda p: (p / DTO).unlink(),
        f"1.10.0/{DTO} is missing.",
    ),
    "a file is new": (
        lambda p: (p / "notes.txt").touch(),
        "1.10.0/notes.txt was not released: release.json doesn't list it.",
    ),
    "its facts are gone": (
        lambda p: (p / "release.json").unlink(),
        "1.10.0/release.json is missing.",
    ),
    "its facts are no JSON": (
        lambda p: (p / "release.json").write_text("{"),
        "1.10.0/release.json is no JSON: ",
    ),
    "its facts are no object": (
        lambda p: (p / "release.json").write_text("[]"),
        "1.10.0/release.json must say version, previous and files.",
    ),
    "it says another version": (
        lambda p: facts(p / "release.json", version="1.11.0"),
        "1.10.0/release.json: version must be 1.10.0 (got '1.11.0').",
    ),
    "it follows another one": (
        lambda p: facts(p / "release.json", previous="1.9.1"),
        "1.10.0/release.json says that 1.9.1 came before, but ",
    ),
    "the one before is gone": (
        lambda p: shutil.rmtree(p.parent / "1.9.0"),
        "1.10.0/release.json says that 1.9.0 came before, but ",
    ),
    "no version": (
        lambda p: p.rename(p.parent / "latest"),
        "latest is no baseline: a version is three numbers such as 1.2.0",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_baseline(released: Path, case: str) -> None:
    """One line names the file."""
    change, message = BROKEN[case]
    change(released / "1.10.0")

    with pytest.raises(BundleError, match=re.escape(f"{released}/{message}")) as caught:
        load_baselines(released)
    assert "\n" not in str(caught.value)


def test_the_newest_major_version_is_enforced_in_full() -> None:
    """Of older ones only events are left."""
    versions = [Version(1, 0, 0), Version(1, 2, 0), Version(2, 0, 0), Version(2, 1, 0)]

    assert enforced(versions) == (versions[2:], versions[:2])
    assert enforced([]) == ([], [])
