from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import testing


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(testing).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(testing.__all__) == public


def test_import_needs_no_pytest_and_no_server_library() -> None:
    """A benchmark or a smoke program may use the doubles as well as a test."""
    heavy = {"pytest", "_pytest", "psycopg", "sqlalchemy", "redis", "fastapi", "httpx2"}
    program = (
        "import sys; before = set(sys.modules); import shared.testing; "
        f"print(sorted((set(sys.modules) - before) & {heavy!r}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert result.stdout == "[]\n"
