"""The code blocks of the site's pages, and how a test runs each of them.

A block says it by its language, or by a comment on the line before it, which readers do
not see:

    <!-- no-run: why nothing can run it -->
    <!-- run-by: //the:test that has this page in its data -->
    <!-- file: path/in/the/workspace -->     what the commands after it need
    <!-- as: toml -->                        the language, where the fence has none

Commands of a block that is not run are still looked up: labels must exist.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from docs.markdown import Block, blocks
from docs.site.pages import navigation

# Marks for pages that are shipped elsewhere, and so have none in their text.
MARKS = Path("docs/marks.toml")

_MARK = re.compile(r"(no-run|run-by|file|as):\s*(.*)", re.DOTALL)
_TEST = re.compile(r"^(?:async )?def test_|^class Test", re.MULTILINE)
_LABEL = re.compile(r"(?<![\w:/.@])//[\w/.-]*(?::[\w/.-]+)?")
_BUILDS = re.compile(r"(?:^|\s)(?:\.\./\.\./|\./)bazelw\s")

# A reason is a sentence, not a shrug.
_SHORTEST_REASON = 12


class Way(Enum):
    """How a block is run."""

    NOT = "not at all, for a reason that is given"
    ELSEWHERE = "by a test of its own"
    FILE = "as a file in the workspace of later commands"
    PYTHON = "in one interpreter with the page's other blocks"
    TESTS = "by pytest, alone"
    COMMANDS = "by a shell, in a copy of the workspace"
    BUILD = "with the macros of //tools/bazel:python.bzl"
    DATA = "by the parser of its language"
    SETTINGS = "as settings of a service"
    DIAGRAM = "drawn for the site"
    SQL = "by SQLite"


_BY_LANGUAGE = {
    "python": Way.PYTHON,
    "sh": Way.COMMANDS,
    "bash": Way.COMMANDS,
    "": Way.COMMANDS,
    "starlark": Way.BUILD,
    "json": Way.DATA,
    "toml": Way.DATA,
    "yaml": Way.DATA,
    "promql": Way.DATA,
    "ini": Way.SETTINGS,
    "mermaid": Way.DIAGRAM,
    "sql": Way.SQL,
}


class BlockError(ValueError):
    """A block that nothing can run; the text starts with page and line."""


@dataclass(frozen=True)
class Step:
    """A block of a page, and how it is run."""

    page: str
    block: Block
    way: Way
    detail: str = ""
    """The reason, the label or the path of its mark."""

    @property
    def place(self) -> str:
        """``docs/keys.md:23``, for people."""
        return f"{self.page}:{self.block.line}"

    @property
    def code(self) -> str:
        """What is to be run."""
        return self.block.code


def marks(root: Path) -> Mapping[str, Mapping[str, str]]:
    """For each page with marks in `MARKS`: a block's first line, and its mark."""
    found: dict[str, dict[str, str]] = tomllib.loads((root / MARKS).read_text())
    return found


def steps_of(
    page: str, text: str, given: Mapping[str, str] | None = None
) -> list[Step]:
    """Every block of the page, in order.

    Args:
        page: Its path, for messages.
        text: Its Markdown.
        given: Marks that it has not in its text, by the first line of a block.

    Raises:
        BlockError: A block has no way to run, or a mark is not written as one.
    """
    given = given or {}
    return [_step(page, block, given) for block in blocks(text)]


def _step(page: str, block: Block, given: Mapping[str, str]) -> Step:
    place = f"{page}:{block.line}"
    first = block.code.partition("\n")[0].strip()
    comment = block.comment or given.get(first, "")
    mark = _MARK.fullmatch(comment)
    if mark and mark[1] == "as":
        block = replace(block, language=mark[2].strip())
    elif mark:
        detail = " ".join(mark[2].split())
        if mark[1] == "no-run":
            if len(detail) < _SHORTEST_REASON:
                raise BlockError(f"{place}: no-run needs a reason.")
            return Step(page, block, Way.NOT, detail)
        if mark[1] == "run-by":
            if not _LABEL.fullmatch(detail):
                raise BlockError(f"{place}: run-by needs the label of a test.")
            return Step(page, block, Way.ELSEWHERE, detail)
        path = Path(detail)
        if not detail or path.is_absolute() or ".." in path.parts:
            raise BlockError(f"{place}: file needs a path in the workspace.")
        return Step(page, block, Way.FILE, detail)
    way = _BY_LANGUAGE.get(block.language)
    if way is None or (not block.language and not _BUILDS.search(block.code)):
        what = f"{block.language!r}" if block.language else "code without a language"
        raise BlockError(
            f"{place}: nothing runs {what}. Give it a language of docs/blocks.py, or "
            "<!-- no-run: why --> or <!-- run-by: //a:test --> on the line before."
        )
    if way is Way.PYTHON and _TEST.search(block.code):
        way = Way.TESTS
    return Step(page, block, way)


def every_step(root: Path) -> list[Step]:
    """The blocks of all pages of the site.

    Raises:
        BlockError: One line for each block that nothing can run.
    """
    given = marks(root)
    found: list[Step] = []
    wrong: list[str] = []
    for paths in navigation(root).values():
        for page in paths:
            for block in blocks((root / page).read_text()):
                try:
                    found.append(_step(page, block, given.get(page, {})))
                except BlockError as error:
                    wrong.append(str(error))
    if wrong:
        raise BlockError("\n".join(wrong))
    return found


def program(steps: Sequence[Step]) -> str:
    """The Python of a page as one program, each line where it stands on the page."""
    lines: list[str] = []
    for step in steps:
        if step.way is Way.PYTHON:
            lines += [""] * (step.block.line - 1 - len(lines))
            lines += step.code.splitlines()
    return "\n".join(lines) + "\n"


def labels(step: Step) -> set[str]:
    """The labels that the commands or the BUILD file in *step* name."""
    if step.way not in (Way.COMMANDS, Way.NOT, Way.BUILD, Way.FILE):
        return set()
    if step.way in (Way.BUILD, Way.FILE):
        return set(re.findall(r'"(//[\w/.:-]+)"', step.code))
    commands = [line for line in step.code.splitlines() if _BUILDS.search(line)]
    found: set[str] = set()
    for line in commands:
        found |= set(_LABEL.findall(line.partition(" # ")[0]))
    return found - {"//"}


def is_declared(root: Path, step: Step, label: str, made: Sequence[str] = ()) -> bool:
    """Whether a BUILD file of the repository declares *label*.

    Args:
        root: The repository.
        step: Where it is named; a page of another workspace means labels of that.
        label: ``//shared/errors``, ``//shared:wheels``, ``//shared/errors/...``.
        made: Folders that the page itself makes, whose labels are not asked for.
    """
    above = [root / folder for folder in Path(step.page).parents]
    root = next(folder for folder in above if (folder / "MODULE.bazel").is_file())
    folder, _, name = label.removeprefix("//").partition(":")
    if folder.endswith("..."):
        folder = folder.removesuffix("...").rstrip("/")
        return (root / folder).is_dir() or folder in made
    if folder in made or (root / folder / name).is_file():
        return True
    name = name or folder.rpartition("/")[2]
    build = root / folder / "BUILD.bazel"
    text = build.read_text() if build.is_file() else ""
    by_package = ("all", "lint", "types", "tree", "graph", "graphs")
    ends = re.findall(r'name = \w+ \+ "(\w+)"', text)  # one for each of a list
    stems = {name, *(name.removesuffix(end) for end in ends)}
    listed = any(f'name = "{n}"' in text or f'    "{n}",' in text for n in stems)
    return listed or bool(text and name in by_package)


def has_in_data(root: Path, test: str, page: str) -> bool:
    """Whether *test* reads *page*, by its data or that of a dep beside it."""
    folder, _, name = test.removeprefix("//").partition(":")
    build = root / folder / "BUILD.bazel"
    if not build.is_file():
        return False
    rules = {
        _text(call, "name"): call
        for node in ast.parse(build.read_text()).body
        if isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call)
    }
    if name not in rules:
        return False
    own = [rules[name]]
    own += [rules[d[1:]] for d in _list(own[0], "deps") if d[1:] in rules]
    data = {entry for rule in own for entry in _list(rule, "data")}
    package, _, file = page.rpartition("/")
    spelled = {"//:tree", f"//{package}:tree", f"//{package}:{file}"}
    if package == folder:
        spelled |= {":tree", file, f":{file}"}
    return bool(data & spelled)


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _text(call: ast.Call, name: str) -> str:
    value = _argument(call, name)
    return str(value.value) if isinstance(value, ast.Constant) else ""


def _list(call: ast.Call, name: str) -> list[str]:
    value = _argument(call, name)
    return [
        node.value
        for node in (ast.walk(value) if value else ())
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
