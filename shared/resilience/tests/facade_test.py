from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

from shared import resilience


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(resilience).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(resilience.__all__) == public


def test_parts_work_together() -> None:
    """A retry around a breaker stops when the breaker opens."""
    waits: list[float] = []
    breaker = resilience.CircuitBreaker("db", failure_threshold=2)

    @resilience.retry(on=Exception, delay=0, sleep=waits.append)
    @breaker
    def query() -> None:
        raise OSError

    with pytest.raises(resilience.CircuitOpenError, match="after 3 attempts") as raised:
        query()

    assert len(waits) == 2
    assert raised.value.breaker == "db"


def test_import_stays_light() -> None:
    """Who is not asynchronous does not pay for asyncio, and nobody for a framework."""
    heavy = {"asyncio", "fastapi", "pydantic", "starlette", "dataclasses", "email"}
    program = (
        "import sys; before = set(sys.modules); import shared.resilience; "
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
