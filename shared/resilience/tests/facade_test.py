from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import assert_type

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


async def test_types_are_kept() -> None:
    """What a call gives is what the function gives, for mypy and when it runs."""
    breaker, policy = resilience.CircuitBreaker(), resilience.Retrying(on=OSError)

    @policy
    @breaker
    @resilience.Bulkhead(1)
    async def length(text: str) -> int:
        return len(text)

    results = [
        assert_type(breaker.call(len, "abc"), int),
        assert_type(await breaker.call(length, "abc"), int),
        assert_type(await breaker.call_async(length, "abc"), int),
        assert_type(policy.call(len, "abc"), int),
        assert_type(await policy.call(length, "abc"), int),
        assert_type(await policy.call_async(length, text="abc"), int),
        assert_type(await length("abc"), int),
    ]

    assert results == [3] * 7


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
