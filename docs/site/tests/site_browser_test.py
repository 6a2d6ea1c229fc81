"""The site in a real browser, from a disk and from a web server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from docs.catalogue.tests import browser
from docs.site.tests.unpacked import unpacked

PAGES = (
    "index.html",
    "catalogue.html",
    "docs/architecture.html",
    "docs/guides/add-a-dto.html",
    "reference/shared.errors.html",
    "source/tools/checks/floors.py.html",
)

NARROW = 360


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    return unpacked(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser that has seen nothing yet."""
    with browser.started(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


class Quiet(SimpleHTTPRequestHandler):
    """A server without a log."""

    def log_message(self, *_arguments: object) -> None: ...


@pytest.fixture(scope="module", params=["a disk", "a server"])
def address(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Where the site is, with a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    served = f"http://127.0.0.1:{server.server_port}/"
    yield {"a disk": f"{site.as_uri()}/", "a server": served}[request.param]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_without_an_error(chrome: Chrome, address: str, page: str) -> None:
    """Nothing in the console, and nothing is asked of another host."""
    browser.requests(chrome)  # of the test before
    chrome.get(address + page)
    heading = chrome.find_element(By.TAG_NAME, "h1").text
    asked = browser.requests(chrome)

    assert heading
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert browser.console(chrome) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [("outbox", "publish-with-the-outbox"), ("NotFoundError", "shared.errors")],
)
def test_the_search_finds(
    chrome: Chrome, address: str, words: str, expected: str
) -> None:
    """Words of pages, and names of the reference."""
    chrome.get(f"{address}search.html?q={words}")
    selector = f"ul.search a[href*='{expected}']"  # they come one after the other
    found = WebDriverWait(chrome, 60).until(
        lambda driver: driver.find_element(By.CSS_SELECTOR, selector)
    )

    assert found.text
    assert browser.console(chrome) == []


def test_pictures_fit_their_column(chrome: Chrome, address: str) -> None:
    """The graph of the packages, and the diagrams of the page."""
    chrome.get(f"{address}docs/architecture.html")
    column = chrome.find_element(By.TAG_NAME, "article").rect
    pictures = chrome.find_elements(By.CSS_SELECTOR, ".kernel-graph, .kernel-diagram")

    assert len(pictures) == 3
    assert [p.rect for p in pictures if p.rect["width"] > column["width"]] == []


def test_every_page_opens_in_silence_on_a_narrow_screen(
    chrome: Chrome, site: Path
) -> None:
    """No error, no request, no broken image, and nothing to scroll sideways."""
    browser.console(chrome)
    browser.requests(chrome)
    browser.narrow(chrome, NARROW)
    pages = sorted(site.rglob("*.html"))
    wrong = []
    for page in pages:
        chrome.get(page.as_uri())
        width, broken = chrome.execute_script(
            "return [document.documentElement.scrollWidth, [...document.images]"
            ".filter((image) => !image.naturalWidth).map((image) => image.src)]"
        )
        asked = browser.requests(chrome)
        outside = [url for url in asked if not url.startswith(("file:", "data:"))]
        found = browser.console(chrome) + outside + broken
        if found or width > NARROW:
            wrong.append((page.relative_to(site).as_posix(), width, found))
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    assert len(pages) > 50
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_have_the_colours_of_the_page(
    chrome: Chrome, site: Path, scheme: str
) -> None:
    """Their text can be told from what is behind it, whatever the reader prefers."""
    browser.media(chrome, prefers_color_scheme=scheme)
    chrome.get((site / "docs/architecture.html").as_uri())
    ink, paper = chrome.execute_script(
        "const light = (text) => text.match(/\\d+/g).slice(0, 3)"
        " .reduce((sum, value) => sum + value / 765, 0);"
        "const drawn = '.kernel-graph text, .kernel-diagram text';"
        "return [[...document.querySelectorAll(drawn)]"
        " .map((text) => light(getComputedStyle(text).fill)),"
        " light(getComputedStyle(document.body).backgroundColor)]"
    )
    browser.media(chrome, prefers_color_scheme="light")

    assert (paper > 0.5) == (scheme == "light")
    assert min(abs(each - paper) for each in ink) > 0.5


def test_the_catalogue_is_reached_from_the_navigation(
    chrome: Chrome, address: str
) -> None:
    """Its search works there, too."""
    chrome.get(f"{address}index.html")
    for way in (".sidebar-tree a[href='catalogue.html']", "article a.reference[href]"):
        link = chrome.find_element(By.CSS_SELECTOR, way)
        chrome.get(str(link.get_property("href")))
    chrome.find_element(By.ID, "query").send_keys("user.registered")

    assert chrome.find_element(By.ID, "event-user.registered").is_displayed()
    assert not chrome.find_element(By.ID, "event-user.deleted").is_displayed()
