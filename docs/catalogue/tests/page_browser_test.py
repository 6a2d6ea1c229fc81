"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.common.print_page_options import PrintOptions
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from docs.catalogue import packages
from docs.catalogue.contents import contents_of
from docs.catalogue.page import render
from docs.catalogue.tests import browser, sample
from tools.contracts.bundle import Bundle

CURRENT: Final = Path("contracts/current")
NARROW: Final = 360

# Of text that is shown, the least contrast to what is behind it, by WCAG 2.2.
CONTRAST: Final = """
const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = (rgb) =>
  [.2126, .7152, .0722].reduce((sum, part, i) => sum + part * linear(rgb[i] / 255), 0);
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const over = ([r, g, b, a = 1], under) =>
  [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
const behind = (element) => {
  const chain = [];
  for (let at = element; at; at = at.parentElement) chain.unshift(at);
  return chain.reduce((under, at) =>
    over(parse(getComputedStyle(at).backgroundColor), under), [255, 255, 255]);
};
let worst = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest("style, script, .unseen")) continue;
  const under = behind(element);
  const style = getComputedStyle(element);
  const ink = element.closest("svg") ? style.fill : style.color;
  const [r, g, b, a = 1] = parse(ink);
  const above = over([r, g, b, a * style.opacity], under);
  const [x, y] = [light(above), light(under)].sort((p, q) => q - p);
  const ratio = (x + .05) / (y + .05);
  if (ratio < worst[0]) worst = [ratio, `${element.tagName} ${element.textContent}`];
}
return worst;
"""


class Quiet(SimpleHTTPRequestHandler):
    """A web server that says nothing."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout's page, and one of the sample bundle."""
    folder = tmp_path_factory.mktemp("pages")
    graphs = packages.read(sorted(Path().glob("shared/*/graph.json")))
    current = contents_of(Bundle.load(CURRENT, "worktree"))
    small = contents_of(sample.bundle(tmp_path_factory.mktemp("bundle")))
    (folder / "index.html").write_text(render(current, graphs))
    (folder / "sample.html").write_text(render(small, sample.PACKAGES))
    return folder


@pytest.fixture(name="chrome", scope="module")
def _chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser.started(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


@pytest.fixture(name="show")
def _show(chrome: Chrome, folder: Path) -> Iterator[Any]:
    """Opens a page; at the end the console is empty and nothing left the disk."""

    def show(hash_: str = "", page: str = "index.html") -> Chrome:
        chrome.get("about:blank")  # a page with another hash is not loaded anew
        chrome.get((folder / page).as_uri() + hash_)
        return chrome

    browser.console(chrome)
    browser.requests(chrome)
    yield show
    assert browser.console(chrome) == []
    assert {
        url
        for url in browser.requests(chrome)
        if not url.startswith(("file:", "data:"))
    } <= {"about:blank"}
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.media(chrome, prefers_color_scheme="light")


def visible(chrome: Chrome, selector: str) -> list[WebElement]:
    """What is shown of what the selector finds."""
    found: list[WebElement] = chrome.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((element) => element.checkVisibility())",
        selector,
    )
    return found


def texts(chrome: Chrome, selector: str) -> list[str]:
    """The text of what is shown of that, hidden parts of it included."""
    found: list[str] = chrome.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((element) => element.checkVisibility())"
        ".map((element) => element.textContent)",
        selector,
    )
    return found


def names(chrome: Chrome, within: str = "main") -> list[str]:
    """The entries that are shown, from the top."""
    return texts(chrome, f"{within} .entry h3")


def search(chrome: Chrome, text: str) -> None:
    """Type it."""
    box = chrome.find_element(By.ID, "query")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.BACKSPACE, text)


def status(chrome: Chrome) -> str:
    """What is said of the search."""
    return chrome.find_element(By.ID, "found").text


def is_open(chrome: Chrome, entry: str) -> bool:
    """Whether the entry shows what is in it."""
    details = chrome.find_element(By.CSS_SELECTOR, f"[id='{entry}'] > details")
    return details.get_attribute("open") is not None


def test_the_page_renders(show: Any) -> None:
    """With a title, landmarks, every section, and entries that are closed."""
    chrome = show()

    assert chrome.title == "Contracts worktree"
    assert [text.rpartition(" ")[0] for text in texts(chrome, "main h2")] == [
        "Events",
        "DTOs",
        "Error codes",
        "Services and operations",
        "Queues",
        "Rules that only code can check",
        "Packages of the kernel",
    ]
    assert {"user.registered", "UserResponseDTO", "not_found"} <= set(names(chrome))
    assert len(visible(chrome, "main, nav, header, footer, [role=search]")) == 5
    assert visible(chrome, ".entry .body") == []


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("user.registered", "user.registered"),  # an event
        ("brandkitcreate", "BrandKitCreateDTO"),  # a DTO
        ("rate_limit_exceeded", "rate_limit_exceeded"),  # an error code
        ("verification_token", "user.registered"),  # a member, on two events
        ("accounts.send_verification.dead", "user.registered"),  # a queue
        ("//shared/dtos:team", "TeamCreateDTO"),  # a target
    ],
)
def test_the_search_finds_and_hides_the_others(
    show: Any, text: str, first: str
) -> None:
    """Names, members, codes, queues, targets: whatever the page says."""
    chrome = show()
    every = len(names(chrome))
    search(chrome, text)
    found = names(chrome)

    assert first in found
    assert 0 < len(found) < every / 4
    assert all(text in entry.lower() for entry in texts(chrome, ".entry"))
    listed = len(visible(chrome, "#index li"))
    assert status(chrome).startswith(f"{listed} entr")


def test_the_name_comes_before_what_mentions_it(show: Any) -> None:
    """Also for the Tab key: the order is that of the document, and comes back."""
    chrome = show()
    every = names(chrome)
    search(chrome, "team")
    named = ["team" in name for name in names(chrome, "#events")]
    search(chrome, "")

    assert set(named) == {True, False}
    assert named == sorted(named, reverse=True)
    assert names(chrome) == every


def test_what_was_looked_for_is_marked(show: Any) -> None:
    """Also in names that may be broken over two lines, which are several texts."""
    chrome = show("#q=verification_token")
    visible(chrome, "[id='event-user.registered'] summary")[0].click()
    # What an entry has is marked when it is told that it was opened: a moment later.
    marked = WebDriverWait(chrome, 60).until(
        lambda _: chrome.execute_script(
            "return [...CSS.highlights.get('found')].map((range) => range.toString())"
        )
    )

    assert set(marked) == {"verification_token"}


def test_all_words_must_be_found(show: Any) -> None:
    """In any order, in any place of an entry."""
    chrome = show()
    search(chrome, "  email   USER ")

    assert "user.email_verified" in names(chrome)
    assert "user.deleted" not in names(chrome)


def test_nothing_found_is_said(show: Any) -> None:
    """In words, with what was looked for, as text."""
    chrome = show()
    search(chrome, "<b>zzz")

    assert names(chrome) == []
    assert status(chrome).startswith("0 entries of ")
    assert "<b>zzz" in chrome.find_element(By.ID, "nothing").text
    assert visible(chrome, "main h2") == []


def test_the_keyboard_is_enough(show: Any) -> None:
    """A slash goes to the search, Enter to the best hit, Escape clears."""
    chrome = show()
    keys = chrome.find_element(By.TAG_NAME, "body")
    every = len(names(chrome))
    keys.send_keys("/")
    box = chrome.find_element(By.ID, "query")
    assert chrome.switch_to.active_element == box
    box.send_keys("user.registered/")
    assert box.get_attribute("value") == "user.registered/"
    box.send_keys(Keys.BACKSPACE, Keys.ENTER)
    assert is_open(chrome, "event-user.registered")
    assert chrome.switch_to.active_element.text.startswith("user.registered")
    chrome.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert box.get_attribute("value") == ""
    assert len(names(chrome)) == every


def test_a_deep_link_opens_its_entry(show: Any) -> None:
    """Below the header that stays, and the others are closed."""
    chrome = show("#event-user.registered")
    top: float = chrome.execute_script(
        "return document.getElementById('event-user.registered')"
        ".getBoundingClientRect().top"
    )
    header: float = chrome.execute_script(
        "return document.querySelector('.top').offsetHeight"
    )

    assert is_open(chrome, "event-user.registered")
    assert header <= top < header + 60
    assert len(visible(chrome, ".entry .body")) == 1


def test_a_link_to_a_part_opens_what_it_is_in(show: Any) -> None:
    """A schema inside of an entry has an address, too."""
    chrome = show("#event-user.registered-v1-UserRegisteredPayload")

    assert is_open(chrome, "event-user.registered")


def test_a_link_out_of_a_search_shows_its_entry(show: Any) -> None:
    """What the search hides is there again when somebody goes to it."""
    chrome = show("#q=BrandKitCreateDTO")
    assert names(chrome)[0] == "BrandKitCreateDTO"
    visible(chrome, "#dto-BrandKitCreateDTO summary")[0].click()
    chrome.find_element(
        By.CSS_SELECTOR, "#dto-BrandKitCreateDTO a[href='#dto-BrandFontDTO']"
    ).click()

    assert is_open(chrome, "dto-BrandFontDTO")
    assert chrome.find_element(By.ID, "dto-BrandFontDTO").is_displayed()


def test_a_search_has_an_address(show: Any) -> None:
    """What is typed can be sent to somebody, who sees the same."""
    chrome = show()
    search(chrome, "rate limit")
    found = names(chrome)
    address = chrome.current_url

    assert address.endswith("#q=rate%20limit")
    show("#q=rate%20limit")
    assert names(chrome) == found
    show("#q=%E0%A4%A")  # cut off by whoever sent it
    assert names(chrome) == []


def test_a_link_to_nothing_shows_the_page(show: Any) -> None:
    """An entry that was there in another bundle is no error."""
    assert "user.registered" in names(show("#event-gone"))


def test_the_picture_shows_all_packages(show: Any) -> None:
    """Each box is there with its name inside, and nothing overlaps."""
    chrome = show("#packages")
    shown = set(texts(chrome, ".kernel-graph .box text"))
    folders = {p.parent.name for p in Path().glob("shared/*/graph.json")}
    rects: list[dict[str, Any]] = chrome.execute_script(
        "return [...document.querySelectorAll('.kernel-graph .box')].map((box) => ({"
        " name: box.querySelector('text').textContent,"
        " text: box.querySelector('text').getBoundingClientRect().width,"
        " ...box.querySelector('rect').getBoundingClientRect().toJSON()}))"
    )
    overlapping = [
        (a["name"], b["name"])
        for number, a in enumerate(rects)
        for b in rects[:number]
        if a["left"] < b["right"] and b["left"] < a["right"]
        if a["top"] < b["bottom"] and b["top"] < a["bottom"]
    ]
    too_small = [box["name"] for box in rects if box["text"] + 4 > box["width"]]

    assert len(folders) > 15
    assert shown == folders
    assert overlapping == []
    assert too_small == []


def test_a_package_in_the_picture_leads_to_its_entry(show: Any) -> None:
    """By mouse and by keyboard."""
    chrome = show("#packages")
    link = chrome.find_element(By.CSS_SELECTOR, ".kernel-graph .of-errors a")
    link.send_keys(Keys.ENTER)

    assert is_open(chrome, "package-errors")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index.html", "sample.html"])
def test_text_has_contrast(show: Any, scheme: str, page: str) -> None:
    """At least 4.5 to 1, in every entry, marks of a search included."""
    chrome = show("#q=e", page)
    browser.media(chrome, prefers_color_scheme=scheme)
    chrome.find_element(By.ID, "open-all").click()
    ratio, where = chrome.execute_script(CONTRAST)
    search(chrome, "")
    ratio_of_all, where_of_all = chrome.execute_script(CONTRAST)
    background = chrome.find_element(By.TAG_NAME, "body").value_of_css_property(
        "background-color"
    )

    assert ratio >= 4.5, where
    assert ratio_of_all >= 4.5, where_of_all
    assert ("255, 255, 255" in background) == (scheme == "light")


@pytest.mark.parametrize("page", ["index.html", "sample.html"])
def test_a_narrow_screen_has_no_sideways_scroll(
    show: Any, chrome: Chrome, page: str
) -> None:
    """With everything open; wide tables and the picture scroll by themselves."""
    browser.narrow(chrome, NARROW)
    show("", page)
    chrome.find_element(By.ID, "open-all").click()
    width = chrome.execute_script("return document.documentElement.scrollWidth")
    picture, room = chrome.execute_script(
        "const it = document.querySelector('.picture');"
        "return [it.scrollWidth, it.clientWidth]"
    )

    assert width == NARROW
    assert picture > room


def test_everything_can_be_opened_and_closed(show: Any) -> None:
    """At once, for those who read on."""
    chrome = show()
    chrome.find_element(By.ID, "open-all").click()
    opened = len(visible(chrome, ".entry .body"))
    chrome.find_element(By.ID, "close-all").click()

    assert opened == len(names(chrome))
    assert visible(chrome, ".entry .body") == []


def test_paper_gets_what_is_closed_too(show: Any) -> None:
    """A print has many more sheets than the list of names fills."""
    chrome = show(page="sample.html")
    closed = PrintOptions()
    printed = len(chrome.print_page(closed))
    chrome.execute_script(
        "document.querySelectorAll('.entry').forEach(e => e.remove())"
    )

    assert printed > 2 * len(chrome.print_page(closed))
    assert is_closed_again(show)


def is_closed_again(show: Any) -> bool:
    """Whether a print leaves entries as they were."""
    chrome = show(page="sample.html")
    chrome.print_page(PrintOptions())
    return visible(chrome, ".entry .body") == []


def test_text_of_a_bundle_is_not_run(show: Any) -> None:
    """A description with a script in it is shown."""
    chrome = show("#dto-ColorDTO", "sample.html")

    assert chrome.title == "Contracts sample"
    assert sample.HOSTILE in chrome.find_element(By.ID, "dto-ColorDTO").text


def test_the_page_reads_without_javascript(chrome: Chrome, folder: Path) -> None:
    """Entries open by themselves; only the search is not there, and says so."""
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chrome.get((folder / "index.html").as_uri() + "#event-user.registered")
        summary = visible(chrome, "[id='event-user.registered'] summary")[0]
        summary.click()

        assert is_open(chrome, "event-user.registered")
        assert visible(chrome, "#search, #tools") == []
        assert "needs JavaScript" in visible(chrome, "header")[0].text
    finally:
        chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_web_server_serves_it_as_well(chrome: Chrome, folder: Path) -> None:
    """It asks that server for one file, and nobody else for anything."""
    chrome.get("about:blank")
    browser.requests(chrome)
    browser.console(chrome)
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        chrome.get(url + "#q=user.registered")
        found = names(chrome)
        asked = [u for u in browser.requests(chrome) if not u.startswith("data:")]
        server.shutdown()

    assert found[0] == "user.registered"
    assert [each.partition("#")[0] for each in asked] == [url]
    assert browser.console(chrome) == []
