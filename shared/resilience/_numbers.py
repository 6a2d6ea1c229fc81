"""Settings that are numbers: checked where they are written.

Private: used by ``shared.resilience`` only.
"""

from __future__ import annotations

from math import isfinite


def seconds(name: str, value: float, *, zero: bool = False) -> float:
    """*value*, if it is a finite number above zero, or zero where that makes sense.

    Raises:
        ValueError: It is not.
    """
    if _is_number(value) and isfinite(value) and (value > 0 or (zero and value == 0)):
        return value
    least = "of at least 0" if zero else "above 0"
    raise ValueError(f"{name} must be a finite number {least} (got {_shown(value)}).")


def count(name: str, value: int, *, least: int) -> int:
    """*value*, if it is a whole number that is not below *least*.

    Raises:
        ValueError: It is not.
    """
    if type(value) is int and value >= least:
        return value
    raise ValueError(
        f"{name} must be a whole number of at least {least} (got {_shown(value)})."
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A number as it is; of anything else the type, for it may be a secret."""
    return repr(value) if _is_number(value) else type(value).__name__
