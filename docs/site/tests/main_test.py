"""The command, with a build that is made up."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.site import __main__ as command
from docs.site.stage import StageError


def build_of(
    warnings: list[str],
) -> Callable[..., list[str]]:
    """A build that writes one page and says *warnings*."""

    def build(root: Path, out: Path, *, told: Callable[[str], None]) -> list[str]:
        told("reading index")
        out.mkdir()
        (out / "index.html").write_text("new")
        (out / "objects.inv").write_text("")
        return warnings

    return build


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout from whose root the command is run."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(command, "build", build_of([]))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "folder"), [([], "docs/_site"), (["--out", "x"], "x")]
)
def test_the_site_goes_where_it_is_told(
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    folder: str,
) -> None:
    """And the last line says where, twice as well as once."""
    assert [command.main(arguments), command.main(arguments)] == [0, 0]

    assert (workspace / folder / "index.html").read_text() == "new"
    assert str(workspace / folder / "index.html") in capsys.readouterr().out


def test_what_is_no_site_is_left_alone(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that holds anything else is not replaced."""
    (workspace / "x").mkdir()
    (workspace / "x/thesis.txt").write_text("mine")

    assert command.main(["--out", "x"]) == 2
    assert "holds something that is no site" in capsys.readouterr().err
    assert (workspace / "x/thesis.txt").read_text() == "mine"


def _refused(*_: object, **__: object) -> list[str]:
    raise StageError("docs/x.md: it can't be shown")


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (build_of(["docs/x.md:3: WARNING: gone"]), "docs/x.md:3: WARNING: gone"),
        (_refused, "docs/x.md: it can't be shown"),
    ],
)
def test_a_site_with_faults_is_not_written(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    build: Callable[..., list[str]],
    told: str,
) -> None:
    """The faults are told, and the older site stays."""
    (workspace / "docs/_site").mkdir(parents=True)
    (workspace / "docs/_site/objects.inv").write_text("old")
    monkeypatch.setattr(command, "build", build)

    assert command.main([]) == 1
    assert told in capsys.readouterr().err
    assert (workspace / "docs/_site/objects.inv").read_text() == "old"
    assert [path.name for path in (workspace / "docs").iterdir()] == ["_site"]


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The site is there all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert command.main(["--serve", str(port)]) == 1

    assert f"Cannot listen on port {port}" in capsys.readouterr().err
