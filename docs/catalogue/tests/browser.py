"""A real browser for tests, which tells what it logged and what it asked for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
)


def programs() -> tuple[str, str]:
    """The browser and its driver; a test without them skips, and fails in CI."""
    browser = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    missing = "chromium" if browser is None else "chromedriver"
    reason = (
        f"{missing} is not on PATH; on Debian: apt-get install chromium chromium-driver"
    )
    if os.environ.get("CI"):
        pytest.fail(f"The browser tests must run in CI: {reason}.")
    pytest.skip(reason)


@contextmanager
def started(profile: Path) -> Iterator[Chrome]:
    """A browser with a new profile in the folder *profile*."""
    browser, driver = programs()
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    # With the driver's path, Selenium looks for none on the network.
    chrome = Chrome(options=options, service=Service(driver))
    try:
        chrome.set_window_size(1280, 900)
        chrome.get("about:blank")
        console(chrome)  # what its own first page did
        requests(chrome)
        yield chrome
    finally:
        chrome.quit()


def console(chrome: Chrome) -> list[str]:
    """What the console got since it was last asked."""
    return [entry["message"] for entry in _log(chrome, "browser")]


def requests(chrome: Chrome) -> list[str]:
    """The addresses that pages asked for since this was last asked."""
    entries = _log(chrome, "performance")
    messages = [json.loads(entry["message"])["message"] for entry in entries]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def _log(chrome: Chrome, kind: str) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = chrome.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def media(chrome: Chrome, **features: str) -> None:
    """Make the page see a device: ``prefers_color_scheme="dark"``."""
    listed = [
        {"name": name.replace("_", "-"), "value": value}
        for name, value in features.items()
    ]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})


def narrow(chrome: Chrome, width: int, height: int = 800) -> None:
    """Make the page as wide as a small screen; a window can't be."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
