"""What steers bazelw, beyond what launcher_test shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.bazelw.console import Trouble
from tools.bazelw.settings import Settings


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as far as it matters."""
    (tmp_path / ".bazelversion").write_text("7.7.1\n")
    return tmp_path


def test_builds_have_the_interpreter_behind_an_environment(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every environment would have a cache of its own."""
    real = checkout / "python3.11"
    link = checkout / "python3"
    real.touch()
    link.symlink_to(real)
    monkeypatch.setattr(sys, "executable", "/somebodys/env/bin/python")
    monkeypatch.setattr(sys, "_base_executable", str(link), raising=False)

    settings = Settings.load(checkout, {"HOME": "/h"})

    assert settings.interpreter == real.resolve()
    assert settings.python == Path("/somebodys/env/bin/python")


def test_cache_is_an_absolute_path(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written into rc files and programs."""
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("HOME", "/home/somebody")

    relative = Settings.load(checkout, {"KERNEL_CACHE": "cache"})
    home = Settings.load(checkout, {"KERNEL_CACHE": "~/cache"})

    assert relative.cache == checkout / "cache"
    assert home.cache == Path("/home/somebody/cache")


def test_user_without_a_home(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers with made-up user ids have."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)

    with pytest.raises(Trouble, match="no home folder is known; set KERNEL_CACHE"):
        Settings.load(checkout, {})


@pytest.mark.parametrize(("value", "verbose"), [("", False), ("0", False), ("1", True)])
def test_verbose(checkout: Path, value: str, verbose: bool) -> None:
    """0 and nothing mean no."""
    environ = {"HOME": "/h", "KERNEL_BAZELW_VERBOSE": value}

    assert Settings.load(checkout, environ).verbose is verbose
