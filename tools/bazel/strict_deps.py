"""Compares the imports of one target with its deps. Run by strict_deps.bzl."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Import:
    """One imported dotted name and where it stands."""

    file: str
    line: int
    module: str
    name: str | None = None  # of `from module import name`

    @property
    def spellings(self) -> tuple[str, ...]:
        """The modules it may mean, the longest first."""
        longer = (f"{self.module}.{self.name}",) if self.name else ()
        return (*longer, self.module)


def imports_of(path: str) -> list[Import]:
    """List every absolute import in the file, wherever it is nested."""
    found: list[Import] = []
    for node in ast.walk(ast.parse(Path(path).read_bytes(), path)):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, a.name) for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [
                Import(path, node.lineno, node.module, a.name) for a in node.names
            ]
    return found


def module_name(path: str, roots: list[str]) -> str | None:
    """The dotted name a file is imported by, None if no root of sys.path holds it."""
    for root in roots:
        if path.startswith(root + "/"):
            stem = path[len(root) + 1 :].split(".")[0]  # x.cpython-311-...so is x
            return stem.replace("/", ".").removesuffix(".__init__")
    return None


def check(spec: dict[str, Any]) -> list[str]:
    """Return a message for each import without a dep and each dep without import."""
    workspace = spec["workspace"]
    roots = sorted([*spec["roots"], workspace], key=len, reverse=True)

    def names(paths: list[str]) -> set[str]:
        full = (p[3:] if p.startswith("../") else f"{workspace}/{p}" for p in paths)
        return {name for p in full if (name := module_name(p, roots))}

    own = names(spec["own"])
    reachable = names(spec["transitive"])
    provided: dict[str, set[str]] = {
        dep["label"]: names(dep["modules"]) for dep in spec["deps"]
    }
    foreign: set[str] = {dep["label"] for dep in spec["deps"] if dep["foreign"]}

    def provider(spelling: str) -> str | None:
        for label, modules in provided.items():
            if spelling in modules:
                return label
        # A compiled or namespace package need not list each of its modules.
        for label in foreign:
            for module in provided[label]:
                if module.startswith(spelling + ".") or spelling.startswith(
                    module + "."
                ):
                    return label
        return None

    problems: list[str] = []
    used: set[str] = set()
    for item in [found for src in spec["srcs"] for found in imports_of(src)]:
        if item.module.split(".")[0] in sys.stdlib_module_names:
            continue
        # `from shared.errors import handlers` needs the module, not just the facade.
        wanted = next((s for s in item.spellings if s in reachable), item.module)
        if wanted in own:
            continue
        label = provider(wanted)
        if label is None:
            problems.append(
                f"{item.file}:{item.line}: imports {wanted}, which no direct dep of "
                f"{spec['label']} provides. Add the target that owns it to deps in "
                f"{spec['build_file']}."
            )
        else:
            used.add(label)
    for dep in spec["deps"]:
        if dep["label"] in used or dep["runtime"]:
            continue
        problems.append(
            f"{spec['build_file']}: {spec['label']} has the dep {dep['label']}, which "
            "no source of it imports. Remove it, or list it in runtime_deps if the "
            "code needs it without importing it."
        )
    return problems


if __name__ == "__main__":
    messages = check(json.loads(Path(sys.argv[1]).read_text()))
    if messages:
        sys.exit("\n".join(messages))
    Path(sys.argv[2]).write_text("ok\n")
