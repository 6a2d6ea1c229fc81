"""The program."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.catalogue.catalogue import main
from docs.catalogue.tests import sample
from tools.contracts.bundle import ERRORS


@pytest.fixture(name="workspace")
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `bazel run` says that it was started."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_bundle_is_drawn_and_the_page_named(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paths are those of whoever types them; the last line is the page."""
    sample.write(workspace / "1.2.0")

    assert main(["--bundle", "1.2.0", "--out", "there/deep"]) == 0
    page = workspace / "there" / "deep" / "index.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert "<title>Contracts 1.2.0</title>" in page.read_text()
    assert [file.name for file in page.parent.iterdir()] == ["index.html"]


def test_the_page_goes_to_the_checkout(workspace: Path) -> None:
    """Without --out, where git does not look."""
    sample.write(workspace / "1.2.0")

    assert main(["--bundle", "1.2.0"]) == 0
    assert (workspace / "docs" / "_catalogue" / "index.html").is_file()


def test_a_bundle_that_is_none_is_told_in_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written, and a page that is there stays."""
    sample.write(workspace / "broken", without=[ERRORS])
    out = workspace / "out"
    out.mkdir()
    (out / "index.html").write_text("the one before")

    assert main(["--bundle", "broken", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert said.err == f"catalogue: {workspace / 'broken' / ERRORS} is missing.\n"
    assert said.out == ""
    assert (out / "index.html").read_text() == "the one before"


def test_a_folder_that_can_not_be_written_is_told_in_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the path, and no traceback."""
    sample.write(workspace / "1.2.0")
    (workspace / "file").write_text("")

    assert main(["--bundle", "1.2.0", "--out", "file"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("catalogue: ")
    assert str(workspace / "file") in said.err
    assert said.err.count("\n") == 1


def test_help_says_how_to_start_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As one types it, with every option."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])

    said = capsys.readouterr().out
    assert "./bazelw run //docs:catalogue" in said
    assert {"--bundle", "--out", "--open"} <= set(said.replace(",", " ").split())


def test_open_shows_the_page(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the browser of whoever asks for it, and of nobody else."""
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    sample.write(workspace / "1.2.0")

    main(["--bundle", "1.2.0", "--out", "a"])
    assert shown == []
    main(["--bundle", "1.2.0", "--out", "a", "--open"])
    assert shown == [(workspace / "a" / "index.html").resolve().as_uri()]
