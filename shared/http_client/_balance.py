"""Which of a target's URLs the next attempt goes to.

Of two URLs drawn at random, the one with fewer calls under way ("the power of two
choices"): a slow URL collects calls and so is chosen less, which round robin never
notices, and no single URL draws everybody at once, as "the fewest of all" does when one
fails fast. One whose breaker is open is passed over until it is due for a probe.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from shared.http_client._url import BaseUrl
from shared.resilience import BreakerState, CircuitBreaker


class Upstream:
    """One URL of a target, with what is known of it."""

    __slots__ = ("base", "breaker", "in_flight", "probe_at")

    def __init__(self, base: BaseUrl, breaker: CircuitBreaker) -> None:
        self.base = base
        self.breaker = breaker
        self.in_flight = 0
        # When the breaker, which stays open until somebody asks, lets one call through.
        self.probe_at = 0.0


class Balancer:
    """Chooses among *upstreams*.

    Args:
        upstreams: One or more.
        recovery_time: That of their breakers.
        clock: That of their breakers.
        rng: A random number from 0 to 1.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        *,
        recovery_time: float,
        clock: Callable[[], float],
        rng: Callable[[], float],
    ) -> None:
        self.upstreams = tuple(upstreams)
        self._recovery_time = recovery_time
        self._clock = clock
        self._rng = rng

    def note(self, upstream: Upstream, state: BreakerState) -> None:
        """Take in that the breaker of *upstream* changed."""
        if state is BreakerState.OPEN:
            upstream.probe_at = self._clock() + self._recovery_time

    def pick(
        self, *, tried: Collection[Upstream] = (), refused: Collection[Upstream] = ()
    ) -> Upstream | None:
        """The URL for an attempt; None if all are *refused*.

        Args:
            tried: Failed earlier in this call; taken again only if no other is well.
            refused: Their breakers let nothing through.
        """
        if len(self.upstreams) == 1:
            return None if refused else self.upstreams[0]
        left = [one for one in self.upstreams if one not in refused]
        well = [one for one in left if self._is_well(one)]
        fresh = [one for one in well if one not in tried]
        # Those that are ill come last: their breakers refuse, and say for how long.
        among = fresh or well or left
        if len(among) < 2:
            return among[0] if among else None
        first = self._draw(len(among))
        second = (first + 1 + self._draw(len(among) - 1)) % len(among)
        one, other = among[first], among[second]
        return other if other.in_flight < one.in_flight else one

    def _draw(self, count: int) -> int:
        return min(int(self._rng() * count), count - 1)

    def _is_well(self, upstream: Upstream) -> bool:
        state = upstream.breaker.state
        if state is BreakerState.OPEN:
            return self._clock() >= upstream.probe_at
        # Half open: its probe is under way.
        return state is BreakerState.CLOSED
