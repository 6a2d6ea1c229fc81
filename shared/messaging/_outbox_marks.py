"""How far a relay has come, so that it need not begin at the first position each time.

What was deleted stays in the index until nobody could see it any more: a transaction
that reads for an hour keeps an hour of deleted rows, and each look from the start
passes over all of them. So a look begins at a mark, behind rows that were published.

A transaction takes a position and commits later, when higher ones may have been
published already. If its row were behind the mark, its successor of the same aggregate
would be found before it. So the mark goes past a position only when all transactions
that were writing when it was published have ended, and past no more than what a look
after that has published in its order.

From time to time there is a look from the start nevertheless, for rows whose positions
are no later than the mark for another reason: a table that was restored, a row that
somebody had locked. It takes a small share of the time, however long it takes.

Private: used by ``shared.messaging.outbox`` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from enum import IntEnum
from typing import Final

from shared.messaging._outbox_rows import Row
from shared.messaging._outbox_table import PARTITIONS

_WATCH_EVERY: Final = 0.05
_REST: Final = 20  # times as long as it took


class Start(IntEnum):
    """Where a look begins."""

    MARK = 0
    FIRST = 1


class Marks:
    """Positions after which to look, for each partition.

    Args:
        every: Seconds between looks from the start.
        now: Seconds, of whichever clock.
    """

    def __init__(self, *, every: float, now: float) -> None:
        self._every = every
        self._mark = [0] * PARTITIONS
        self._published = [0] * PARTITIONS
        # Published when `_writing` were writing, and when all of those had ended.
        self._candidate: list[int] | None = None
        self._writing: Set[str] = frozenset()
        self._final = [0] * PARTITIONS
        self._watch_due = now + _WATCH_EVERY
        self._first_due = now + every
        self._stay = Start.MARK

    def watch_is_due(self, now: float) -> bool:
        """Whether it is time to tell who is writing; see `watched`."""
        return now >= self._watch_due and self._published != self._mark

    def watched(self, writing: Set[str], *, began: float, ended: float) -> None:
        """Note which transactions may have taken positions and not ended."""
        if self._candidate is not None and self._writing.isdisjoint(writing):
            self._final, self._candidate = self._candidate, None
        if self._candidate is None:
            self._candidate, self._writing = list(self._published), writing
        self._watch_due = ended + max(_WATCH_EVERY, _REST * (ended - began))

    def start(self, now: float) -> Start:
        """Where the next look begins."""
        return Start.FIRST if now >= self._first_due else self._stay

    def after(self, start: Start, partition: int) -> int:
        """The position after which to look."""
        return 0 if start is Start.FIRST else self._mark[partition]

    def looked(
        self, start: Start, rows: Iterable[Row], *, began: float, ended: float
    ) -> None:
        """Note a look, and whether there was something behind the mark."""
        if start is Start.FIRST:
            self._first_due = ended + max(self._every, _REST * (ended - began))
        behind = any(row.position <= self._mark[row.partition] for row in rows)
        # There may be more of it than one look returns.
        self._stay = start if behind else Start.MARK

    def published(self, rows: Iterable[Row]) -> None:
        """Note rows of the last look: in each partition all that it saw up to there."""
        for row in rows:
            part, position = row.partition, row.position
            self._published[part] = max(self._published[part], position)
            final = min(position, self._final[part])
            self._mark[part] = max(self._mark[part], final)
