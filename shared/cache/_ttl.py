"""How long a value is kept, and which keys it may have.

Private: used by ``shared.cache`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_LONGEST: Final = 10 * 366 * 86_400


def check_key(key: str) -> None:
    """Raise ValueError unless *key* is text."""
    value: object = key
    if not isinstance(value, str) or not value:
        raise ValueError("The key of a cache must be text that is not empty.")


def check_ttl(ttl: float) -> None:
    """Raise ValueError unless *ttl* is a time."""
    if type(ttl) not in (int, float) or not 0 < ttl <= _LONGEST:
        raise ValueError(
            f"A ttl must be seconds above 0 and up to ten years (got {ttl!r})."
        )


class Spread:
    """Shortens times by up to a fraction, so that what is set together ends apart.

    Args:
        jitter: The fraction, from 0 to below 1.
        random: Returns numbers from 0 to 1.

    Raises:
        ValueError: The fraction is none.
    """

    def __init__(self, jitter: float, random: Callable[[], float]) -> None:
        if not 0 <= jitter < 1:
            raise ValueError(f"jitter must be from 0 to below 1 (got {jitter!r}).")
        self._jitter = jitter
        self._random = random

    def __call__(self, ttl: float) -> float:
        """*ttl*, or somewhat less.

        Raises:
            ValueError: It is no time.
        """
        check_ttl(ttl)
        return ttl * (1 - self._jitter * self._random()) if self._jitter else ttl
