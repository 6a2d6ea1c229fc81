"""From the repository to a folder of HTML, by way of a tree that Sphinx reads."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from docs.catalogue import packages, page
from docs.catalogue.contents import contents_of
from docs.site import reference, stage
from tools.contracts.bundle import Bundle, BundleError

_PROJECT = "CreativeFlow shared kernel"

# Packages that have no pages here.
_FOREIGN = (
    "abc|aiormq|alembic|argon2|asyncio|builtins|collections|contextlib|cryptography"
    "|datetime|decimal|enum|email_validator|fastapi|http|httpx2?|ipaddress|jose|json"
    "|logging|opentelemetry|orjson|os|pathlib|prometheus_client|pydantic|pydantic_core"
    "|pydantic_settings|pytest|redis|rich|socket|sqlalchemy|ssl|starlette|subprocess"
    "|threading|time|types|typer|typing|typing_extensions|urllib|uuid|uvicorn|zoneinfo"
)

# Their errors, as "Raises:" of a docstring names them.
_FOREIGN_ERRORS = "InvalidRequestError|PydanticCustomError"

SETTINGS: dict[str, Any] = {
    "project": _PROJECT,
    "html_title": _PROJECT,
    "extensions": ["myst_parser", "sphinx.ext.autodoc", "docs.site.extension"],
    "html_theme": "furo",
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "html_static_path": [stage.STATIC],
    "html_favicon": f"{stage.STATIC}/{stage.ICON}",
    "html_css_files": [stage.STYLE],
    "html_show_search_summary": False,  # it is fetched, which browsers forbid to files
    "highlight_language": "none",
    "toc_object_entries": False,  # a page of the reference has a table of its names
    "default_role": "code",
    "myst_heading_anchors": 4,
    "autodoc_member_order": "bysource",
    "autodoc_typehints_format": "short",
    "autodoc_preserve_defaults": True,
    "autodoc_inherit_docstrings": False,
    "python_use_unqualified_type_names": True,
    "python_maximum_signature_line_length": 80,
    "nitpicky": True,
    "nitpick_ignore_regex": [
        (r"py:.*", rf"({_FOREIGN})(\..*)?"),
        (r"py:exc", _FOREIGN_ERRORS),
    ],
}


def build(
    root: Path, out: Path, *, told: Callable[[str], None] = lambda page: None
) -> list[str]:
    """Build the site of the repository at *root* in *out*.

    Args:
        root: The repository, or a copy of its files.
        out: A folder, made if need be.
        told: Is called with the name of each page as it is read and written.

    Returns:
        Every warning of Sphinx as a line; none means that all links lead somewhere.

    Raises:
        StageError: A page can't be shown.
    """
    with tempfile.TemporaryDirectory() as scratch, docutils_namespace():
        source = Path(scratch, "source")
        stage.stage(root, source, project=_PROJECT, graphs=_graphs(root))
        warnings = io.StringIO()
        app = Sphinx(
            srcdir=source,
            confdir=None,
            outdir=out,
            doctreedir=Path(scratch, "doctrees"),
            buildername="html",
            confoverrides=SETTINGS
            | {"kernel_re_exported": reference.re_exported(root)},
            status=None,
            warning=warnings,
            freshenv=True,
        )
        app.connect("source-read", lambda _app, page, _text: told(f"reading {page}"))
        app.connect("html-page-context", lambda _app, page, *_: told(f"writing {page}"))
        app.build(force_all=True)
    _write_catalogue(root, out / "catalogue")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())
    return [line.replace(f"{source}/", "") for line in plain.splitlines() if line]


def _write_catalogue(root: Path, folder: Path) -> None:
    try:
        contents = contents_of(Bundle.load(root / "contracts/current", "worktree"))
    except BundleError as error:
        raise stage.StageError(str(error)) from error
    graphs = sorted(_graphs(root).glob("shared/*/graph.json"))
    folder.mkdir()
    (folder / "index.html").write_text(page.render(contents, packages.read(graphs)))


def _graphs(root: Path) -> Path:
    """Where graph.json of each package is: among the files, or Bazel's output."""
    return root if (root / "shared/errors/graph.json").exists() else root / "bazel-bin"
