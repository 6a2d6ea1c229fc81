"""Makes packages that were unpacked into a folder run from there.

They were built for the root of a system that may be newer than this one. Their programs
get the loader and the libraries that came with them, absolute links are turned into the
folder, and Java's class path names the jars where they are.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bazelw import process
from tools.bazelw.console import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A program header that says which loader starts the program (PT_INTERP).
_INTERPRETER = 3


def relocate(prefix: Path, *, environ: Mapping[str, str]) -> None:
    """Make every program below *prefix* run from there.

    Raises:
        Trouble: A library would come from the host or is missing, or patchelf failed.
    """
    _turn_links(prefix)
    loaders = sorted(prefix.glob("usr/lib/*-linux-*/ld*.so.*"))
    if not loaders:
        raise Trouble("the packages hold no dynamic loader")
    patchelf = prefix / "usr/bin/patchelf"
    programs = [program for program in _programs(prefix) if program != patchelf]
    _patch(patchelf, loaders[0], programs, environ)
    _check_libraries(prefix, loaders[0], programs, environ)


def _turn_links(prefix: Path) -> None:
    """Let absolute links that mean something below *prefix* point there."""
    for place, folders, names in os.walk(prefix):
        for name in folders + names:
            path = Path(place, name)
            if path.is_symlink() and (target := path.readlink()).is_absolute():
                inside = prefix / target.relative_to("/")
                if inside.exists() or inside.is_symlink():
                    path.unlink()
                    path.symlink_to(inside)


def _programs(prefix: Path) -> Iterator[Path]:
    """Dynamically linked programs, not libraries or static programs."""
    for place, _, names in os.walk(prefix):
        for name in names:
            path = Path(place, name)
            # The C library can be run, too.
            library = ".so" in name or path.is_symlink()
            if not library and os.access(path, os.X_OK) and _has_interpreter(path):
                yield path


def _has_interpreter(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(64)
        # 64 bits: Bazel knows no other machines.
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return False
        order = "<" if head[5] == 1 else ">"
        (table,) = struct.unpack_from(f"{order}Q", head, 32)
        size, count = struct.unpack_from(f"{order}HH", head, 54)
        file.seek(table)
        headers = file.read(size * count)
    starts = range(0, len(headers), size)
    return any(
        struct.unpack_from(f"{order}I", headers, start) == (_INTERPRETER,)
        for start in starts
    )


def _patch(
    patchelf: Path, loader: Path, programs: list[Path], environ: Mapping[str, str]
) -> None:
    # patchelf is one of the packages. As it is, it runs if the loader starts it.
    start: list[str | Path] = [loader, "--library-path", loader.parent, patchelf]
    # An RPATH, unlike a RUNPATH, counts for what libraries load too.
    libraries = f"$ORIGIN:$ORIGIN/../lib:{loader.parent}"
    options: list[str | Path] = [
        "--set-interpreter",
        loader,
        "--force-rpath",
        "--set-rpath",
        libraries,
    ]
    for program in programs:
        patched = process.run([*start, *options, program], environ=environ)
        if patched.code:
            raise Trouble(f"patchelf failed on {program}: {patched.reason}")


def _check_libraries(
    prefix: Path, loader: Path, programs: list[Path], environ: Mapping[str, str]
) -> None:
    for program in programs:
        listed = process.run([loader, "--list", program], environ=environ)
        # name => path (address), or name => not found
        pattern = r"^\s*(\S+) => (.+?)(?: \(0x\w+\))?$"
        for name, found in re.findall(pattern, listed.output, re.MULTILINE):
            if not Path(found).is_relative_to(prefix):
                raise Trouble(f"{program.name} needs {name}, which no package holds")


def write_class_path(prefix: Path, path: Path) -> None:
    """Rewrite the list of jars at *path*: those below *prefix*, and all they name.

    A manifest may name absolute paths, of the system that its jar was built for.
    """
    todo = path.read_text().split("\n")
    found: dict[str, None] = {}
    while todo:
        named = todo.pop(0)
        jar = named if named.startswith(f"{prefix}/") else f"{prefix}{named}"
        real = os.path.realpath(jar)
        if real in found or not os.path.isfile(real):
            continue
        found[real] = None
        for other in _class_path_of(real):
            beside = os.path.join(os.path.dirname(jar), other)
            shared = f"/usr/share/java/{other}"
            todo += [other] if other.startswith("/") else [beside, shared]
    path.write_text("".join(f"{jar}\n" for jar in found))


def _class_path_of(jar: str) -> list[str]:
    with zipfile.ZipFile(jar) as archive:
        try:
            manifest = archive.read("META-INF/MANIFEST.MF").decode(errors="replace")
        except KeyError:
            return []
    # A line has at most 72 bytes; one that starts with a space continues the last.
    unfolded = re.sub(r"\r?\n ", "", manifest)
    match = re.search(r"(?m)^Class-Path:(.*)$", unfolded)
    return [name.removeprefix("file://") for name in match[1].split()] if match else []
