"""Makes the npm package of a bundle of contracts.

``./bazelw run //contracts/typescript:pack -- --bundle contracts/released/1.0.0 --out
contracts.tgz`` makes that of a release.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from contracts.typescript.node import MISSING, Node, NodeMissingError

HERE: Final = Path(__file__).parent
LICENSE: Final = HERE.parents[1] / "LICENSE"

UNRELEASED: Final = "0.0.0-dev"

# As `npm pack` does: the first moment that every archive format can say, and no user.
_MTIME: Final = 499_162_500


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 after a line that says why there is no package."""
    options = _parse(arguments)
    here = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    out = here / options.out
    try:
        content = package_of(folder_of([here / path for path in options.bundle]))
    except (NodeMissingError, PackageError) as error:
        if options.note_what_is_missing and isinstance(error, NodeMissingError):
            out.write_text(f"{MISSING}{error}")
            return 0
        sys.stderr.write(f"{error}\n")
        return 1
    out.write_bytes(archive_of(content))
    return 0


class PackageError(Exception):
    """There is no package to be made of this. The message says why."""


def folder_of(bundle: Sequence[Path]) -> Path:
    """The folder of a bundle, of which it or its files are given.

    Raises:
        PackageError: There is no manifest.json.
    """
    for path in bundle:
        folder = path if path.is_dir() else path.parent
        if path.name == "manifest.json" or (path / "manifest.json").is_file():
            return folder
    raise PackageError("No bundle: there is no manifest.json.")


def package_of(bundle: Path) -> dict[str, bytes]:
    """Every file of the package, by its path.

    Raises:
        NodeMissingError: Nothing can be generated here.
        PackageError: The bundle can't be read, or what is made of it does not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        node = Node.unpack(Path(folder))
        for module in (HERE / "generator").iterdir():
            node.put(module)
        out = node.folder / "out"
        out.mkdir()
        program = HERE / "generator/generate.mjs"
        done = node.run(program, bundle.absolute(), HERE, out, version_of(bundle))
        if done.returncode:
            raise PackageError(f"{done.stdout}{done.stderr}".strip())
        shutil.copyfile(LICENSE, out / "LICENSE")
        return {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }


def version_of(bundle: Path) -> str:
    """The release that a bundle is, by the name of its folder."""
    released = bundle.absolute().parent.name == "released"
    return bundle.absolute().name if released else UNRELEASED


def archive_of(content: Mapping[str, bytes]) -> bytes:
    """A tarball as npm wants it, with the same bytes for the same content."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in sorted(content.items()):
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(data)
            entry.mtime = _MTIME
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(tar.getvalue(), mtime=0)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pack", description="Makes the npm package of a bundle of contracts."
    )
    parser.add_argument(
        "--bundle",
        nargs="+",
        required=True,
        type=Path,
        help="its folder, or its files",
    )
    parser.add_argument("--out", required=True, type=Path, help="the .tgz")
    parser.add_argument(
        "--note-what-is-missing",
        action="store_true",
        help="without Node, write the reason instead of failing",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
