"""Prints coverage per file and fails below the floor.

    ./bazelw coverage //shared/... && ./bazelw run //tools/coverage:gate

Lines and branches count together, as coverage.py counts them with --branch.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tools.coverage import lcov

REPORT = "bazel-out/_coverage/_coverage_report.dat"


def ranges(numbers: Sequence[int]) -> str:
    """Write 1,2,3,7 as 1-3, 7."""
    parts = []
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        group = [number for _, number in run]
        parts.append(f"{group[0]}-{group[-1]}" if len(group) > 1 else str(group[0]))
    return ", ".join(parts)


def percent(hit: int, total: int) -> float:
    """Nothing to cover is all covered."""
    return 100.0 * hit / total if total else 100.0


def table(report: lcov.Report) -> tuple[str, float]:
    """The report as text, and the total in per cent."""
    width = max(map(len, report), default=0)
    rows = [f"{'file':<{width}}  lines  branches  covered  not reached"]
    hit = total = 0
    for name, file in sorted(report.items()):
        found = len(file.lines) + len(file.branches)
        reached = sum(n > 0 for n in [*file.lines.values(), *file.branches.values()])
        hit, total = hit + reached, total + found
        missing = [ranges(file.missed_lines)] if file.missed_lines else []
        if file.missed_branches:
            missing.append("branch at " + ranges(file.missed_branches))
        rows.append(
            f"{name:<{width}}  {len(file.lines):>5}  {len(file.branches):>8}  "
            f"{percent(reached, found):>6.1f}%  {'; '.join(missing)}".rstrip()
        )
    overall = percent(hit, total)
    rows.append(f"{'total':<{width}}  {'':>5}  {'':>8}  {overall:>6.1f}%")
    return "\n".join(rows), overall


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 at or over the floor, 1 under it, 2 without a report."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument(
        "report",
        nargs="?",
        default=REPORT,
        help="an lcov file (default: the last `bazel coverage`)",
    )
    parser.add_argument(
        "--floor", type=float, default=95.0, help="per cent (default: 95)"
    )
    options = parser.parse_args(arguments)

    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    path = root / options.report
    if not path.is_file():
        print(
            f"{path} does not exist. Run: ./bazelw coverage //shared/...",
            file=sys.stderr,
        )
        return 2
    report = lcov.with_unreached(lcov.read([path.read_text()]), root)
    if not report:
        print(f"{path} names no source file: nothing was measured.", file=sys.stderr)
        return 2
    text, overall = table(report)
    print(text)
    if overall < options.floor:
        print(
            f"Coverage is {overall:.2f} %, under the floor of {options.floor:g} %.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
