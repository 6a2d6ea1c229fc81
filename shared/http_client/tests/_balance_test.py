from __future__ import annotations

import random
from collections import Counter

import pytest

from shared.http_client._balance import Balancer, Upstream
from shared.http_client._url import BaseUrl
from shared.resilience import CircuitBreaker
from shared.testing import FakeClock


class Fleet:
    """A balancer over several URLs."""

    def __init__(self, count: int) -> None:
        self.clock = FakeClock()
        self.balancer = Balancer(
            [self._upstream(number) for number in range(count)],
            recovery_time=10,
            clock=self.clock.monotonic,
            rng=random.Random(7).random,  # noqa: S311 - repeatable
        )
        self.upstreams = self.balancer.upstreams

    def _upstream(self, number: int) -> Upstream:
        breaker = CircuitBreaker(
            str(number),
            recovery_time=10,
            clock=self.clock.monotonic,
            on_state_change=lambda breaker, old, new: self.balancer.note(
                self.upstreams[int(breaker.name)], new
            ),
        )
        return Upstream(BaseUrl("http", f"host-{number}", ""), breaker)

    def picks(self, times: int = 1000) -> Counter[int]:
        """Return how often each was picked."""
        picked = [self.balancer.pick() for _ in range(times)]
        return Counter(self.upstreams.index(one) for one in picked if one)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_all_get_their_share(count: int) -> None:
    """Idle URLs are picked about as often as each other."""
    picks = Fleet(count).picks(1000 * count)

    assert len(picks) == count
    assert min(picks.values()) > 800


def test_the_busy_one_gets_less() -> None:
    """Of two the less busy is taken; the busiest of all never."""
    fleet = Fleet(3)
    for number, upstream in enumerate(fleet.upstreams):
        upstream.in_flight = number

    picks = fleet.picks()

    assert picks[0] > picks[1] > picks[2] == 0


def test_an_open_one_is_passed_over() -> None:
    """Until its time is up; then it is picked, and while it is probed it is not."""
    fleet = Fleet(2)
    breaker = fleet.upstreams[0].breaker
    for _ in range(5):
        with pytest.raises(OSError, match="down"), breaker:
            raise OSError("down")
    ejected = fleet.picks()
    fleet.clock.advance(10)
    due = fleet.picks()
    with breaker:
        probed = fleet.picks()

    assert set(ejected) == set(probed) == {1}
    assert set(due) == {0, 1}
    assert set(fleet.picks()) == {0, 1}


def test_a_retry_goes_elsewhere() -> None:
    """To one that has not failed in this call; back only if there is no other."""
    fleet = Fleet(3)
    first, second, third = fleet.upstreams

    assert fleet.balancer.pick(tried={first, second}) is third
    assert fleet.balancer.pick(tried={first, second, third}) is not None
    third.breaker.force_open()
    assert fleet.balancer.pick(tried={first, second}) in (first, second)


def test_all_are_open() -> None:
    """They are asked one after the other, and then there is none."""
    fleet = Fleet(2)
    for upstream in fleet.upstreams:
        upstream.breaker.force_open()
    one = fleet.balancer.pick()
    assert one is not None
    other = fleet.balancer.pick(refused={one})

    assert {one, other} == set(fleet.upstreams)
    assert fleet.balancer.pick(refused=set(fleet.upstreams)) is None


def test_one_alone() -> None:
    """It is picked whatever its breaker says, which answers for itself."""
    fleet = Fleet(1)
    (only,) = fleet.upstreams
    only.breaker.force_open()

    assert fleet.balancer.pick(tried={only}) is only
    assert fleet.balancer.pick(refused={only}) is None
