"""What a relay needs of a database: rows to publish, and a word when there are more.

Private: used by ``shared.messaging.outbox`` only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from shared.messaging._message import OutgoingMessage


class Row(NamedTuple):
    """An event that waits."""

    position: int
    partition: int
    message: OutgoingMessage


class Rows(Protocol):
    """The outbox of one database, as one relay has it."""

    async def open(self) -> bool:
        """Connect, if it is not done; False if another relay is in the way."""
        ...

    async def take(self, limit: int, *, without: Collection[int]) -> list[Row]:
        """The next rows to publish, in order within each partition.

        They are nobody else's until `settle` or `abandon`.

        Args:
            limit: How many at most.
            without: Partitions to leave alone.
        """
        ...

    async def settle(self, published: Sequence[Row]) -> None:
        """Delete *published*, and let go of the others."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when there may be rows, after *seconds* at most.

        It may return at once, so that the caller looks once more.
        """
        ...

    def wake(self) -> None:
        """Let `wait` return; from this thread."""
        ...

    async def close(self) -> None:
        """End, in order."""
        ...

    def abandon(self) -> None:
        """Let go of everything, at once: what was taken is there for others again."""
        ...
