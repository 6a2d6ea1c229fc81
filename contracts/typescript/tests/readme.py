"""The programs in the README: those that people paste are those that are tested."""

from __future__ import annotations

import re
from pathlib import Path

_README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"```ts\n(// (\w+\.mts)\n.*?)```", re.DOTALL)


def snippets(folder: Path) -> dict[str, Path]:
    """Every block that names a file, written to *folder*."""
    found = {}
    for text, name in _BLOCK.findall(_README.read_text(encoding="utf-8")):
        found[name] = folder / name
        found[name].write_text(text, encoding="utf-8")
    return found
