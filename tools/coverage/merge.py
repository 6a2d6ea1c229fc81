"""Bazel's two coverage generators, in Python instead of Java.

Per test (`--coverage_output_generator`): the tracefiles in --coverage_dir are merged.
For the whole run (`--coverage_report_generator`): those that --reports_file names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.coverage import lcov


def main() -> None:
    """Merge what the flags name into --output_file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--coverage_dir", type=Path)
    parser.add_argument("--reports_file", type=Path)
    parser.add_argument("--output_file", type=Path, required=True)
    options, _ = parser.parse_known_args()  # Bazel has more flags for its Java tool

    if options.reports_file:
        listed = options.reports_file.read_text().split()
        inputs = [path for name in listed if (path := Path(name)).is_file()]
    else:
        inputs = sorted(options.coverage_dir.rglob("*.dat"))
    options.output_file.write_text(
        lcov.write(lcov.read(path.read_text() for path in inputs))
    )


if __name__ == "__main__":
    main()
