"""How many retries there may be, over all calls to one target.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from threading import Lock

from shared.resilience._numbers import count, seconds


class RetryBudget:
    """Keeps retries a small share of calls, so that they don't finish an ill target.

    A bucket of tokens. It starts full; a call puts in *ratio* of a token, a second puts
    in *per_second*, and a retry takes one out, or does not happen. Shared by all
    callers of a target, in all threads.

    Args:
        ratio: Retries per call when everything fails: 0.1 is one for ten calls.
        per_second: Retries that are always there, for targets with few calls.
        burst: The most tokens.
        clock: Seconds that never go back.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        ratio: float = 0.1,
        *,
        per_second: float = 1.0,
        burst: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ratio = seconds("ratio", ratio, zero=True)
        self._per_second = seconds("per_second", per_second, zero=True)
        self._burst = float(count("burst", burst, least=1))
        self._clock = clock
        self._lock = Lock()
        self._tokens = self._burst
        self._then = clock()
        # Every call of this object's __next__ is a deposit: atomic, and in a tenth of
        # the time of a lock. Whoever withdraws sees how many there were.
        self._calls = itertools.count()
        self._counted = 0
        self._deposit = self._calls.__next__

    def deposit(self) -> None:
        """A call is made for the first time."""
        self._deposit()

    def withdraw(self) -> bool:
        """Whether a call may be made again; if so, a token is gone."""
        with self._lock:
            self._fill()
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    @property
    def tokens(self) -> float:
        """The tokens in the bucket."""
        with self._lock:
            self._fill()
            return self._tokens

    def _fill(self) -> None:
        """Under the lock: put in what is due since the last time."""
        now, calls = self._clock(), self._deposit()
        due = self._ratio * (calls - self._counted)
        due += self._per_second * max(0.0, now - self._then)
        self._tokens = min(self._burst, self._tokens + due)
        # Looking was a __next__ too.
        self._then, self._counted = now, calls + 1
