from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import config


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(config).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(config.__all__) == public


def test_import_stays_light() -> None:
    """Beside pydantic-settings nothing that is slow to import comes along."""
    heavy = {
        "fastapi",
        "starlette",
        "sqlalchemy",
        "cryptography",
        "asyncio",
        "argparse",
    }
    program = (
        "import sys, pydantic_settings; before = set(sys.modules); "
        "import shared.config; "
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
