"""Every code block of the site's pages does what its page says.

Commands of Bazel run in commands_test, which .ci/run starts; here they are looked up.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import promql_parser
import pytest
import yaml

from docs.blocks import (
    Step,
    Way,
    every_step,
    has_in_data,
    is_declared,
    labels,
    marks,
    program,
)
from docs.site.mermaid import draw
from docs.starlark import evaluate
from shared.config import ServiceConfig, render_env_example

ROOT = Path.cwd()
STEPS = every_step(ROOT)
PYTHON = sorted({step.page for step in STEPS if step.way is Way.PYTHON})


def having(*ways: Way) -> list[Step]:
    """The blocks that are run in one of *ways*."""
    return [step for step in STEPS if step.way in ways]


def places(steps: Iterable[Step]) -> list[str]:
    """Names for the cases of a test."""
    return [step.place for step in steps]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python in *folder*, with what this test may import and no settings."""
    path = ":".join(str(Path(entry).absolute()) for entry in sys.path)
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env={"PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_mark_has_its_block() -> None:
    """One that is left over was for a block that is another now."""
    first = {(s.page, s.code.partition("\n")[0].strip()) for s in STEPS}
    given = {(page, line) for page, lines in marks(ROOT).items() for line in lines}

    assert given - first == set()


def test_every_package_shows_code() -> None:
    """A README of a package without Python that runs shows nothing."""
    readmes = {path.as_posix() for path in Path("shared").glob("*/README.md")}

    assert len(readmes) >= 6
    assert readmes - {*PYTHON} == set()


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_runs(page: str, tmp_path: Path) -> None:
    """All of a page, in the order in which a reader pastes it, warnings as errors."""
    code = program([step for step in STEPS if step.page == page])
    done = run(["-c", code], tmp_path)

    assert done.returncode == 0, done.stderr
    assert "was never" not in done.stderr  # awaited, retrieved


@pytest.mark.parametrize("step", having(Way.TESTS), ids=places(having(Way.TESTS)))
def test_the_tests_pass(step: Step, tmp_path: Path) -> None:
    """A block with tests is a test file, run with the settings of ours."""
    (tmp_path / "page_test.py").write_text(step.code)
    settings = str(ROOT / "pyproject.toml")
    done = run(["-m", "pytest", "-c", settings, f"--rootdir={tmp_path}", "."], tmp_path)

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("step", having(Way.BUILD), ids=places(having(Way.BUILD)))
def test_the_build_file_is_one(step: Step) -> None:
    """Its macros take what they are given."""
    evaluate(ROOT, step.code)


PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "promql": promql_parser.parse,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


@pytest.mark.parametrize("step", having(Way.DATA), ids=places(having(Way.DATA)))
def test_the_data_is_well_formed(step: Step) -> None:
    """As its language wants it."""
    assert PARSERS[step.block.language](step.code)


def test_settings_are_settings_of_a_service() -> None:
    """Each name in a block of settings is one that the kernel reads."""
    example = render_env_example(ServiceConfig)
    known = set(re.findall(r"^#? ?(\w+)=", example, re.MULTILINE))
    written = {
        (step.place, name)
        for step in having(Way.SETTINGS)
        for name in re.findall(r"^(\w+)=", step.code, re.MULTILINE)
    }

    assert "DATABASE_URL" in known
    assert [entry for entry in sorted(written) if entry[1] not in known] == []


@pytest.mark.parametrize("step", having(Way.DIAGRAM), ids=places(having(Way.DIAGRAM)))
def test_the_diagram_is_drawn(step: Step) -> None:
    """As the site draws it."""
    assert draw(step.code).startswith("<svg")


def test_the_sql_runs() -> None:
    """On SQLite, each page on a database of its own."""
    for page in {step.page for step in having(Way.SQL)}:
        with sqlite3.connect(":memory:") as database:
            for step in having(Way.SQL):
                database.executescript(step.code if step.page == page else "")


ELSEWHERE = having(Way.ELSEWHERE)


@pytest.mark.parametrize("step", ELSEWHERE, ids=places(ELSEWHERE))
def test_the_test_that_runs_it_reads_the_page(step: Step) -> None:
    """What `run-by` names is declared, and has the page in its data."""
    assert has_in_data(ROOT, step.detail, step.page)


def made_by(page: str) -> list[str]:
    """The folders that the commands and files of *page* make."""
    ours = [step for step in STEPS if step.page == page]
    files = [Path(step.detail).parent for step in ours if step.way is Way.FILE]
    services = re.findall(
        r"//tools/new_service -- ([a-z-]+) \d", "\n".join(step.code for step in ours)
    )
    folders = [f"services/{name.replace('-', '_')}" for name in services]
    return [path.as_posix() for path in files] + folders + ["services"] * bool(folders)


NAMING = [step for step in STEPS if labels(step)]


@pytest.mark.parametrize("step", NAMING, ids=places(NAMING))
def test_labels_lead_to_targets(step: Step) -> None:
    """Those of commands that are not run too."""
    made = made_by(step.page)
    lost = [one for one in labels(step) if not is_declared(ROOT, step, one, made)]

    assert lost == []


def test_what_files_are_for() -> None:
    """A block that is written into the workspace is used by commands of its page."""
    writing = {step.page for step in having(Way.FILE)}
    running = {step.page for step in having(Way.COMMANDS)}

    assert writing - running == set()
