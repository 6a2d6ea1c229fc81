from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import app


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(app).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(app.__all__) == public


def test_import_needs_neither_databases_nor_traces() -> None:
    """They are targets of their own, for services that have them.

    A client of HTTP is imported where one is needed.
    """
    heavy = {
        *("sqlalchemy", "opentelemetry.sdk", "redis", "shared.database"),
        *("httpx2", "shared.http_client"),
    }
    program = f"import sys, shared.app; print(sorted(set(sys.modules) & {heavy!r}))"
    result = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )

    assert result.stdout == "[]\n"
