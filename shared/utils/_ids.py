"""Identifiers that need no server to be unique.

Private: import these names from ``shared.utils``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Lock
from typing import Final
from uuid import UUID, uuid4

_COUNTER_BITS: Final = 42  # 12 in rand_a, 30 in rand_b; the other 32 are random
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62


def generate_uuid() -> str:
    """A random UUID (version 4) as text: 36 characters, lowercase.

    As the key of a table, `uuid7` is faster: its values come in order.
    """
    return str(uuid4())


class Uuid7Generator:
    """Makes UUIDs of version 7, each greater than the one before (RFC 9562).

    Within a millisecond a counter of 42 bits tells the order (section 6.2, method 1).
    It starts at a random number whose highest bit is 0, so that it has room; if it is
    used up, or the clock goes back, the time in the UUID goes on by itself.

    Args:
        clock: Nanoseconds since 1970.
        random: That many random bytes.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._random = random
        self.restart()

    def restart(self) -> None:
        """Begin anew, as in a fork, whose counter must not be that of its parent."""
        self._lock = Lock()
        self._millisecond = -1
        self._counter = 0

    def __call__(self) -> UUID:
        """The next UUID."""
        now = self._clock() // 1_000_000
        # The counter's start and the 32 bits beside it, in one call of the system.
        random = int.from_bytes(self._random(10), "big")
        with self._lock:
            if now <= self._millisecond:
                self._counter += 1
            if now > self._millisecond or self._counter >> _COUNTER_BITS:
                self._millisecond = max(now, self._millisecond + 1)
                self._counter = random >> 32 & (1 << _COUNTER_BITS - 1) - 1
            millisecond, counter = self._millisecond, self._counter
        return UUID(
            int=(millisecond & (1 << 48) - 1) << 80
            | _VERSION
            | counter >> 30 << 64
            | _VARIANT
            | (counter & (1 << 30) - 1) << 32
            | random & (1 << 32) - 1
        )


_generator: Final = Uuid7Generator()
if hasattr(os, "register_at_fork"):  # not in Windows, which has no fork
    os.register_at_fork(after_in_child=_generator.restart)


def uuid7() -> UUID:
    """A UUID of version 7, greater than all that this process made before.

    It begins with the time, so that rows with such keys are stored in order; and so it
    tells when it was made, to whoever sees it.
    """
    return _generator()
