from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import errors


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(errors).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(errors.__all__) == public


def test_names_of_the_readme_work_together() -> None:
    """The first thing a reader tries."""
    error = errors.NotFoundError("Subject", "123")

    assert type(errors.error_from_problem(error.to_problem())) is errors.NotFoundError
    assert errors.catalogue()[error.code].status == 404


def test_import_stays_light() -> None:
    """Who only raises errors does not pay for frameworks or slow standard modules."""
    heavy = {"fastapi", "pydantic", "starlette", "logging", "dataclasses", "inspect"}
    program = (
        "import sys; before = set(sys.modules); import shared.errors; "
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
