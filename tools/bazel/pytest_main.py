"""Runs pytest on the files named on the command line, by Bazel's test protocol.

https://bazel.build/reference/test-encyclopedia says which variables a runner honours.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest


class Selection:
    """Counts the cases, and keeps every n-th of them for shard_count."""

    def __init__(self, shard: int = 0, shards: int = 1) -> None:
        """Keep the cases of shard number *shard* of *shards*."""
        self.found = 0
        self._shard, self._shards = shard, shards

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Count before the filter of -k, split after it."""
        self.found = len(items)
        yield
        dropped = [
            item for i, item in enumerate(items) if i % self._shards != self._shard
        ]
        items[:] = items[self._shard :: self._shards]
        if dropped:
            config.hook.pytest_deselected(items=dropped)


def keyword(test_filter: str) -> str:
    """Turn --test_filter into an expression for -k.

    -k knows no ``::``. ``A::b`` is "a test b in something named A", and of a file that
    is named with its folders, only the file counts.
    """
    first, *rest = test_filter.split("::")
    if first.endswith(".py"):
        first = Path(first).name
    return " and ".join([first, *rest])


def options(env: Mapping[str, str]) -> list[str]:
    """The arguments for pytest that Bazel's variables ask for."""
    arguments = ["--config-file=pyproject.toml", "--rootdir=."]
    if report := env.get("XML_OUTPUT_FILE"):
        arguments.append(f"--junitxml={report}")
    if scratch := env.get("TEST_TMPDIR"):
        arguments.append(f"--basetemp={scratch}/pytest")
    if test_filter := env.get("TESTBRIDGE_TEST_ONLY"):
        arguments += ["-k", keyword(test_filter)]
    if env.get("TESTBRIDGE_TEST_RUNNER_FAIL_FAST") == "1":
        arguments.append("--exitfirst")
    return arguments


def run(arguments: list[str]) -> int:
    """Run pytest and return the exit code Bazel should see."""
    env = os.environ
    selection = Selection()
    if status := env.get("TEST_SHARD_STATUS_FILE"):
        Path(status).touch()  # tells Bazel that this runner can shard
        selection = Selection(
            int(env["TEST_SHARD_INDEX"]), int(env["TEST_TOTAL_SHARDS"])
        )

    code = int(pytest.main(options(env) + arguments, plugins=[selection]))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        if selection.found:  # and none is in this shard, or passes the filter
            return 0
        print(f"No test in {' '.join(arguments)}.", file=sys.stderr)
    return code


def run_measured(arguments: list[str], out: Path) -> int:
    """Run under coverage.py, for the files of Bazel's manifest only, and write lcov.

    Measuring here costs 1.2 s a test; a coverage_tool on the py_runtime traces pytest
    and every library too, and costs 6.4 s.
    """
    import coverage

    manifest = Path(os.environ["COVERAGE_MANIFEST"]).read_text().split()
    # The manifest is relative to the runfiles of this repository, the current folder.
    names = {os.path.realpath(name): name for name in manifest if name.endswith(".py")}
    if not names:
        return run(arguments)
    measured = coverage.Coverage(
        data_file=str(out / ".coverage"),
        config_file="pyproject.toml",
        include=list(names),
        # Async sessions of SQLAlchemy switch greenlets. What is absent is refused.
        concurrency=["thread"] + ["greenlet"] * bool(find_spec("greenlet")),
    )
    measured.start()
    code = run(arguments)
    measured.stop()
    measured.save()
    if measured.get_data().measured_files():
        lcov = out / "python.dat"
        measured.lcov_report(outfile=str(lcov))

        def original(line: re.Match[str]) -> str:
            return "SF:" + names[os.path.realpath(line[1])]

        text = re.sub(r"^SF:(.*)$", original, lcov.read_text(), flags=re.MULTILINE)
        lcov.write_text(text)
    return code


if __name__ == "__main__":
    if os.environ.get("COVERAGE") == "1" and "COVERAGE_DIR" in os.environ:
        sys.exit(run_measured(sys.argv[1:], Path(os.environ["COVERAGE_DIR"])))
    sys.exit(run(sys.argv[1:]))
