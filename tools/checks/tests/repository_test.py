from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.checks.repository import Repository, Rule, Target

BUILD = """\
kernel_library(
    name = "errors",
    deps = [
        ":_exceptions",
        "//shared/logging",
        "//third_party:fastapi",
    ],
)
"""


def rule() -> Rule:
    """The rule of BUILD."""
    found = Repository({"shared/errors/BUILD.bazel": BUILD}).rule(
        "//shared/errors:errors"
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("//shared/errors:_exceptions", 4),
        ("//shared/logging:logging", 5),
        ("//third_party:fastapi", 6),
        ("//shared/elsewhere:x", 1),
    ],
)
def test_a_dep_has_the_line_it_is_spelled_on(label: str, line: int) -> None:
    """Short spellings are found; what a macro adds has the line of its call."""
    assert rule().line_of(label) == line


def test_files_and_graphs_are_loaded(tmp_path: Path) -> None:
    """Text is read, binary files are not, and each graph adds its targets."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/m.py").write_text("x = 1\n")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "unlisted.py").write_text("")
    entry = {
        "label": "//a:m",
        "kind": "py_library",
        "srcs": ["a/m.py"],
        "deps": ["//a:n"],
        "first_party": ["//a:m", "//a:n"],
        "testonly": True,
        "third_party": [],
    }
    (tmp_path / "graph.json").write_text(json.dumps([entry]))
    (tmp_path / "empty.json").write_text("[]")
    repository = Repository.load(
        tmp_path,
        ["latin.txt", "logo.png", "a/m.py"],
        [tmp_path / "graph.json", tmp_path / "empty.json"],
    )

    assert list(repository.files) == ["a/m.py", "latin.txt"]
    assert repository.targets == {
        "//a:m": Target(
            label="//a:m",
            kind="py_library",
            srcs=("a/m.py",),
            deps=("//a:n",),
            first_party=frozenset({"//a:m", "//a:n"}),
            testonly=True,
        )
    }


def test_the_packages_of_the_kernel_are_the_folders_of_shared() -> None:
    """A file of shared/ itself is in none of them."""
    files = [
        "shared/BUILD.bazel",
        "shared/b/x.py",
        "shared/a/tests/t.py",
        "tools/c/x.py",
    ]

    assert Repository(dict.fromkeys(files, "")).kernel_packages == [
        "shared/a",
        "shared/b",
    ]


def test_the_root_package_has_a_build_file() -> None:
    """Labels without a folder are found."""
    repository = Repository({"BUILD.bazel": '\nalias(name = "lock")\n'})

    assert repository.place("//:lock") == ("BUILD.bazel", 2)
