from __future__ import annotations

from pathlib import Path

import pytest

from tools.coverage import lcov
from tools.coverage.gate import main, ranges

HALF = "SF:a.py\nBRDA:1,0,0,-\nBRDA:1,0,1,2\nDA:1,2\nDA:2,0\nend_of_record\n"


def test_hits_of_two_tests_add_up() -> None:
    """A line that either test ran counts as run."""
    other = "SF:a.py\nDA:2,5\nend_of_record\nSF:b.py\nDA:1,1\nend_of_record\n"

    report = lcov.read([HALF, other])

    assert report["a.py"].lines == {1: 2, 2: 5}
    assert report["a.py"].missed_branches == [1]
    assert sorted(report) == ["a.py", "b.py"]


def test_reading_what_was_written_changes_nothing() -> None:
    """Merging twice gives the same report as merging once."""
    report = lcov.read([HALF])

    assert lcov.read([lcov.write(report)]) == report


def test_a_file_no_test_imported_is_all_missed(tmp_path: Path) -> None:
    """An SF without lines is an untested file, not an empty one."""
    (tmp_path / "lost.py").write_text("x = 1\nif x:\n    y = 2\n")

    report = lcov.with_unreached(lcov.read(["SF:lost.py\nend_of_record\n"]), tmp_path)

    assert report["lost.py"].missed_lines == [1, 2, 3]


def test_runs_of_numbers_are_written_as_ranges() -> None:
    """A hundred missed lines in a row are one range."""
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


@pytest.mark.parametrize(("floor", "code"), [("50", 0), ("50.1", 1)])
def test_the_floor_is_inclusive(
    floor: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two of four points reached pass at 50 % and fail just above it."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    (tmp_path / "cov.dat").write_text(HALF)

    assert main(["cov.dat", "--floor", floor]) == code
    assert "2; branch at 1" in capsys.readouterr().out


def test_no_report_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate that was never given figures must not pass."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))

    assert main(["cov.dat"]) == 2
    assert "cov.dat does not exist" in capsys.readouterr().err


def test_an_empty_report_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate over nothing must not pass."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    (tmp_path / "cov.dat").touch()

    assert main(["cov.dat"]) == 2
    assert "nothing was measured" in capsys.readouterr().err
