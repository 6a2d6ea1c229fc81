"""Limits of one process.

Private: import ``InMemoryRateLimiter`` from ``shared.rate_limit``.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from math import inf
from threading import Lock
from typing import Final

from shared.rate_limit._decision import Decision, Standing
from shared.rate_limit._limiter import refundable
from shared.rate_limit._policy import (
    MICROSECONDS,
    PARTS,
    RateLimitPolicy,
    check_question,
)

_log = logging.getLogger("shared.rate_limit")

# How many forgotten keys are looked for with each new one. Two, so that a table that
# has grown shrinks again.
_SWEEP: Final = 2


class InMemoryRateLimiter:
    """A `RateLimiter` for one process: embedded use, tests, and per-worker limits.

    It may be shared by tasks and threads. It counts in each process for itself: four
    workers let through four times the limit.

    Args:
        max_keys: How many pairs of key and policy are remembered. When they are all in
            use, the one that has least time to go is forgotten, which is logged: its
            owner starts anew.
        clock: Seconds that never run backwards.

    Raises:
        ValueError: max_keys is not positive.
    """

    def __init__(
        self,
        *,
        max_keys: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_keys < 1:
            raise ValueError(f"max_keys must be at least 1 (got {max_keys}).")
        self._max_keys = max_keys
        self._clock = clock
        # By window, and in order of the last grant: what can be forgotten is in front.
        self._tables: dict[int, _Table] = {}
        self._lock = Lock()
        self._told_until = -inf

    def __len__(self) -> int:
        """How many pairs of key and policy are remembered."""
        return sum(map(len, self._tables.values()))

    async def acquire(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """See `RateLimiter.acquire`."""
        return self._decide(key, policies, cost, take=True)

    async def peek(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """See `RateLimiter.peek`."""
        return self._decide(key, policies, cost, take=False)

    async def refund(self, decision: Decision, units: int | None = None) -> None:
        """See `RateLimiter.refund`."""
        units = refundable(decision, units)
        with self._lock:
            for policy in decision.policies:
                count = self._known(decision.key, policy)
                if count is not None:
                    count.give_back(units, decision.decided_at)

    def _decide(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int, *, take: bool
    ) -> Decision:
        check_question(key, policies, cost)
        with self._lock:
            now = round(self._clock() * MICROSECONDS)
            allowed = True
            asked = []
            for policy in policies:
                count = self._known(key, policy)
                if count is None:
                    count = _Count(policy.window)
                else:
                    count.forget(now)
                wait = 0.0
                if count.total + cost > policy.limit:
                    wait = count.wait(count.total + cost - policy.limit, now)
                    allowed = False
                asked.append((policy, count, wait))
            if take and allowed and cost:
                for policy, count, _ in asked:
                    count.take(cost, now)
                    self._remember(key, policy, count, now)
            standings = [
                Standing(
                    policy,
                    # The limit may have been lowered.
                    policy.limit - count.total if count.total < policy.limit else 0,
                    count.reset(now),
                    wait,
                )
                for policy, count, wait in asked
            ]
            return Decision(allowed, key, cost, tuple(standings), now)

    def _known(self, key: str, policy: RateLimitPolicy) -> _Count | None:
        table = self._tables.get(policy.window)
        return None if table is None else table.get((key, policy.name))

    def _remember(
        self, key: str, policy: RateLimitPolicy, count: _Count, now: int
    ) -> None:
        table = self._tables.get(policy.window)
        if table is None:
            table = self._tables[policy.window] = OrderedDict()
        name = (key, policy.name)
        if name in table:
            table.move_to_end(name)
            return
        table[name] = count
        for _ in range(_SWEEP):
            if _first(table).gone_at > now:
                break
            table.popitem(last=False)
        if len(self) > self._max_keys:
            self._evict(now)

    def _evict(self, now: int) -> None:
        """Forget what would be forgotten next anyway."""
        tables = filter(None, self._tables.values())
        table = min(tables, key=lambda table: _first(table).gone_at)
        _, count = table.popitem(last=False)
        if count.gone_at > now >= self._told_until:
            self._told_until = now + 60 * MICROSECONDS
            _log.warning(
                "rate limits in force are being forgotten: all %d places (max_keys) "
                "are in use",
                self._max_keys,
            )


class _Count:
    """What one key has taken under one policy: a log, merged by part of the window."""

    __slots__ = ("entries", "gone_at", "part", "total", "window")

    def __init__(self, window: int) -> None:
        # [moment of the last unit, units], oldest first; all times in microseconds
        self.entries: deque[list[int]] = deque()
        self.total = 0
        self.gone_at = 0
        self.window = window * MICROSECONDS
        self.part = self.window // PARTS

    def forget(self, now: int) -> None:
        """Drop what has left the window."""
        entries = self.entries
        gone = now - self.window
        while entries and entries[0][0] <= gone:
            self.total -= entries.popleft()[1]

    def wait(self, excess: int, now: int) -> float:
        """Seconds until so many units have come back."""
        for moment, units in self.entries:
            excess -= units
            if excess <= 0:
                return (moment + self.window - now) / MICROSECONDS
        return inf

    def reset(self, now: int) -> float:
        """Seconds until the oldest units come back."""
        if not self.entries:
            return 0.0
        return (self.entries[0][0] + self.window - now) / MICROSECONDS

    def take(self, cost: int, now: int) -> None:
        """Add *cost* to the current part of the window."""
        entries = self.entries
        if entries and entries[-1][0] // self.part == now // self.part:
            entries[-1][0] = now
            entries[-1][1] += cost
        else:
            entries.append([now, cost])
        self.total += cost
        self.gone_at = now + self.window

    def give_back(self, units: int, moment: int) -> None:
        """Take *units* out of the part of *moment*, if it is still here."""
        for entry in self.entries:
            if entry[0] // self.part == moment // self.part:
                back = min(units, entry[1])
                entry[1] -= back
                self.total -= back
                if not entry[1]:
                    self.entries.remove(entry)
                return


_Table = OrderedDict[tuple[str, str], _Count]


def _first(table: _Table) -> _Count:
    return next(iter(table.values()))
