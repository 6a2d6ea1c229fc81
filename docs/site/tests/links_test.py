"""Links of pages, rewritten for the site."""

from __future__ import annotations

import pytest

from docs.site.links import BadLinkError, rewrite

FILES = {"docs/wheels.md", "tools/bazel/strict_deps.bzl", "tools/x/README.md", "a.png"}
PAGES = {"docs/wheels.md", "tools/x/README.md"}


def rewritten(text: str, path: str = "docs/page.md") -> tuple[str, set[str]]:
    """*text* as the page docs/page.md of a small repository."""
    return rewrite(text, path, is_file=FILES.__contains__, is_page=PAGES.__contains__)


@pytest.mark.parametrize(
    ("link", "expected", "files"),
    [
        ("[x](wheels.md)", "[x](wheels.md)", set()),
        ("[x](wheels.md#the-rule)", "[x](wheels.md#the-rule)", set()),
        ("[x](#here)", "[x](#here)", set()),
        ("[x](../tools/x)", "[x](/tools/x/README.md)", set()),
        ("[x](../tools/x/)", "[x](/tools/x/README.md)", set()),
        (
            "[x](../tools/bazel/strict_deps.bzl)",
            "[x](/source/tools/bazel/strict_deps.bzl.rst)",
            {"tools/bazel/strict_deps.bzl"},
        ),
        ("![x](../a.png)", "![x](../a.png)", {"a.png"}),
        ("[x](https://example.org/a)", "[x](https://example.org/a)", set()),
        ("[x](missing.md)", "[x](missing.md)", set()),
    ],
)
def test_a_link_leads_to_what_the_site_shows(
    link: str, expected: str, files: set[str]
) -> None:
    """Pages are left to Sphinx, folders are their READMEs, files get pages."""
    assert rewritten(link) == (expected, files)


@pytest.mark.parametrize(
    "link", ["http://example.org", "ftp://example.org/x", "https://nodot", "mailto:x"]
)
def test_a_link_to_elsewhere_has_the_form_of_one(link: str) -> None:
    """Nobody is asked whether it is there; whether it can be is seen."""
    with pytest.raises(BadLinkError, match="neither a path nor an https address"):
        rewritten(f"[x]({link})")


def test_code_is_left_as_it_is() -> None:
    """A link in code is no link, and a name no reference."""
    code = "```python\nx = [1](../a.png)  # `shared.errors`\n```\n"

    assert rewritten(code) == (code, set())


def test_names_are_led_to_the_reference() -> None:
    """A dotted name in words is a role, and so has to name something."""
    text, _ = rewritten("See `shared.errors.NotFoundError`, not `shared.security`.")

    assert text == "See {py:obj}`shared.errors.NotFoundError`, not `shared.security`."
