"""Freezes the committed bundle as a release that later ones must keep to.

    ./bazelw run //contracts:release -- 1.2.0 --date 2026-03-01

Exit codes: 0 written; 1 refused; 2 wrong arguments. What is refused writes nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final
from zipfile import BadZipFile

import typer

from tools.contracts.compat.freeze import RELEASED, Release, ReleaseError, plan, write
from tools.contracts.compat.versions import step_asked_by
from tools.contracts.goldens import files_of

PROGRAM: Final = "./bazelw run //contracts:release --"
_REFUSED: Final = 1
_BAD: Final = 2
_INTERRUPTED: Final = 130

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Exit codes: 0 written; 1 refused; 2 wrong arguments. What is refused "
    "writes nothing.",
)
def release(
    context: typer.Context,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="The new version, such as 1.2.0.")
    ],
    day: Annotated[
        str | None,
        typer.Option(
            "--date",
            metavar="YYYY-MM-DD",
            help="Of the release. Default: none is told.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all of it and write nothing.")
    ] = False,
) -> None:
    """Freeze contracts/current as contracts/released/VERSION.

    The step from the newest release must be as large as what has changed:
    a major one if something breaks, a minor one for additions, a patch for wording.
    """
    contracts = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", ".")) / "contracts"
    archive: Path = context.obj
    try:
        exported = files_of(archive)
    except (OSError, BadZipFile) as error:
        raise ReleaseError(f"{archive} is no bundle: {error}.") from None
    planned = plan(contracts, exported, version, _date(day))
    if dry_run:
        print(f"would write contracts/{RELEASED}/{planned.version}: {_facts(planned)}")
        return
    write(planned, contracts)
    print(f"contracts/{RELEASED}/{planned.version}: {_facts(planned)}")
    print("Commit it. From now on //contracts:compatibility_test compares with it.")


def _date(text: str | None) -> date | None:
    try:
        # strptime: fromisoformat takes 20260301, too.
        return datetime.strptime(text, "%Y-%m-%d").date() if text else None  # noqa: DTZ007
    except ValueError:
        raise ReleaseError(f"--date must be as in 2026-03-01 (got {text!r}).") from None


def _facts(planned: Release) -> str:
    files = f"{len(planned.files)} files"
    if planned.previous is None:
        return f"{files}, the first release"
    step = step_asked_by(planned.findings)
    number = len(planned.findings)
    changes = f"{number} finding{'' if number == 1 else 's'}"
    return f"{files}, {changes} since {planned.previous} (step: {step.value})"


def main(arguments: Sequence[str]) -> int:
    """Return the exit code; what is refused is one line on stderr.

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
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return _REFUSED
    except typer.TyperException as error:
        line = " ".join(error.format_message().split()).rstrip(".")
        print(f"release: {line}. See --help.", file=sys.stderr)
        return _BAD
    if code == _INTERRUPTED:
        print("release: interrupted.", file=sys.stderr)
    return int(code or 0) if given else _BAD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
