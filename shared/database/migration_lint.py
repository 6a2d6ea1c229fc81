"""Checks the migrations of a service.

./bazelw run //shared/database:migration_lint -- DIR --metadata package.models:Base
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import MetaData

from shared.database.migrations import MigrationError, lint


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when nothing is wrong, 1 with the findings, 2 when it can't tell."""
    parser = argparse.ArgumentParser(
        prog="migration_lint", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("directory", type=Path, help="with env.py and versions/")
    parser.add_argument(
        "--metadata", required=True, help="the models: package.module:Base"
    )
    parser.add_argument(
        "--postgresql",
        metavar="URL",
        help="try them on this server too, in a database made for it",
    )
    parser.add_argument(
        "--path",
        type=Path,
        action="append",
        default=[],
        help="where Python finds the service; may be repeated",
    )
    options = parser.parse_args(arguments)
    # `bazel run` starts elsewhere; what the user types is seen from where they stand.
    here = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY", ".")
    sys.path += [str((here / path).resolve()) for path in options.path] + [root]
    try:
        metadata = _metadata(options.metadata)
        found = lint(here / options.directory, metadata, postgresql=options.postgresql)
    except (MigrationError, ImportError, ValueError) as error:
        print(f"migration_lint: {error}", file=sys.stderr)  # noqa: T201 - a program
        return 2
    for finding in found:
        print(finding)  # noqa: T201
    return 1 if found else 0


def _metadata(name: str) -> MetaData:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute, None)
    metadata = getattr(found, "metadata", found)
    if not isinstance(metadata, MetaData):
        raise ValueError(
            f"--metadata {name} names no models: write package.module:Base."
        )
    return metadata


if __name__ == "__main__":
    sys.exit(main())
