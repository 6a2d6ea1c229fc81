"""The site that `./bazelw run //docs:site` builds, page by page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from docs.site import reference
from docs.site.tests.unpacked import unpacked

ROOT = Path.cwd()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    return unpacked(tmp_path_factory.mktemp("site"))


def _public_modules() -> list[str]:
    return [module.name for module in reference.modules(ROOT)]


@pytest.mark.parametrize("name", _public_modules())
def test_every_public_name_is_in_the_reference(site: Path, name: str) -> None:
    """What `__all__` lists has a place of its own on its module's page."""
    module: ModuleType = import_module(name)
    page = (site / reference.FOLDER / f"{name}.html").read_text()
    listed = getattr(module, "__all__", _defined(module))
    places = set(re.findall(r'id="([^"]+)"', page))

    assert listed
    assert {f"{name}.{public}" for public in listed} - places == set()


def _defined(module: ModuleType) -> list[str]:
    """What a module without `__all__` defines at the left margin."""
    assert module.__file__
    source = Path(module.__file__).read_text()
    defined = r"^(?:class |(?:async )?def )?(\w+)(?=[(:]| = )"
    found = re.findall(defined, source, re.MULTILINE)
    return [name for name in found if not name.startswith("_") and name != "try"]


class _Fetched(HTMLParser):
    """What a browser loads to show a page, and where the page's links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.links: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "img", "iframe") and "src" in given:
            self.loaded.add(given["src"])
        if tag == "link" and given["href"] not in ("#", "data:,"):
            self.loaded.add(given["href"])
        if tag == "a" and "href" in given:
            self.links.add(given["href"])


def test_a_reader_needs_no_network(site: Path) -> None:
    """Scripts, styles and pictures of every page are files of the site."""
    pages = sorted(site.rglob("*.html"))
    missing = [
        (page.name, loaded)
        for page in pages
        for loaded in _Fetched(page.read_text()).loaded
        if ":" in loaded or not (page.parent / loaded.partition("?")[0]).is_file()
    ]

    assert len(pages) > 100
    assert missing == []


def test_links_of_pages_lead_to_files(site: Path) -> None:
    """From any folder, so that they work without a server."""
    broken = []
    for page in site.rglob("*.html"):
        for link in _Fetched(page.read_text()).links:
            path = link.partition("#")[0].partition("?")[0]
            if ":" not in link and path and not (page.parent / path).is_file():
                broken.append((page.relative_to(site).as_posix(), link))

    assert broken == []


def test_the_search_knows_pages_and_names(site: Path) -> None:
    """The index is a script, which a page may load without a server."""
    index = (site / "searchindex.js").read_text()

    assert index.startswith("Search.setIndex(")
    assert '"docs/wheels"' in index
    assert "NotFoundException" in index


def test_diagrams_are_drawn(site: Path) -> None:
    """As pictures; a reader would have to know Mermaid to read the source."""
    page = (site / "README.html").read_text()

    assert "kernel-diagram" in page
    assert "graph BT" not in page
