from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tools.bazel import pytest_main

FOUR = """
class TestA:
    def test_b(self): pass
    def test_c(self): pass

def test_b(): pass
def test_fails(): raise AssertionError("on purpose")
"""


def run(folder: Path, source: str, **env: str) -> tuple[int, dict[str, list[str]], str]:
    """Run the program on one file: exit code, outcomes by test name, and its output."""
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (folder / "case_test.py").write_text(source)
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, pytest_main.__file__, "case_test.py"],
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "XML_OUTPUT_FILE": str(report),
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes: dict[str, list[str]] = {"passed": [], "failed": []}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314, written by pytest
        outcome = "failed" if case.find("failure") is not None else "passed"
        outcomes[outcome].append(f"{case.get('classname')}.{case.get('name')}")
    return done.returncode, outcomes, done.stdout + done.stderr


def test_the_report_has_every_case_and_a_failure_is_exit_code_1(tmp_path: Path) -> None:
    """Bazel shows the cases of XML_OUTPUT_FILE, and believes the exit code."""
    code, outcomes, _ = run(tmp_path, FOUR)

    assert code == 1
    assert outcomes == {
        "passed": [
            "case_test.TestA.test_b",
            "case_test.TestA.test_c",
            "case_test.test_b",
        ],
        "failed": ["case_test.test_fails"],
    }


@pytest.mark.parametrize(
    ("test_filter", "selected"),
    [
        ("test_c", ["TestA.test_c"]),
        ("TestA::test_b", ["TestA.test_b"]),
        ("case_test.py::TestA::test_b", ["TestA.test_b"]),
        ("some/folder/case_test.py::test_c", ["TestA.test_c"]),
        ("TestA and not test_b", ["TestA.test_c"]),
        ("nothing_of_the_kind", []),
    ],
)
def test_the_filter_selects_by_name(
    test_filter: str, selected: list[str], tmp_path: Path
) -> None:
    """--test_filter takes pytest's own spellings; no match is no failure.

    One filter is handed to every target of the command line.
    """
    code, outcomes, _ = run(tmp_path, FOUR, TESTBRIDGE_TEST_ONLY=test_filter)

    assert code == 0
    assert outcomes["passed"] == [f"case_test.{name}" for name in selected]


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"TESTBRIDGE_TEST_ONLY": "test_c"},
        {
            "TEST_SHARD_STATUS_FILE": "status",
            "TEST_SHARD_INDEX": "0",
            "TEST_TOTAL_SHARDS": "2",
        },
    ],
    ids=["plain", "filtered", "sharded"],
)
def test_a_file_without_a_test_fails(env: dict[str, str], tmp_path: Path) -> None:
    """A lost test is an error, also where a filter or a shard would explain it."""
    code, _, output = run(tmp_path, "def helper(): pass\n", **env)

    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "No test in case_test.py." in output


def test_shards_split_the_cases(tmp_path: Path) -> None:
    """Every case runs in exactly one shard, and a shard without a case passes."""
    source = "\n".join(f"def test_{name}(): pass" for name in "abcde")
    shards = []
    for index in range(7):
        status = tmp_path / f"status{index}"
        code, outcomes, _ = run(
            tmp_path,
            source,
            TEST_SHARD_STATUS_FILE=str(status),
            TEST_SHARD_INDEX=str(index),
            TEST_TOTAL_SHARDS="7",
        )
        assert (code, status.exists()) == (0, True)
        shards.append(outcomes["passed"])

    assert shards == [[f"case_test.test_{name}"] for name in "abcde"] + [[], []]


def test_shards_split_what_the_filter_left(tmp_path: Path) -> None:
    """Filtering first keeps the shards even."""
    source = "\n".join(f"def test_{name}(): pass" for name in ("a1", "b", "a2", "c"))
    _, outcomes, _ = run(
        tmp_path,
        source,
        TESTBRIDGE_TEST_ONLY="a1 or a2",
        TEST_SHARD_STATUS_FILE=str(tmp_path / "status"),
        TEST_SHARD_INDEX="1",
        TEST_TOTAL_SHARDS="2",
    )

    assert outcomes["passed"] == ["case_test.test_a2"]


def test_a_file_that_does_not_import_fails(tmp_path: Path) -> None:
    """An error while collecting is not "no test here"."""
    code, _, output = run(tmp_path, "import no_such_module\n")

    assert code == pytest.ExitCode.INTERRUPTED
    assert "No module named 'no_such_module'" in output


def test_fail_fast_stops_at_the_first_failure(tmp_path: Path) -> None:
    """--test_runner_fail_fast reaches pytest."""
    source = "def test_a(): raise AssertionError\ndef test_b(): pass\n"
    _, outcomes, _ = run(tmp_path, source, TESTBRIDGE_TEST_RUNNER_FAIL_FAST="1")

    assert outcomes == {"passed": [], "failed": ["case_test.test_a"]}


def test_scratch_files_stay_in_bazels_folder(tmp_path: Path) -> None:
    """tmp_path lies under TEST_TMPDIR, which Bazel empties."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    source = (
        f"def test_a(tmp_path): assert str(tmp_path).startswith({str(scratch)!r})\n"
    )
    code, _, _ = run(tmp_path, source, TEST_TMPDIR=str(scratch))

    assert code == 0


def test_coverage_measures_the_files_of_the_manifest_only(tmp_path: Path) -> None:
    """The tracefile names the files as the manifest does, and no other file."""
    (tmp_path / "measured.py").write_text("def f(x):\n    if x:\n        return 1\n")
    (tmp_path / "other.py").write_text("y = 1\n")
    (tmp_path / "manifest").write_text("measured.py\nnot_python.txt\n")
    out = tmp_path / "out"
    out.mkdir()
    code, _, _ = run(
        tmp_path,
        "import measured, other\ndef test_a(): measured.f(0)\n",
        COVERAGE="1",
        COVERAGE_DIR=str(out),
        COVERAGE_MANIFEST=str(tmp_path / "manifest"),
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
    )
    records = (out / "python.dat").read_text().splitlines()

    assert code == 0
    assert [r for r in records if r.startswith("SF:")] == ["SF:measured.py"]
    assert {"DA:2,1", "DA:3,0"} <= set(records)


def test_coverage_of_nothing_is_a_plain_run(tmp_path: Path) -> None:
    """A test whose manifest names no Python file runs, and writes no tracefile."""
    (tmp_path / "manifest").write_text("")
    code, _, _ = run(
        tmp_path,
        "def test_a(): pass\n",
        COVERAGE="1",
        COVERAGE_DIR=str(tmp_path),
        COVERAGE_MANIFEST=str(tmp_path / "manifest"),
    )

    assert code == 0
    assert not (tmp_path / "python.dat").exists()
