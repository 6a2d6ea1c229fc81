"""How far a relay has come, so that it need not begin at the first position each time.

What was deleted stays in the index until nobody could see it any more: a transaction
that reads for an hour keeps an hour of deleted rows, and each look from the start
passes over all of them. So a look begins behind the last row that was published. What
became visible late, as its transaction took its position early and was slow to commit,
is before that. It is found by looks from further back:

* from where we were some seconds ago: whenever there is nothing else, and often;
* from the start: each *every* seconds.

None of the two takes more than a small share of the time, however long it takes.

Private: used by ``shared.messaging.outbox`` only.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from shared.messaging._outbox_rows import Row
from shared.messaging._outbox_table import PARTITIONS

_RECENT: Final = 2.0
_RECENT_EVERY: Final = 0.05
_REST: Final = 20  # times as long as the look took


class Start(IntEnum):
    """Where a look begins."""

    NEWEST = 0
    RECENT = 1
    FIRST = 2


class Marks:
    """Positions behind which to look, for each partition.

    Args:
        every: Seconds between looks from the start.
        now: Seconds, of whichever clock.
    """

    def __init__(self, *, every: float, now: float) -> None:
        self._every = every
        self._after = {
            start: [0] * PARTITIONS for start in (Start.NEWEST, Start.RECENT)
        }
        self._recent_next = [0] * PARTITIONS  # becomes RECENT at the next turn
        self._turned = now
        self._due = {Start.RECENT: now + _RECENT_EVERY, Start.FIRST: now + every}
        self._stay = Start.NEWEST

    def start(self, now: float) -> Start:
        """Where the next look begins."""
        for start in (Start.FIRST, Start.RECENT):
            if now >= self._due[start]:
                return start
        return self._stay

    def further_back(self, start: Start, now: float) -> Start | None:
        """Where to look when there was nothing; None where there can't be anything."""
        if start is Start.NEWEST:
            return Start.RECENT
        if start is Start.RECENT and now >= self._due[Start.FIRST]:
            return Start.FIRST
        return None

    def after(self, start: Start, partition: int) -> int:
        """The position after which to look."""
        return 0 if start is Start.FIRST else self._after[start][partition]

    def looked(
        self, start: Start, rows: Iterable[Row], *, began: float, ended: float
    ) -> None:
        """Note a look, and whether there was something late."""
        pause = _REST * (ended - began)
        if start is Start.FIRST:
            self._due[Start.FIRST] = ended + max(self._every, pause)
        if start is not Start.NEWEST:
            self._due[Start.RECENT] = ended + max(_RECENT_EVERY, pause)
        newest = self._after[Start.NEWEST]
        late = any(row.position <= newest[row.partition] for row in rows)
        # There may be more of it than one look returns.
        self._stay = start if late else Start.NEWEST

    def published(self, rows: Iterable[Row], now: float) -> None:
        """Begin behind *rows* from now on."""
        newest = self._after[Start.NEWEST]
        if now - self._turned >= _RECENT:
            self._after[Start.RECENT] = self._recent_next
            self._recent_next = list(newest)
            self._turned = now
        for row in rows:
            newest[row.partition] = max(newest[row.partition], row.position)
