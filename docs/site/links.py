"""Links of a page to files of the repository, which the site shows as pages too.

What leads to another page is left to Sphinx, which knows its headings too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from docs.markdown import code_lines

FOLDER = "source"

_LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")
_NAME = re.compile(r"(?<!`)`(?P<name>shared(?:\.\w+)+)`(?!`)")
_LOGGER = "shared.security"  # a name too, and not one of Python's
PICTURES = (".png", ".svg", ".jpg", ".gif")


class BadLinkError(ValueError):
    """A link that no browser could follow; the text says where it stands."""


def prose(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each line with its number, and whether a reader sees it as words."""
    code = code_lines(text)
    for number, line in enumerate(text.splitlines(keepends=True)):
        yield number, line, number not in code


def rewrite(
    text: str,
    path: str,
    *,
    is_file: Callable[[str], bool],
    is_page: Callable[[str], bool],
) -> tuple[str, set[str]]:
    """Lead links to files to the pages that will show them.

    Args:
        text: The Markdown of a page.
        path: Where the page is, from the root of the repository.
        is_file: Whether a path from there is a file of the repository.
        is_page: Whether it is one that the site shows as a page.

    Returns:
        The text as Sphinx is to read it, and the files that it leads to.

    Raises:
        BadLinkError: A link to another host is not written as one.
    """
    wanted: set[str] = set()
    folder = PurePosixPath(path).parent.as_posix()

    def lead(match: re.Match[str]) -> str:
        target = match["target"]
        if ":" in target:
            _check_form(target, path)
            return match[0]
        name, _, anchor = target.partition("#")
        found = os.path.normpath(os.path.join(folder, name)).removeprefix("./")
        if is_page(f"{found}/README.md"):
            return f"](/{found}/README.md{'#' if anchor else ''}{anchor})"
        if not name or not is_file(found) or is_page(found):
            return match[0]  # here, or for Sphinx to find or to refuse
        wanted.add(found)
        if found.endswith(PICTURES):
            return match[0]
        return f"](/{FOLDER}/{found}.rst)"

    lines = []
    for _, line, is_prose in prose(text):
        if is_prose:
            line = _LINK.sub(lead, line)
            line = _NAME.sub(_role, line)
        lines.append(line)
    return "".join(lines), wanted


def _role(match: re.Match[str]) -> str:
    return match[0] if match["name"] == _LOGGER else f"{{py:obj}}{match[0]}"


def _check_form(target: str, path: str) -> None:
    parts = urlsplit(target)
    if parts.scheme == "mailto" and "@" in parts.path:
        return
    if parts.scheme != "https" or "." not in parts.netloc:
        raise BadLinkError(f"{path}: {target} is neither a path nor an https address.")


def source_page(path: str) -> str:
    """The reST of the page that shows the file *path*."""
    name = PurePosixPath(path).name
    shown = f"{name}\n{'=' * len(name)}\n\n``{path}``\n\n"
    return f"{shown}.. literalinclude:: /{path}\n   :language: {_language(path)}\n"


def _language(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    known = {
        ".py": "python",
        ".bzl": "python",
        ".bazel": "python",
        ".json": "json",
        ".yml": "yaml",
        ".yaml": "yaml",
        ".toml": "toml",
        ".sh": "bash",
        ".ts": "typescript",
    }
    return known.get(suffix, "none")
