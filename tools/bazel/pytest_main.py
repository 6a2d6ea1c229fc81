"""Runs pytest on the files named on the command line, by Bazel's test protocol.

https://bazel.build/reference/test-encyclopedia says which variables a runner honours.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest


class Shard:
    """Keeps every n-th collected test, so that shard_count splits one file."""

    def __init__(self, index: int, total: int) -> None:
        self.index, self.total = index, total

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Drop what other shards run."""
        kept = items[self.index :: self.total]
        dropped = [n for i, n in enumerate(items) if i % self.total != self.index]
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def run(files: list[str]) -> int:
    """Run pytest and return the exit code Bazel should see."""
    env = os.environ
    arguments = ["--config-file=pyproject.toml", "--rootdir=."]
    plugins: list[object] = []
    if report := env.get("XML_OUTPUT_FILE"):
        arguments.append(f"--junitxml={report}")
    if scratch := env.get("TEST_TMPDIR"):
        arguments.append(f"--basetemp={scratch}/pytest")
    only = env.get("TESTBRIDGE_TEST_ONLY")
    if only:
        # -k knows no "::": A::b is "a test b in something named A".
        arguments += ["-k", re.sub(r"::", " and ", only)]
    if env.get("TESTBRIDGE_TEST_RUNNER_FAIL_FAST") == "1":
        arguments.append("--exitfirst")
    total = int(env.get("TEST_TOTAL_SHARDS", "1"))
    if status := env.get("TEST_SHARD_STATUS_FILE"):
        Path(status).touch()  # tells Bazel that this runner can shard
        plugins.append(Shard(int(env["TEST_SHARD_INDEX"]), total))

    code = int(pytest.main(arguments + files, plugins=plugins))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        if only or total > 1:
            return 0
        print(f"No test ran in {' '.join(files)}.", file=sys.stderr)
    return code


def run_measured(files: list[str], out: Path) -> int:
    """Run under coverage.py, for the files of Bazel's manifest only, and write lcov.

    Measuring here costs 1.2 s a test; a coverage_tool on the py_runtime traces pytest
    and every library too, and costs 6.4 s.
    """
    import coverage

    manifest = Path(os.environ["COVERAGE_MANIFEST"]).read_text().split()
    # The manifest is relative to the runfiles of this repository, the current folder.
    names = {os.path.realpath(name): name for name in manifest if name.endswith(".py")}
    if not names:
        return run(files)
    measured = coverage.Coverage(
        data_file=str(out / ".coverage"),
        config_file="pyproject.toml",
        include=list(names),
    )
    measured.start()
    code = run(files)
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
