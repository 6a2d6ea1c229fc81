"""Unpacked packages are made to run where they are."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest

from tools.bazelw.console import Trouble
from tools.bazelw.relocate import relocate, write_class_path

ENVIRON = {"PATH": os.environ["PATH"]}

# Stands in for the dynamic loader: starts patchelf, or lists a program's libraries.
LOADER = """\
#!/bin/sh
if [ "$1" = --list ]; then
    cat "$2.libraries"
else
    shift 2
    echo "$@" >> "$LOG"
    {then}
fi
"""


def elf(*header_types: int, order: str = "<", bits: int = 2) -> bytes:
    """The start of a program: its header, then its program headers."""
    ident = b"\x7fELF" + bytes([bits, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (2, 62, 1, 0, 64, 0, 0, 64, 56, len(header_types), 0, 0, 0)
    header = ident + struct.pack(f"{order}HHIQQQIHHHHHH", *fields)
    return header + b"".join(struct.pack(f"{order}I52x", kind) for kind in header_types)


class Prefix:
    """A folder with a loader, and programs to be made."""

    def __init__(self, home: Path) -> None:
        self.home = home / "pre fix"
        self.log = home / "log"
        self.libraries = self.home / "usr/lib/x86_64-linux-gnu"
        self.libraries.mkdir(parents=True)
        self.loader = self.libraries / "ld-linux-x86-64.so.2"
        self.write_loader()

    def write_loader(self, then: str = ":") -> None:
        self.loader.write_text(LOADER.format(then=then))
        self.loader.chmod(0o755)

    def add(self, path: str, content: bytes, libraries: str = "") -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o755)
        Path(f"{file}.libraries").write_text(libraries)
        return file

    def relocate(self) -> list[str]:
        """The command lines of patchelf."""
        relocate(self.home, environ=ENVIRON | {"LOG": str(self.log)})
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    """A folder that holds a loader."""
    return Prefix(tmp_path)


def test_programs_get_their_own_loader_and_libraries(prefix: Prefix) -> None:
    """The host's C library may be older than the one they were built for."""
    patchelf = prefix.add("usr/bin/patchelf", elf(1, 3))
    program = prefix.add("usr/bin/bazel", elf(6, 3, 1))

    (command,) = prefix.relocate()
    assert command == (
        f"{patchelf} --set-interpreter {prefix.loader} --force-rpath --set-rpath "
        f"$ORIGIN:$ORIGIN/../lib:{prefix.libraries} {program}"
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("usr/bin/static", elf(1)),
        ("usr/bin/script", b"#!/bin/sh\n"),
        ("usr/bin/empty", b""),
        ("usr/bin/short", elf(3)[:40]),
        ("usr/bin/small", elf(3, bits=1)),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", elf(3)),
    ],
)
def test_what_is_no_dynamic_program_is_left_alone(
    prefix: Prefix, path: str, content: bytes
) -> None:
    """Static programs, scripts and libraries, the C library (which can be run) too."""
    prefix.add(path, content)

    assert prefix.relocate() == []


def test_other_byte_order(prefix: Prefix) -> None:
    """Some machines that carry Bazel are big-endian."""
    prefix.add("usr/bin/program", elf(1, 3, order=">"))

    assert len(prefix.relocate()) == 1


def test_library_of_the_host_is_refused(prefix: Prefix) -> None:
    """It works here today, and elsewhere or tomorrow not."""
    listed = f"\tlibc.so.6 => {prefix.libraries}/libc.so.6 (0x00007f)\n"
    prefix.add("usr/bin/good", elf(3), listed + "\tlinux-vdso.so.1 (0x00007f)\n")
    prefix.relocate()
    prefix.add("usr/bin/program", elf(3), "\tlibz.so.1 => /lib/libz.so.1 (0x00007f)\n")

    with pytest.raises(
        Trouble, match=r"^program needs libz.so.1, which no package holds"
    ):
        prefix.relocate()


def test_missing_library_is_told(prefix: Prefix) -> None:
    """Before anybody runs into it."""
    prefix.add("usr/bin/program", elf(3), "\tlibnew.so.9 => not found\n")

    with pytest.raises(Trouble, match=r"^program needs libnew.so.9, which no package"):
        prefix.relocate()


def test_failing_patchelf_is_told(prefix: Prefix) -> None:
    """With its own words."""
    prefix.add("usr/bin/program", elf(3))
    prefix.write_loader("echo no space; exit 1")

    with pytest.raises(Trouble, match=r"^patchelf failed on .*/program: no space"):
        prefix.relocate()


def test_absolute_links_point_into_the_prefix(prefix: Prefix) -> None:
    """Those whose target is there; links to files, to folders and to links."""
    (prefix.home / "etc/java").mkdir(parents=True)
    (prefix.home / "etc/java/security").touch()
    links = {
        "file": "/etc/java/security",
        "folder": "/etc/java",
        "link": "/dangling",
        "relative": "etc/java",
        "foreign": "/usr/bin/env",
    }
    (prefix.home / "dangling").symlink_to("/nowhere")
    for name, target in links.items():
        (prefix.home / name).symlink_to(target)

    prefix.relocate()

    assert {name: os.readlink(prefix.home / name) for name in links} == {
        "file": f"{prefix.home}/etc/java/security",
        "folder": f"{prefix.home}/etc/java",
        "link": f"{prefix.home}/dangling",
        "relative": "etc/java",
        "foreign": "/usr/bin/env",
    }


def jar(path: Path, class_path: str = "") -> str:
    """A jar whose manifest names others, in lines of 72 bytes as Java folds them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = f"Class-Path: {class_path}"
    folded = "\r\n ".join(
        [line[:70], *(line[n : n + 69] for n in range(70, len(line), 69))]
    )
    with zipfile.ZipFile(path, "w") as archive:
        if class_path:
            text = f"Manifest-Version: 1.0\r\n{folded}\r\nMain-Class: A\r\n"
            archive.writestr("META-INF/MANIFEST.MF", text)
    return os.path.realpath(path)


def test_class_path_has_what_manifests_name(tmp_path: Path) -> None:
    """Beside the jar, in the shared folder, by absolute path or URL; each once."""
    prefix = tmp_path / "prefix"
    java = prefix / "usr/share/java"
    shared = jar(java / "shared.jar")
    absolute = jar(prefix / "opt/absolute.jar")
    beside = jar(prefix / "usr/lib/beside.jar")
    other = jar(java / "other.jar")
    (java / "versioned.jar").symlink_to("shared.jar")
    names = "beside.jar shared.jar file:///opt/absolute.jar versioned.jar gone.jar"
    first = jar(prefix / "usr/lib/first.jar", names)
    listing = tmp_path / "class_path.txt"
    listing.write_text("/usr/lib/first.jar\n/usr/share/java/other.jar\n/usr/gone.jar\n")

    write_class_path(prefix, listing)

    assert listing.read_text().splitlines()[:2] == [first, other]
    assert sorted(listing.read_text().splitlines()) == sorted(
        [first, other, beside, shared, absolute]
    )


def test_class_path_can_be_written_twice(tmp_path: Path) -> None:
    """A path that is in the prefix already stays."""
    listing = tmp_path / "class_path.txt"
    listing.write_text("/a.jar\n")
    path = jar(tmp_path / "a.jar")
    write_class_path(tmp_path, listing)
    write_class_path(tmp_path, listing)

    assert listing.read_text() == f"{path}\n"
