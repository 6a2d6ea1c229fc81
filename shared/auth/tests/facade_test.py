"""What the package shows, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

from shared import auth
from shared.auth import dependencies, jwks


def test_facade_shows_all_that_is_public() -> None:
    """``__all__`` is exactly what the facade imports from its private modules."""
    public = {
        name
        for name, value in vars(auth).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and name != "annotations"
    }

    assert set(auth.__all__) == public


@pytest.mark.parametrize("module", [dependencies, jwks])
def test_glue_shows_what_it_defines(module: ModuleType) -> None:
    """A glue module lists names of its own, and each of them is there."""
    assert all(hasattr(module, name) for name in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_main_target_stays_small() -> None:
    """Checking tokens needs neither a web framework nor an event loop."""
    loaded = _loaded_by("import shared.auth")

    assert "jose" in loaded
    assert not loaded & {"fastapi", "starlette", "asyncio", "ssl", "shared.logging"}


def test_key_sets_need_no_web_framework() -> None:
    """The client of key sets adds the event loop and nothing of a framework."""
    loaded = _loaded_by("import shared.auth.jwks")

    assert "asyncio" in loaded
    assert not loaded & {"fastapi", "starlette"}
