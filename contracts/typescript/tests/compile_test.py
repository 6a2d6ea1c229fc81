"""The package compiles under ``tsc --strict``, and what misuses it does not."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from contracts.typescript.needs_node import needs_package
from contracts.typescript.node import Node
from contracts.typescript.tests.readme import snippets

TESTS = Path("contracts/typescript/tests")
MARK = "// @ts-expect-error\n"
PROGRAMS = ["uses.mts", "misuses.mts", "problems.mts", "platform.mts"]
SNIPPETS = ["client.mts", "generate.mts", "publish.mts", "consume.mts"]

OPTIONS = [
    "--strict",
    "--noUncheckedIndexedAccess",
    "--exactOptionalPropertyTypes",
    "--noEmit",
    "--module", "nodenext",
    "--target", "es2022",
    "--lib", "ES2023,DOM,DOM.Iterable",
    "--types", "node",
]  # fmt: skip

Mistakes = dict[str, list[int]]
"""The lines of each file that do not compile."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node, with the package installed."""
    return needs_package(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def mistakes(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Mistakes:
    """What the compiler says of all programs, at once.

    Most of its time is the libraries, whose declarations are checked too.
    """
    programs = [TESTS / name for name in PROGRAMS]
    programs += snippets(tmp_path_factory.mktemp("readme")).values()
    names = [node.put(program).name for program in programs]
    unmarked = node.folder / "unmarked.mts"
    unmarked.write_text((TESTS / "misuses.mts").read_text().replace(MARK, "\n"))
    done = subprocess.run(
        [
            node.program,
            node.folder / "node_modules/typescript/bin/tsc",
            *OPTIONS,
            *names,
            unmarked.name,
        ],
        cwd=node.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found: Mistakes = defaultdict(list)
    # What begins with a space explains the line before.
    lines = re.findall(r"^\S.*", done.stdout, re.MULTILINE)
    places = [re.match(r"(\S+)\((\d+),\d+\): error TS", line) for line in lines]
    assert None not in places, done.stdout
    for place in filter(None, places):
        found[place[1]].append(int(place[2]))
    return found


def test_misuses_do_not_compile(mistakes: Mistakes) -> None:
    """Each marked line is an error; no other is, as with the marks all is well."""
    lines = (TESTS / "misuses.mts").read_text().splitlines(keepends=True)
    after_marks = [place for place, line in enumerate(lines, start=2) if line == MARK]

    assert len(after_marks) >= 18
    assert sorted(set(mistakes["unmarked.mts"])) == after_marks


@pytest.mark.parametrize("name", [*PROGRAMS, *SNIPPETS])
def test_programs_compile(name: str, mistakes: Mistakes) -> None:
    """Those of the tests, whose types are stripped to run them, and the README's."""
    assert mistakes[name] == []


def test_nothing_else_has_a_mistake(mistakes: Mistakes) -> None:
    """Neither the package's declarations, nor those of the libraries it names."""
    assert {name for name, lines in mistakes.items() if lines} == {"unmarked.mts"}


def test_every_snippet_of_the_readme_is_compiled(tmp_path: Path) -> None:
    """A new one is not forgotten here."""
    assert list(snippets(tmp_path)) == SNIPPETS


def test_uses_run(node: Node) -> None:
    """Values are what their types say."""
    done = node.run(TESTS / "uses.mts")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
