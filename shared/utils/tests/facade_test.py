from __future__ import annotations

from types import ModuleType
from uuid import UUID

import pytest

from shared import resilience, utils, validation


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(utils).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(utils.__all__) == public


def test_snippet_of_the_specification() -> None:
    """It runs as printed."""

    def some_function(one: int, two: int) -> int:
        return one + two

    arg1, arg2 = 1, 2

    from shared.utils import CircuitBreaker, generate_uuid, sanitize_filename

    id = generate_uuid()
    safe_name = sanitize_filename("my file.pdf")

    breaker = CircuitBreaker()
    result = breaker.call(some_function, arg1, arg2)

    assert str(UUID(id)) == id
    assert (safe_name, result) == ("my_file.pdf", 3)


def test_all_validators_are_here() -> None:
    """One that validation gets, utils gets."""
    theirs = {name for name in validation.__all__ if name.startswith("validate_")}

    assert theirs <= set(utils.__all__)
    assert utils.CircuitBreaker is resilience.CircuitBreaker
    with pytest.raises(ValueError, match="Slug"):
        utils.validate_slug("no slug")
