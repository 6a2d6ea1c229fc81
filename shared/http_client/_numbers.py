"""Settings that are numbers: checked where they are written.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

from math import isfinite


def seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse what is not a finite number above 0.

    Raises:
        ValueError: It is not.
    """
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and (value > 0 or (zero and value == 0))
    ):
        return
    least = "of at least 0" if zero else "above 0"
    raise ValueError(f"{name} must be a finite number {least} (got {_shown(value)}).")


def count(name: str, value: object, *, least: int) -> None:
    """Refuse what is not a whole number from *least* on.

    Raises:
        ValueError: It is not.
    """
    if type(value) is int and value >= least:
        return
    raise ValueError(
        f"{name} must be a whole number of at least {least} (got {_shown(value)})."
    )


def _shown(value: object) -> str:
    """A number as it is; of anything else the type, for it may be a secret."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(value) if number else type(value).__name__
