from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import cache


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(cache).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(cache.__all__) == public


def test_import_needs_no_framework_and_no_driver() -> None:
    """Who caches in process pays for nothing else."""
    heavy = {"fastapi", "pydantic", "starlette", "redis"}
    program = (
        "import sys; before = set(sys.modules); import shared.cache; "
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


def test_errors_are_the_kernel_s() -> None:
    """An unhandled one is a 503, not a 500."""
    assert cache.CacheUnavailableException().status_code == 503
