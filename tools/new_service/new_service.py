"""Makes a service that builds, passes its tests and serves at once.

    ./bazelw run //tools/new_service -- user-service 8005 --title "User Service"
    ./bazelw run //tools/new_service -- drift user-service > drift.diff

Exit codes: 0 done; 1 refused by what is in the repository, or drift found; 2 wrong
arguments. What is refused writes nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.new_service.answers import Answers
from tools.new_service.drift import Change, changes, diff
from tools.new_service.errors import GeneratorError
from tools.new_service.files import read_file
from tools.new_service.naming import names
from tools.new_service.render import render
from tools.new_service.workspace import (
    check_free,
    check_root,
    folder_of,
    remembered,
    write,
)

PROGRAM = "./bazelw run //tools/new_service --"
_COMMANDS = ("new", "drift")
_DRIFTED = 1
_INTERRUPTED = 130  # what typer returns, and a shell, for SIGINT

app = typer.Typer(
    help="Makes a service on the shared kernel: `user-service 8005` is short for "
    "`new user-service 8005`.",
    epilog="Exit codes: 0 done; 1 refused by what is in the repository, or drift "
    "found; 2 wrong arguments. What is refused writes nothing.",
    add_completion=False,
    rich_markup_mode="rich",
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="In kebab-case, such as user-service.")
]


def _root() -> Path:
    return check_root(Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", ".")).resolve())


@app.command()
def new(
    name: Name,
    port: Annotated[
        int,
        typer.Argument(metavar="PORT", help="1024 to 65535, and no other service's."),
    ],
    title: Annotated[
        str | None, typer.Option(help="For people. Default: the name in words.")
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="What it does, in one line.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files and write nothing.")
    ] = False,
) -> None:
    """Write services/NAME, which must not exist."""
    root = _root()
    answers = Answers.check(name, port, title, description)
    files = render(answers)
    check_free(root, answers)
    if not dry_run:
        write(root, answers, files)
    _report(answers, list(files), dry_run=dry_run)


def _report(answers: Answers, files: Sequence[str], *, dry_run: bool) -> None:
    folder = folder_of(answers.names)
    console = Console(highlight=False, soft_wrap=True)
    head = f"would write {len(files)} files" if dry_run else f"{len(files)} files"
    console.print(Text(f"{folder}: {head}", style="bold"))
    for path in files:
        console.print(Text(f"  {folder}/{path}"))
    if dry_run:
        return
    console.print(Text("\nNext:", style="bold"))
    for command, purpose in (
        (f"./bazelw test //{folder}/...", "tests, lint and types"),
        (f"./bazelw run //{folder}", f"http://127.0.0.1:{answers.port}/docs"),
        ("./bazelw test //tools/checks/...", "the laws of this repository"),
    ):
        console.print(Text(f"  {command:<44}"), Text(purpose, style="green"))


@app.command()
def drift(
    name: Name,
    upstream: Annotated[
        bool,
        typer.Option(
            "--upstream",
            help="Leave out files that were only edited in the service.",
        ),
    ] = False,
) -> None:
    """Compare a service with today's templates.

    The diff on stdout makes the service what the templates would make of it today:
    `git apply` takes it. Who changed which file is told on stderr.
    """
    root = _root()
    service = names(name)
    found = remembered(root, service)
    folder = folder_of(service)
    differing = [
        change
        for change in changes(
            found.digests,
            render(found.answers),
            lambda path: read_file(root, f"{folder}/{path}"),
        )
        if change.upstream or not upstream
    ]
    _tell(differing, folder)
    sys.stdout.flush()
    for change in differing:
        # Bytes, since a line may end as it likes.
        sys.stdout.buffer.write(diff(change, folder).encode())
    if differing:
        raise typer.Exit(_DRIFTED)


def _tell(differing: Sequence[Change], folder: str) -> None:
    console = Console(stderr=True, highlight=False)
    if not differing:
        console.print(Text(f"{folder} is what today's templates make of its answers."))
        return
    table = Table("file", "what happened", title=folder, title_justify="left")
    for change in differing:
        table.add_row(Text(change.path), Text(change.state))
    console.print(table)


def main(arguments: Sequence[str]) -> int:
    """Return the exit code; what is refused is one line on stderr."""
    given = list(arguments) or ["--help"]
    if given[0] not in (*_COMMANDS, "--help"):
        given.insert(0, "new")
    try:
        code = app(given, prog_name=PROGRAM, standalone_mode=False)
    except GeneratorError as error:
        print(f"new_service: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:
        # Whoever read the diff has seen enough: no complaint when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.TyperException as error:
        line = " ".join(error.format_message().split()).rstrip(".")
        print(f"new_service: {line}. See --help.", file=sys.stderr)
        return 2
    if code == _INTERRUPTED:
        print("new_service: interrupted.", file=sys.stderr)
    return int(code or 0) if arguments else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
