"""Writes the bundle: the kernel's contracts, and those of the services given.

export --out contracts.zip accounts.json ...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared import dtos as dto_module
from shared.events import PLATFORM_EVENTS
from tools.contracts import dtos
from tools.contracts.bundle import MANIFEST, Manifest, to_text
from tools.contracts.declared import ContractError, read
from tools.contracts.inventory import Documents, inventory
from tools.contracts.merge import merge_services
from tools.contracts.models import UnsayableError
from tools.contracts.vectors import VectorsError
from tools.contracts.verified import with_vectors
from tools.wheel.archive import write_zip


def write(out: Path, manifest: Manifest, documents: Documents) -> None:
    """Write the archive, each file in the one form that `to_text` gives it."""
    files = {MANIFEST: manifest, **documents}
    write_zip(out, [(path, to_text(files[path]).encode()) for path in sorted(files)])


def main(arguments: Sequence[str]) -> int:
    """Write the bundle; 1 and a line for what can't be exported."""
    parser = argparse.ArgumentParser(prog="export", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the archive to write")
    parser.add_argument("services", type=Path, nargs="*", help="what they declare")
    options = parser.parse_args(arguments)
    try:
        classes = dtos.dtos_of([dto_module])
        manifest, schemas = inventory(classes, PLATFORM_EVENTS)
        documents = with_vectors(schemas, classes, PLATFORM_EVENTS)
        merged = merge_services(map(read, options.services), manifest, documents)
    except (UnsayableError, VectorsError, ContractError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    write(options.out, merged.manifest, {**documents, **merged.documents})
    _tell_what_code_checks(merged.manifest["validated_by"])
    return 0


def _tell_what_code_checks(entries: Iterable[Any]) -> None:
    for entry in entries:
        print(f"{entry['schema']}#{entry['pointer']}: {', '.join(entry['by'])}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
