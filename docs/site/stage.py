"""The tree that Sphinx reads: pages at their paths, and what is written for them."""

from __future__ import annotations

import re
from pathlib import Path

from docs.catalogue import graph, packages
from docs.site import links, mermaid, pages, reference

STATIC = "_static"
STYLE = "site.css"

ICON = "icon.svg"

# Without one, a browser asks the server for one.
_ICON = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="3" fill="#1f6feb"/>
<path d="M4 12V8m4 4V4m4 8V6" stroke="#fff" stroke-width="2"/></svg>
"""

# Pictures shrink to the column, and a heading is not said twice.
_CSS = """\
.kernel-graph { max-width: 100%; height: auto }
.toctree-wrapper .caption { display: none }
"""

# Pages whose own title is that of the site.
_TITLES = {"README.md": "The repository"}

# Where a page wants the picture of the packages. Elsewhere the comment shows nothing.
_PACKAGES = "<!-- picture: packages -->\n"

_MERMAID = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)

_INDEX = """\
# {project}

Small libraries for Python backends, from errors and log lines to the chassis of a whole
service, built and tested by Bazel and shipped as wheels too.
[Start here](/docs/getting-started.md): two commands, and no account anywhere.
"""


class StageError(ValueError):
    """A page that can't be shown; the text names it, and says why."""


def stage(root: Path, source: Path, *, project: str, graphs: Path) -> None:
    """Fill *source* from the repository at *root* and the graphs in *graphs*.

    Raises:
        StageError: A page can't be shown.
    """
    try:
        navigation = pages.navigation(root)
        shown = {path for found in navigation.values() for path in found}
        wanted: set[str] = set()
        for path in sorted(shown):
            text, linked = _page(root, graphs, path, shown)
            wanted |= linked
            _write(source / path, text)
    except (LookupError, links.BadLinkError) as error:
        raise StageError(str(error)) from error
    for path in sorted(wanted):
        _write(source / path, (root / path).read_bytes())
        if not path.endswith(links.PICTURES):
            _write(source / links.FOLDER / f"{path}.rst", links.source_page(path))
    names = []
    for name, text in reference.pages(root):
        names.append(name)
        _write(source / reference.FOLDER / f"{name}.rst", text)
    sections = [
        *((s.title, s.about, [_entry(p) for p in found])
          for s, found in navigation.items()),
        (
            "Reference",
            "What is in the contracts, and every public name, from the code itself.",
            ["catalogue", *(f"{reference.FOLDER}/{name}" for name in names)],
        ),
    ]  # fmt: skip
    _write(source / "catalogue.md", _CATALOGUE)
    _write(source / STATIC / STYLE, _CSS)
    _write(source / STATIC / ICON, _ICON)
    _write(source / "index.md", _INDEX.format(project=project) + _contents(sections))
    if wanted:
        _write(source / links.FOLDER / "index.rst", _SOURCES)


# A page of its own, which needs nothing of the site.
_CATALOGUE = """\
# Catalogue

Every event with producer, consumers and an example, every DTO with its fields, every
error code, every operation.
<a class="reference" href="catalogue/index.html">Open it as a page of its own.</a>

```{raw} html
<iframe src="catalogue/index.html" title="Catalogue" loading="lazy"
  style="width: 100%; height: 80vh; border: 1px solid currentColor"></iframe>
```
"""

# Not in the navigation: reached from the pages that speak of them.
_SOURCES = """\
:orphan:

Files of the repository
=======================

.. toctree::
   :glob:
   :maxdepth: 1

   **
"""


def _page(root: Path, graphs: Path, path: str, shown: set[str]) -> tuple[str, set[str]]:
    text = (root / path).read_text()
    text, linked = links.rewrite(
        text,
        path,
        is_file=lambda found: (root / found).is_file(),
        is_page=shown.__contains__,
    )
    try:
        text = _MERMAID.sub(lambda found: _raw(mermaid.draw(found[1])), text)
    except mermaid.MermaidError as error:
        raise StageError(f"{path}: {error}") from error
    if _PACKAGES in text:
        text = text.replace(_PACKAGES, _raw(_packages(graphs, path)))
    return text, linked


def _packages(graphs: Path, path: str) -> str:
    up = "../" * path.count("/")
    found = packages.read(sorted(graphs.glob("shared/*/graph.json")))
    return graph.draw(found, link=lambda name: f"{up}shared/{name}/README.html")


def _raw(svg: str) -> str:
    return f"```{{raw}} html\n{svg}\n```\n"


def _entry(path: str) -> str:
    name = path.removesuffix(".md")
    return f"{_TITLES[path]} <{name}>" if path in _TITLES else name


def _contents(sections: list[tuple[str, str, list[str]]]) -> str:
    parts = []
    for title, about, found in sections:
        names = "\n".join(found)
        parts.append(
            f"\n## {title}\n\n{about}\n\n"
            f"```{{toctree}}\n:caption: {title}\n:maxdepth: 1\n\n{names}\n```\n"
        )
    return "".join(parts)


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
