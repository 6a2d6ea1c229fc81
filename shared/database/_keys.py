"""Primary keys that the service makes, before the row exists.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_key(*, now_ms: int | None = None) -> UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then 74 random ones.

    New rows stand side by side in the index, where random keys would touch all of it.
    Who sees such a key sees when the row was made; where that must not be known, use
    ``uuid.uuid4``.

    Args:
        now_ms: Milliseconds since 1970; the clock's when left out.
    """
    moment = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    tail = int.from_bytes(os.urandom(10))
    high = (moment & 0xFFFF_FFFF_FFFF) << 80
    return UUID(
        int=high
        | 0x7 << 76
        | (tail >> 68 & 0xFFF) << 64
        | 0b10 << 62
        | tail & 0x3FFF_FFFF_FFFF_FFFF
    )
