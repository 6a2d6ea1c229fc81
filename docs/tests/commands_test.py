"""The commands of the site's pages, run by Bazel in a copy of this repository.

It runs Bazel, so it runs outside the sandbox and not with the others:

    KERNEL_BAZEL=$PWD/bazelw ./bazelw test //docs:tests/commands_test

KERNEL_BAZEL is the command, with startup options if it needs some.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs.blocks import Step, Way, every_step

HERE = Path.cwd()
STEPS = every_step(HERE)
PAGES = sorted({step.page for step in STEPS if step.way is Way.COMMANDS})

# What a shell needs to find: `./bazelw` of the copy is this.
BAZELW = """\
#!/bin/sh
[ "$1" = help ] && exec {command} "$@"
exec {command} --output_base={output} "$@"
"""

PROGRAM = re.compile(r"bazelw run (//[\w/]+(?::\w+)?) --([^#|>\n]*)")


@dataclass(frozen=True)
class Workspace:
    """The copy, and what its commands find on PATH."""

    root: Path
    sources: frozenset[str]
    environment: dict[str, str]

    def run(self, code: str) -> tuple[int, str]:
        """Run *code* as one script that ends with its first error."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def follow(self, steps: Sequence[Step]) -> str:
        """Do what a page says; return where the first error is, and what it says."""
        for step in steps:
            if step.way is Way.FILE:
                path = self.root / step.detail
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.code)
            if step.way is Way.COMMANDS:
                code, output = self.run(step.code)
                if code:
                    return f"{step.place}: exit code {code}\n{output}"
        return ""

    def reset(self) -> None:
        """Take away what a page has written."""
        for name in self.sources:
            if (self.root / name).read_bytes() != (HERE / name).read_bytes():
                shutil.copy(HERE / name, self.root / name)
        for path in sorted(self.root.rglob("*"), reverse=True):
            name = path.relative_to(self.root).as_posix()
            if name.startswith("bazel-") or name in {*self.sources, "bazelw"}:
                continue
            if path.is_file() or path.is_symlink():
                path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The copy; its Bazel server and output go at the end."""
    command = shlex.split(os.environ.get("KERNEL_BAZEL", ""))
    if not command:
        pytest.fail("KERNEL_BAZEL must name the Bazel to test with, such as ./bazelw.")
    root = tmp_path_factory.mktemp("workspace")
    sources = frozenset((HERE / "docs/tree.txt").read_text().split()) - {"bazelw"}
    for name in sources:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / name, root / name)
    output = tmp_path_factory.mktemp("output")
    (root / "bazelw").write_text(
        BAZELW.format(command=shlex.join(command), output=output)
    )
    (root / "bazelw").chmod(0o755)
    # `pip install` of a page goes into an environment of its own.
    venv = tmp_path_factory.mktemp("venv")
    base = Path(sys.executable).resolve()
    subprocess.run([base, "-m", "venv", venv], check=True, capture_output=True)
    path = f"{venv / 'bin'}:{os.environ['PATH']}"
    made = Workspace(root, sources, dict(os.environ) | {"PATH": path})
    yield made
    made.run("./bazelw clean --expunge")


@pytest.fixture
def workspace(copy: Workspace) -> Workspace:
    """The copy, as the repository is."""
    copy.reset()
    return copy


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_do_what_the_page_says(workspace: Workspace, page: str) -> None:
    """Files are written and commands run in the order of the page; each ends with 0."""
    assert workspace.follow([step for step in STEPS if step.page == page]) == ""


def flags_by_program() -> dict[str, set[tuple[str, str]]]:
    """For each program that a page names: the flags it gives it, and where."""
    found: dict[str, set[tuple[str, str]]] = {}
    for step in STEPS:
        if step.way not in (Way.COMMANDS, Way.NOT, Way.ELSEWHERE):
            continue
        for label, arguments in PROGRAM.findall(step.code):
            if label.startswith("//services/"):  # the page makes it
                continue
            words = arguments.split()
            first = words[0] if words else ""
            command = first if first in SUBCOMMANDS else DEFAULTS.get(label, "")
            known = found.setdefault(f"{label} {command}".strip(), set())
            known |= {(w, step.place) for w in words if w.startswith("--")}
    return found


# Of programs with several commands, each of which has its own --help.
SUBCOMMANDS = ("drift", "peek", "purge", "queues", "replay")

# What a program does where none of its commands is named.
DEFAULTS = {"//tools/new_service": "new"}


@pytest.mark.parametrize("program", sorted(flags_by_program()))
def test_programs_know_the_flags_that_pages_give_them(
    workspace: Workspace, program: str
) -> None:
    """Those of commands that are not run too; --help lists each."""
    label, _, command = program.partition(" ")
    environment = "COLUMNS=200 TERM=dumb"
    code, output = workspace.run(
        f"{environment} ./bazelw run {label} -- {command} --help"
    )
    told = set(re.findall(r"--[\w-]+", output))

    assert code == 0, output
    given = flags_by_program()[program]
    assert {entry for entry in given if entry[0].partition("=")[0] not in told} == set()
