"""The seam: what every cache does.

Private: import ``Cache`` from ``shared.cache``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Cache(Protocol[T]):
    """Keeps values of one type for a time. ``//shared/testing`` has its suite.

    A value that comes out is a new one, made from bytes: whoever changes it changes
    nobody else's. Reading and filling never fail because of the store; writing does,
    since an old value may go on being served.
    """

    async def get(self, key: str) -> T | None:
        """Return the value, or None for a miss and for a store that does not answer."""
        ...

    async def set(self, key: str, value: T, *, ttl: float) -> None:
        """Keep *value* for *ttl* seconds, or somewhat less if the cache has a jitter.

        A fill of the key that is under way does not overwrite it.

        Raises:
            ValueError: The codec can't encode it, or the ttl is no time.
            CacheUnavailableException: The store does not answer.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget the value, and what a fill that is under way will return.

        Raises:
            CacheUnavailableException: The store does not answer.
        """
        ...

    async def get_or_fill(
        self, key: str, fill: Callable[[], Awaitable[T]], *, ttl: float
    ) -> T:
        """Return the value; on a miss, what *fill* returns, which is kept for *ttl*.

        Of all that miss a key at once, one fills and the others wait for it. If that
        fails, those who waited in its process get the same error, nothing is kept, and
        the next to ask fills again. It is one object for all of them, so nobody should
        change it. It goes on when whoever began it is cancelled, as
        long as somebody waits. If the store does not answer, *fill* is called.

        *fill* runs in the context of whoever began it, except for the deadline, which
        is lifted: others may wait for longer. Bound it by a ``timeout`` of its own.

        Raises:
            ValueError: The codec can't encode the value, or the ttl is no time.
            RuntimeError: *fill* asks this cache for the key that it fills.
            Exception: Whatever *fill* raises.
        """
        ...
