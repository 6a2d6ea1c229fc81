"""What happens where there is no browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.catalogue.tests.browser import programs


def _program(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_a_missing_browser_is_a_skip_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the machine of somebody who never needs one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"^chromium is not on PATH; .*apt"):
        programs()
    _program(tmp_path, "chromium")
    with pytest.raises(pytest.skip.Exception, match=r"^chromedriver is not on PATH"):
        programs()


def test_a_missing_browser_fails_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would see a skip there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="must run in CI: chromium is not"):
        programs()


def test_browser_and_driver_are_taken_from_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever name a system has them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    browser = _program(tmp_path, "google-chrome")
    driver = _program(tmp_path, "chromedriver")

    assert programs() == (str(browser), str(driver))
