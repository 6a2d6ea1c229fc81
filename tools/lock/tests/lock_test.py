from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.lock.lock import index_settings, main


def test_a_pip_mirror_is_used_by_uv_too() -> None:
    """No pip.conf is read by uv; a mirror set up for pip must not be bypassed."""
    config = "global.index-url='https://mirror.example/simple'\ninstall.pre='true'\n"

    assert index_settings(config, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple"
    }


def test_uv_variables_of_the_user_win() -> None:
    """Who sets UV_DEFAULT_INDEX means it."""
    config = "global.index-url='https://mirror.example/simple'\n"

    assert index_settings(config, {"UV_DEFAULT_INDEX": "x"}) == {}


def program(folder: Path, body: str) -> str:
    """A stand-in for uv that runs *body*."""
    path = folder / "uv"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with an old lock and no lock of the benchmarks yet."""
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "requirements_lock.txt").write_text("old\n")
    return tmp_path


OUT = "out = sys.argv[-1].partition('=')[2]"


def test_a_failed_resolution_leaves_the_lock_as_it_was(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a lock is worse than an old one, and what builds on it is not tried."""
    uv = program(root, f"{OUT}\nopen(out, 'w').write('half')\nsys.exit(1)")

    assert main(uv, []) == 1
    assert (root / "requirements_lock.txt").read_text() == "old\n"
    assert list((root / "benchmarks").iterdir()) == []
    assert "requirements_lock.txt is unchanged." in capsys.readouterr().err


def test_the_resolver_starts_from_the_versions_of_the_old_lock(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Adding one package must not move the others."""
    uv = program(root, f"{OUT}\nopen(out, 'a').write(sys.argv[-2] + '\\n')")

    assert main(uv, ["--upgrade"]) == 0
    assert (root / "requirements_lock.txt").read_text() == "old\nrequirements.in\n"
    peers = (root / "benchmarks" / "requirements_lock.txt").read_text()
    assert peers == "benchmarks/requirements.in\n"
    assert "requirements_lock.txt written." in capsys.readouterr().out
    assert not list(root.rglob("*.new"))
