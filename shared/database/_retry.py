"""Another try for transactions that collided.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from shared.database._errors import TransactionConflictException

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0


def _pauses(attempts: int) -> Iterator[float]:
    """The pauses between *attempts* tries: random, so that the two don't meet again."""
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1 (got {attempts}).")
    for number in range(attempts - 1):
        yield random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**number))  # noqa: S311


async def retry(
    attempt: Callable[[], Awaitable[T]],
    *,
    attempts: int,
    sleep: Callable[[float], Awaitable[object]],
) -> T:
    """Return what *attempt* returns, the first time it does not collide."""
    for pause in _pauses(attempts):
        try:
            return await attempt()
        except TransactionConflictException:
            await sleep(pause)
    return await attempt()


def retry_sync(
    attempt: Callable[[], T],
    *,
    attempts: int,
    sleep: Callable[[float], object] | None = None,
) -> T:
    """The same without ``async``."""
    for pause in _pauses(attempts):
        try:
            return attempt()
        except TransactionConflictException:
            (sleep or time.sleep)(pause)
    return attempt()
