"""Bazel's coverage step after all tests, in Python instead of Java.

Merges the tracefiles that --reports_file names (--coverage_report_generator).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.coverage import lcov


def main() -> None:
    """Merge what the flags name into --output_file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports_file", type=Path, required=True)
    parser.add_argument("--output_file", type=Path, required=True)
    options, _ = parser.parse_known_args()  # Bazel has more flags for its Java tool

    listed = options.reports_file.read_text().split()
    inputs = [path for name in listed if (path := Path(name)).is_file()]
    options.output_file.write_text(
        lcov.write(lcov.read(path.read_text() for path in inputs))
    )


if __name__ == "__main__":
    main()
