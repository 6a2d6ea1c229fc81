"""Builds the documentation site, from the repository alone and without a network.

    ./bazelw run //docs:site               into docs/_site of the checkout
    ./bazelw run //docs:site -- --out DIR
    ./bazelw run //docs:site -- --serve    and shows it at http://127.0.0.1:8001/

A broken link, an unknown name or a page without a place is told; nothing is written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from docs.site.build import build
from docs.site.stage import StageError

ROOT = Path(__file__).parents[2]

# Every site has it, and hardly anything else does.
_MARK = "objects.inv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    # `bazel run` starts programs elsewhere; paths are the caller's.
    workspace = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", ROOT))
    caller = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    options = _parser().parse_args(arguments)
    out = caller / options.out if options.out else workspace / "docs/_site"
    if out.exists() and not (out / _MARK).is_file() and _holds_something(out):
        print(f"{out} holds something that is no site; name another.", file=sys.stderr)
        return 2
    began = time.monotonic()
    print("Reading the pages and the code ...", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".site-") as folder:
        try:
            warnings = build(ROOT, Path(folder, "site"), told=_progress)
        except StageError as error:
            warnings = [str(error)]
        if warnings:
            print(*warnings, sep="\n", file=sys.stderr)
            print(f"{len(warnings)} things to correct; {out} is as it was.")
            return 1
        if out.exists():
            shutil.rmtree(out)
        Path(folder, "site").rename(out)
    count = sum(1 for _ in out.rglob("*.html"))
    print(f"{count} pages in {time.monotonic() - began:.0f} s: {out}/index.html")
    if options.serve is not None:
        return _serve(out, options.serve)
    return 0


def _holds_something(out: Path) -> bool:
    return not out.is_dir() or any(out.iterdir())


def _progress(page: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\x1b[K{page}\r", end="", flush=True)


def _serve(out: Path, port: int) -> int:
    handler = partial(SimpleHTTPRequestHandler, directory=str(out))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        print(f"Cannot listen on port {port}: {error.strerror}.", file=sys.stderr)
        return 1
    with server:
        print(f"http://127.0.0.1:{server.server_port}/ until Ctrl+C", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="site",
        description="Build the documentation site. A broken link, an unknown name or a "
        "page outside of the navigation is told, and then nothing is written.",
        epilog="Exit codes: 0, 1 if there is something to correct, 2 for a wrong "
        "command line.",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="instead of docs/_site; replaced if it is a site"
    )
    parser.add_argument(
        "--serve",
        metavar="PORT",
        type=int,
        nargs="?",
        const=8001,
        help="show it on this machine until Ctrl+C (8001 without a number)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
