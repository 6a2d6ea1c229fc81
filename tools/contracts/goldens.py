"""The committed bundle: whether it is what the code says, and writing it anew.

`./bazelw run //contracts:update` runs this.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

CURRENT: Final = Path("contracts/current")
UPDATE: Final = "./bazelw run //contracts:update"


def files_of(archive: Path) -> dict[str, bytes]:
    """The files of a bundle's archive by their path."""
    with ZipFile(archive) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def differences(exported: Mapping[str, bytes], folder: Path) -> Iterator[str]:
    """A line for each file of *folder* that is not what was exported.

    It names the first line that differs, and shows both.
    """
    committed = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file()
    }
    for name in sorted(exported.keys() | committed.keys()):
        where = folder / name
        if name not in committed:
            yield f"{where} is missing; the code exports it."
        elif name not in exported:
            yield f"{where} is not exported by the code any more."
        else:
            found = committed[name].read_bytes()
            if found != exported[name]:
                yield _first_difference(where, found, exported[name])


def _first_difference(where: Path, found: bytes, wanted: bytes) -> str:
    lines = zip_longest(_lines(found), _lines(wanted))
    for number, (has, should) in enumerate(lines, start=1):
        if has != should:
            return (
                f"{where}:{number}: has {_shown(has)}, the code says {_shown(should)}."
            )
    return f"{where}: ends of lines or of the file differ."


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").splitlines()


def _shown(line: str | None) -> str:
    return "nothing" if line is None else line.strip()


def write(exported: Mapping[str, bytes], folder: Path) -> list[str]:
    """Make *folder* hold what was exported and nothing else.

    Returns:
        The paths that were written or deleted.
    """
    changed = []
    for path in sorted(folder.rglob("*"), reverse=True):  # files before their folder
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in exported:
            path.unlink()
            changed.append(name)
    for name, data in exported.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, data)
            changed.append(name)
    return sorted(changed)


def _replace(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    partial = path.with_name(f".{path.name}.new")
    partial.write_bytes(data)
    partial.replace(path)


def main(arguments: Sequence[str]) -> int:
    """Write the bundle into the checkout, and say which files are new."""
    parser = argparse.ArgumentParser(
        prog=UPDATE, description="Write what the code exports to contracts/current."
    )
    parser.add_argument("archive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; 1 if files would change"
    )
    options = parser.parse_args(arguments)
    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    try:
        exported = files_of(options.archive)
    except (OSError, BadZipFile) as error:
        print(f"{options.archive} is no bundle: {error}", file=sys.stderr)
        return 1
    if options.check:
        found = list(differences(exported, root / CURRENT))
        print(*found, sep="\n")
        return 1 if found else 0
    changed = write(exported, root / CURRENT)
    print(*[f"wrote {CURRENT / name}" for name in changed], sep="\n")
    print(f"{CURRENT} is what the code says: {len(exported)} files.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
