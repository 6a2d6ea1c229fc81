"""Writes the schemas of one module of DTOs as one document, of that module alone.

    module_schemas shared.dtos.user user_schema.json

The document is a compound one (JSON Schema 2020-12, section 9.3): each schema keeps its
own ``$id``, by which the others and the bundle refer to it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tools.contracts.bundle import BASE, to_text
from tools.contracts.dtos import dto_documents, dtos_of
from tools.contracts.models import DIALECT


def main(arguments: Sequence[str]) -> int:
    """Write the document; 1 for a module without DTOs."""
    name, out = arguments
    classes = dtos_of([import_module(name)])
    if not classes:
        print(f"{name} defines no DTO.", file=sys.stderr)
        return 1
    documents, _ = dto_documents(classes)
    compound = {
        "$schema": DIALECT,
        "$id": f"{BASE}dtos/{name}.schemas.json",
        "$defs": {
            path.rpartition("/")[2].removesuffix(".schema.json"): document
            for path, document in documents.items()
        },
    }
    Path(out).write_text(to_text(compound), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
