"""What the laws look at: the files of the repository and the graph of its targets."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Python target, as //:graphs describes it."""

    label: str
    kind: str
    srcs: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    first_party: frozenset[str] = frozenset()  # every label behind it, its own too
    testonly: bool = False

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Target:
        """Take what the laws need of one entry of a graph.json."""
        return cls(
            label=entry["label"],
            kind=entry["kind"],
            srcs=tuple(entry["srcs"]),
            deps=tuple(entry["deps"]),
            first_party=frozenset(entry["first_party"]),
            testonly=entry["testonly"],
        )

    @property
    def package(self) -> str:
        """The folder of the target."""
        return package_of(self.label)

    @property
    def name(self) -> str:
        """What stands after the colon."""
        return self.label.partition(":")[2]


def package_of(label: str) -> str:
    """Return shared/errors for //shared/errors:handlers."""
    return label.removeprefix("//").partition(":")[0]


@dataclass(frozen=True)
class Rule:
    """A call in a BUILD file, such as kernel_library(name = "errors", ...)."""

    file: str
    line: int
    function: str
    call: ast.Call = field(repr=False)

    @property
    def name(self) -> str:
        """Its name attribute, "" if it has none that can be read."""
        return next(iter(self.strings("name")), "")

    def strings(self, attribute: str) -> list[str]:
        """Every string of an attribute, in order."""
        return [
            text
            for keyword in self.call.keywords
            if keyword.arg == attribute
            for text, _ in strings_in(keyword.value)
        ]

    def line_of(self, label: str) -> int:
        """The line on which the rule names *label*, its own first line if none does."""
        package, _, name = label.removeprefix("//").partition(":")
        spellings = {label, f":{name}"}
        if PurePosixPath(package).name == name:
            spellings.add(f"//{package}")
        lines = [line for text, line in strings_in(self.call) if text in spellings]
        return lines[0] if lines else self.line


def strings_in(node: ast.AST) -> list[tuple[str, int]]:
    """Every string constant below *node* with its line, in the order of the file."""
    found = [
        (n.lineno, n.col_offset, n.value)
        for n in ast.walk(node)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    return [(text, line) for line, _, text in sorted(found)]


class Repository:
    """A repository, real or made up for a test."""

    def __init__(
        self, files: Mapping[str, str], targets: Iterable[Target] = ()
    ) -> None:
        """Take the text of each file by its path, and the targets."""
        self.files = dict(sorted(files.items()))
        self.targets = {target.label: target for target in targets}

    @classmethod
    def load(
        cls, root: Path, paths: Iterable[str], graphs: Iterable[Path]
    ) -> Repository:
        """Read the files *paths* below *root*, binary ones left out, and the graphs."""
        files = {}
        for path in paths:
            data = (root / path).read_bytes()
            if b"\0" not in data:
                files[path] = data.decode(errors="replace")
        entries = [entry for graph in graphs for entry in json.loads(graph.read_text())]
        return cls(files, map(Target.from_json, entries))

    @cached_property
    def python(self) -> dict[str, ast.Module]:
        """Every Python file, parsed."""
        return {
            path: ast.parse(text, path)
            for path, text in self.files.items()
            if path.endswith(".py")
        }

    @cached_property
    def build_files(self) -> dict[str, ast.Module]:
        """Every BUILD file by its path. The language's syntax is a part of Python's."""
        return {
            path: ast.parse(text, path)
            for path, text in self.files.items()
            if PurePosixPath(path).name in ("BUILD", "BUILD.bazel")
        }

    @cached_property
    def rules(self) -> dict[str, list[Rule]]:
        """The calls of every BUILD file, by the file's path."""
        return {
            path: [
                Rule(path, node.lineno, node.func.id, node)
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            ]
            for path, tree in self.build_files.items()
        }

    @cached_property
    def kernel_packages(self) -> list[str]:
        """The folders directly below shared/."""
        parts = (PurePosixPath(path).parts for path in self.files)
        return sorted({f"shared/{p[1]}" for p in parts if p[0] == "shared" and p[2:]})

    def rule(self, label: str) -> Rule | None:
        """The call that declares *label*, None if a loop or a macro does."""
        package, _, name = label.removeprefix("//").partition(":")
        rules = self.rules.get(build_file(package), [])
        return next((rule for rule in rules if rule.name == name), None)

    def place(self, label: str, dep: str | None = None) -> tuple[str, int]:
        """File and line where *label* is declared, or where it names *dep*."""
        rule = self.rule(label)
        if rule is None:
            return build_file(package_of(label)), 1
        return rule.file, rule.line_of(dep) if dep else rule.line

    def targets_below(self, folder: str) -> Iterator[Target]:
        """The targets in *folder* and its subfolders."""
        for target in self.targets.values():
            if f"{target.package}/".startswith(f"{folder}/"):
                yield target


def build_file(package: str) -> str:
    """The path of a package's BUILD file."""
    return f"{package}/BUILD.bazel".removeprefix("/")
