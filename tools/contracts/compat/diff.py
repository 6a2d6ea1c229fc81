"""What has changed between two bundles.

    ./bazelw run //contracts:diff -- v1 worktree
    ./bazelw run //contracts:diff -- 1.0.0 1.2.0 --json

Exit codes: 0 nothing breaks; 1 something does, or a bundle can't be read; 2 wrong
arguments.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from tools.contracts.bundle import BundleError
from tools.contracts.compat.compare import compare_bundles
from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.place import PlaceError
from tools.contracts.compat.report import Group, document_of, render
from tools.contracts.compat.sources import Sources, UnknownSourceError

PROGRAM: Final = "./bazelw run //contracts:diff --"
_BREAKS: Final = 1
_BAD: Final = 2
_INTERRUPTED: Final = 130

app = typer.Typer(add_completion=False)


@app.command(
    epilog="A bundle is a version (1.0.0), the newest of a line (v1, 1.2), worktree "
    "(what the code exports now), or the path of a folder or archive. Exit codes: 0 "
    "nothing breaks; 1 something does, or a bundle can't be read; 2 wrong arguments.",
)
def diff(
    context: typer.Context,
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="The older bundle, such as v1.")
    ],
    after: Annotated[
        str, typer.Argument(metavar="AFTER", help="The newer one, such as worktree.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: one JSON document.")
    ] = False,
) -> None:
    """Show what has changed between two bundles, and who it breaks."""
    workspace = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    here = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    sources = Sources(workspace / "contracts/released", context.obj, here)
    old, new = sources.load(before), sources.load(after)
    findings = compare_bundles(old, new)
    if as_json:
        typer.echo(json.dumps(document_of(old.name, new.name, findings), indent=2))
    else:
        _print(findings, f"{old.name} -> {new.name}")
    if any(finding.impact is Impact.BREAKING for finding in findings):
        raise typer.Exit(_BREAKS)


def _print(findings: Sequence[Finding], title: str) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a locale can't show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in render([Group(each) for each in findings], title, colour=colour):
        print(line)


def main(arguments: Sequence[str]) -> int:
    """Return the exit code; what goes wrong is one line on stderr.

    Args:
        arguments: The archive of the worktree, then what the user typed.
    """
    archive, *given = arguments
    try:
        code = app(
            given or ["--help"],
            prog_name=PROGRAM,
            standalone_mode=False,
            obj=Path(archive),
        )
        sys.stdout.flush()
    except (BundleError, PlaceError, UnknownSourceError) as error:
        return _refuse(str(error), _BREAKS)
    except BrokenPipeError:
        # Whoever read it has seen enough: no complaint when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BREAKS
    except typer.TyperException as error:
        line = " ".join(error.format_message().split()).rstrip(".")
        return _refuse(f"{line}. See --help.")
    if code == _INTERRUPTED:
        return _refuse("interrupted.", _INTERRUPTED)
    return int(code or 0) if given else _BAD


def _refuse(line: str, code: int = _BAD) -> int:
    print(f"diff: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
