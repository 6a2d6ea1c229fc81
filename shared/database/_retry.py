"""Another try for transactions that collided.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from shared.database._errors import TransactionConflictException
from shared.resilience import Retrying


def collisions_retried(
    attempts: int,
    *,
    sleep: Callable[[float], object] = time.sleep,
    sleep_async: Callable[[float], Awaitable[object]] | None = None,
) -> Retrying:
    """Make a transaction again that collided, after a short and random pause.

    Raises:
        ValueError: *attempts* is less than 1.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1 (got {attempts}).")
    return Retrying(
        on=TransactionConflictException,
        max_retries=attempts - 1,
        delay=0.02,
        max_delay=1.0,
        sleep=sleep,
        sleep_async=sleep_async,
    )
