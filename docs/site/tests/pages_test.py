"""The navigation, on made-up repositories and on this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site import pages


def test_a_page_is_in_the_first_section_that_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the patterns, then by name; a page without a place is told."""
    first = pages.Section("First", "", ("b.md", "docs/*.md"))
    rest = pages.Section("Rest", "", ("docs/**/*.md", "*.md"))
    monkeypatch.setattr(pages, "SECTIONS", (first, rest))
    for path in ("a.md", "b.md", "docs/x.md", "docs/deep/y.md", "bazel-out/z.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("# A page\n")

    assert pages.navigation(tmp_path) == {
        first: ["b.md", "docs/x.md"],
        rest: ["docs/deep/y.md", "a.md"],
    }


@pytest.mark.parametrize(
    ("patterns", "message"),
    [(("a.md", "gone.md"), "names gone.md"), (("b/*.md",), "No section .* has a.md")],
)
def test_pages_and_navigation_agree(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    patterns: tuple[str, ...],
    message: str,
) -> None:
    """What is named is there, and what is there is named."""
    monkeypatch.setattr(pages, "SECTIONS", (pages.Section("S", "", patterns),))
    (tmp_path / "a.md").write_text("# A page\n")

    with pytest.raises(LookupError, match=message):
        pages.navigation(tmp_path)
