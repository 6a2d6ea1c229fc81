"""How a service differs from what the templates would make of its answers today."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tools.new_service.answers import FILE
from tools.new_service.render import digest


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file that is not what the templates make of it."""

    path: str
    state: str
    upstream: bool  # the templates have moved, whatever the service did
    ours: str | None
    theirs: str | None


def changes(
    digests: Mapping[str, str],
    rendered: Mapping[str, str],
    read: Callable[[str], str | None],
) -> Iterator[Change]:
    """Compare the files of a service with its templates.

    Args:
        digests: Of each file as it was generated.
        rendered: What the templates make of the same answers today.
        read: Returns the text of a file of the service, None if it has none.
    """
    for path in sorted(digests.keys() | rendered.keys()):
        ours, theirs = read(path), rendered.get(path)
        if ours == theirs:
            continue
        state, upstream = _state(digests.get(path), ours, theirs)
        if path == FILE:
            state, upstream = "remembers other templates", True
        yield Change(
            path=path, state=state, upstream=upstream, ours=ours, theirs=theirs
        )


def _state(made: str | None, ours: str | None, theirs: str | None) -> tuple[str, bool]:
    """Who has changed the file, and whether the templates did."""
    moved = (None if theirs is None else digest(theirs)) != made
    edited = (None if ours is None else digest(ours)) != made
    match ours, theirs, moved, edited:
        case _, None, _, _:
            return "gone from the templates", True
        case None, _, _, True:
            return "removed here", moved
        case None, _, _, False:
            return "new in the templates", True
        case _, _, True, True:
            return "edited here, and the template changed", True
        case _, _, True, False:
            return "the template changed", True
    return "edited here", False


def diff(change: Change, folder: str) -> str:
    """A change as `git apply` and `patch -p1` take it, at the root of the workspace."""
    path = f"{folder}/{change.path}"
    old = "/dev/null" if change.ours is None else f"a/{path}"
    new = "/dev/null" if change.theirs is None else f"b/{path}"
    head = [f"diff --git a/{path} b/{path}\n"]
    if change.ours is None:
        head.append("new file mode 100644\n")
    if change.theirs is None:
        head.append("deleted file mode 100644\n")
    body = difflib.unified_diff(_lines(change.ours), _lines(change.theirs), old, new)
    return "".join([*head, *map(_ended, body)])


def _lines(text: str | None) -> list[str]:
    """Split at line feeds only, as diff does: str.splitlines knows ten more."""
    return (
        []
        if not text
        else [f"{line}\n" for line in text.split("\n")[:-1]]
        + ([last] if (last := text.rpartition("\n")[2]) else [])
    )


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
