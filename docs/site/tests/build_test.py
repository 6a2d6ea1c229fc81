"""What the build of the site has to say about pages that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site import pages
from docs.site.build import build
from docs.site.stage import StageError

# myst-parser asks Sphinx 9 for what Sphinx 11 will not have.
pytestmark = pytest.mark.filterwarnings(
    "ignore:'myst_parser:sphinx.deprecation.RemovedInSphinx11Warning"
)

SECTIONS = (pages.Section("All", "All of them.", ("docs/*.md",)),)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a page that is as it should be."""
    monkeypatch.setattr(pages, "SECTIONS", SECTIONS)
    root = tmp_path / "repository"
    (root / "docs").mkdir(parents=True)
    (root / "contracts").mkdir()
    (root / "contracts/current").symlink_to(Path("contracts/current").absolute())
    (root / "docs/getting-started.md").write_text("# Start\n\n## A heading\n")
    (root / "docs/a.json").write_text("{}")
    return root


def warnings(root: Path, text: str) -> list[str]:
    """What the build says with *text* on a second page."""
    (root / "docs/page.md").write_text(f"# A page\n\n{text}\n")
    return build(root, root.parent / "site")


def test_a_good_page_is_not_mentioned(root: Path) -> None:
    """With links to a page, to a heading, to a file and to another host."""
    text = (
        "[page](getting-started.md) [heading](getting-started.md#a-heading) "
        "[here](#a-page) [file](a.json) [host](https://example.org/)"
    )

    assert warnings(root, text) == []
    assert (
        "source/docs/a.json.html" in (root.parent / "site/docs/page.html").read_text()
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[x](gone.md)", "gone.md"),
        ("[x](gone.py)", "gone.py"),
        ("[x](getting-started.md#gone)", "gone"),
        ("[x](#gone)", "gone"),
        ("`shared.errors.GoneError`", "shared.errors.GoneError"),
        ("![x](gone.png)", "gone.png"),
    ],
)
def test_a_broken_link_is_told(root: Path, text: str, told: str) -> None:
    """To a page, a file, a heading, a name or a picture; with page and line."""
    (warning,) = warnings(root, text)

    assert warning.startswith("docs/page.md:3: WARNING: ")
    assert told in warning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x](http://example.org)", "docs/page.md: http://example.org is neither"),
        ("```mermaid\npie\n```", "docs/page.md: The site draws graph TD"),
    ],
)
def test_what_cannot_be_shown_is_refused(root: Path, text: str, message: str) -> None:
    """Before anything is built."""
    with pytest.raises(StageError, match=message):
        warnings(root, text)
