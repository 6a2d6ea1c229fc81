"""Compares the imports of one target with its deps. Run by strict_deps.bzl.

Every import statement counts, wherever it stands: under ``if TYPE_CHECKING`` the type
checker needs the dep, and under ``try`` the target would be two targets in one. Strings
handed to importlib do not count; what they name belongs in ``runtime_deps``.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypedDict


class Dep(TypedDict):
    """One direct dep."""

    label: str
    foreign: bool  # from another repository: a third-party package, say
    modules: list[str]  # its own files, as runfiles paths
    runtime: bool  # needed without being imported


class Source(TypedDict):
    """One source file of the target."""

    path: str  # where to read it
    runfile: str  # where Python finds it


class Spec(TypedDict):
    """What strict_deps.bzl knows about the target."""

    label: str
    build_file: str
    workspace: str  # the folder of this repository among the runfiles
    roots: list[str]  # what the target adds to sys.path, below the runfiles
    srcs: list[Source]
    deps: list[Dep]
    transitive: list[str]  # every first-party file behind it, as runfiles paths


@dataclass(frozen=True)
class Import:
    """One imported name and where it stands."""

    file: str
    line: int
    module: str  # absolute, also where the statement is relative
    name: str | None = None  # of `from module import name`

    @property
    def spellings(self) -> tuple[str, ...]:
        """The modules it may mean, the longest first."""
        longer = (f"{self.module}.{self.name}",) if self.name else ()
        return (*longer, self.module)

    def __str__(self) -> str:
        """The statement, as Python would have it."""
        if self.name:
            return f"from {self.module} import {self.name}"
        return f"import {self.module}"


def module_name(runfile: str, roots: Iterable[str]) -> str | None:
    """The dotted name a file is imported by, None if no `import` can name it.

    Args:
        runfile: A path below the runfiles, starting with a repository's folder.
        roots: Folders on sys.path, the longest first.
    """
    for root in roots:
        if runfile.startswith(root + "/"):
            path = PurePosixPath(runfile[len(root) + 1 :])
            stem = path.name.split(".")[0]  # x.cpython-311-x86_64-linux-gnu.so is x
            parts = path.parent.parts + (() if stem == "__init__" else (stem,))
            return ".".join(parts) if all(map(str.isidentifier, parts)) else None
    return None


def _absolute(node: ast.ImportFrom, package: Sequence[str]) -> str:
    """The module of a `from` statement in a file of *package*, dots resolved."""
    if not node.level:
        return node.module or ""
    above = package[: max(0, len(package) - node.level + 1)]
    return ".".join([*above, *([node.module] if node.module else [])])


def imports_of(path: str, package: Sequence[str] = ()) -> list[Import]:
    """List every import of the file, wherever it is nested.

    Args:
        path: The file.
        package: The package it belongs to, which relative imports start from.

    Raises:
        SyntaxError: The file is not Python.
    """
    found: list[Import] = []
    for node in ast.walk(ast.parse(Path(path).read_bytes(), path)):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, a.name) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            found += [Import(path, node.lineno, module, a.name) for a in node.names]
    return sorted(found, key=lambda item: item.line)


class Providers:
    """Which direct dep provides a module."""

    def __init__(self, modules: Mapping[str, set[str]], foreign: set[str]) -> None:
        """Take the modules of each label, and which labels are foreign."""
        self._labels = {name: label for label in modules for name in modules[label]}
        self._foreign = {
            name: label for name, label in self._labels.items() if label in foreign
        }

    def of(self, spelling: str) -> str | None:
        """The label of the dep that provides *spelling*, if one does."""
        if label := self._labels.get(spelling):
            return label
        # A foreign package need not list each of its modules: some are compiled, and a
        # `from` may name an attribute. The nearest listed parent decides, so that two
        # distributions may share a namespace.
        parent = spelling
        while parent:
            parent = parent.rpartition(".")[0]
            if label := self._foreign.get(parent):
                return label
        # A namespace package lists no module of its own name, only what is below.
        below = spelling + "."
        return next(
            (self._foreign[n] for n in sorted(self._foreign) if n.startswith(below)),
            None,
        )


def check(spec: Spec) -> list[str]:
    """Return a message for each import without a dep and each dep without an import."""
    workspace = spec["workspace"]
    roots = sorted([*spec["roots"], workspace], key=len, reverse=True)

    def name_of(runfile: str) -> str | None:
        outside = runfile.startswith("../")
        return module_name(runfile[3:] if outside else f"{workspace}/{runfile}", roots)

    def names(runfiles: Iterable[str]) -> set[str]:
        return {name for runfile in runfiles if (name := name_of(runfile))}

    own = names(source["runfile"] for source in spec["srcs"])
    reachable = names(spec["transitive"])
    providers = Providers(
        {dep["label"]: names(dep["modules"]) for dep in spec["deps"]},
        {dep["label"] for dep in spec["deps"] if dep["foreign"]},
    )

    problems: list[str] = []
    used: set[str] = set()
    for source in spec["srcs"]:
        package = (name_of(source["runfile"]) or "").split(".")
        if PurePosixPath(source["runfile"]).name != "__init__.py":
            package = package[:-1]
        try:
            imports = imports_of(source["path"], package)
        except SyntaxError as error:
            problems.append(
                f"{source['path']}:{error.lineno or 1}: [law 3] is not Python: "
                f"{error.msg}. Fix: correct the syntax."
            )
            continue
        for item in imports:
            if item.module.split(".")[0] in sys.stdlib_module_names:
                continue
            # `from shared.errors import handlers` needs the module too.
            named = next((s for s in item.spellings if s in reachable), None)
            candidates = (named,) if named else item.spellings
            if own.intersection(candidates):
                continue
            label = next((x for s in candidates if (x := providers.of(s))), None)
            if label:
                used.add(label)
                continue
            problems.append(
                f"{item.file}:{item.line}: [law 3] `{item}` is not covered by a direct "
                f"dep of {spec['label']}. Fix: add the target that owns "
                f"{named or item.module} to its deps in {spec['build_file']}."
            )
    problems += [
        f"{spec['build_file']}: [law 3] {spec['label']} has the dep {dep['label']}, "
        "which no source of it imports. Fix: remove it, or list it in runtime_deps if "
        "the code needs it without importing it."
        for dep in spec["deps"]
        if not dep["runtime"] and dep["label"] not in used
    ]
    return problems


def main(given: str, done: str) -> None:
    """Check the spec in the file *given*; write *done*, or exit with the messages."""
    if messages := check(json.loads(Path(given).read_text())):
        sys.exit("\n".join(messages))
    Path(done).write_text("ok\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
