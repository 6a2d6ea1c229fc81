"""Writes the catalogue: one HTML file with all events, DTOs, error codes and services.

    ./bazelw run //docs:catalogue
    ./bazelw run //docs:catalogue -- --bundle contracts/released/1.0.0 --out DIR --open

The page needs no other file and no network: it is opened from a disk or put on any web
server.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from docs.catalogue import packages
from docs.catalogue.contents import contents_of
from docs.catalogue.page import render
from tools.contracts.bundle import Bundle, BundleError

PAGE: Final = "index.html"

# As `bazel run` finds them, in the runfiles.
_CURRENT: Final = Path("contracts/current")
_GRAPHS: Final = "shared/*/graph.json"


def write(out: Path, html: str) -> Path:
    """Put the page into the folder *out*; an older one is replaced at once.

    Raises:
        OSError: It can't be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    page = out / PAGE
    draft = out / f".{PAGE}.{os.getpid()}"
    draft.write_text(html, encoding="utf-8")
    draft.replace(page)
    return page


def main(arguments: Sequence[str]) -> int:
    """Write the page and say where it is; 1 and a line for a bundle that is none."""
    workspace = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    here = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    parser = argparse.ArgumentParser(
        prog="catalogue",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--bundle", type=Path, help="the folder of a bundle (this checkout's)"
    )
    parser.add_argument(
        "--out", type=Path, help="the folder to write (docs/_catalogue)"
    )
    parser.add_argument("--open", action="store_true", help="show it in a browser")
    options = parser.parse_args(arguments)
    folder = here / options.bundle if options.bundle else _CURRENT
    out = here / options.out if options.out else workspace / "docs" / "_catalogue"
    name = folder.name if options.bundle else "worktree"
    try:
        contents = contents_of(Bundle.load(folder, name))
        graphs = sorted(Path().glob(_GRAPHS))
        page = write(out, render(contents, packages.read(graphs)))
    except (BundleError, OSError) as error:
        print(f"catalogue: {error}", file=sys.stderr)
        return 1
    print(page.resolve())
    if options.open:
        webbrowser.open(page.resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
