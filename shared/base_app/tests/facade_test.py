from __future__ import annotations

from types import ModuleType

from shared import app, base_app


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(base_app).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(base_app.__all__) == public


def test_it_is_the_same_function() -> None:
    """Two names, one chassis."""
    assert base_app.create_service is app.create_service
    assert base_app.Service is app.Service
