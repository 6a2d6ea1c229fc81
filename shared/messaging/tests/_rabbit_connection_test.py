"""How long a bus waits, and what it says of its broker."""

from __future__ import annotations

import pytest

from shared.messaging._rabbit_connection import (
    Backoff,
    _with_heartbeat,
    check_url,
    describe,
)
from shared.testing import FakeClock


def test_waits_grow_to_a_limit() -> None:
    """From half of each to all of it, so that services don't come all at once."""
    backoff = Backoff(first=0.1, last=4.0)
    delays = [backoff.delay() for _ in range(12)]
    limits = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, *[4.0] * 6]

    assert all(
        limit / 2 <= delay <= limit for delay, limit in zip(delays, limits, strict=True)
    )
    assert len(set(delays)) == 12


def test_waits_are_short_again_after_a_success_that_lasted() -> None:
    """What works for a moment only does not count."""
    clock = FakeClock()
    backoff = Backoff(first=0.1, last=4.0, steady=10, clock=clock.monotonic)
    for _ in range(6):
        backoff.delay()
    backoff.succeeded()
    clock.advance(9)
    soon = backoff.delay()
    backoff.succeeded()
    clock.advance(10)
    later = backoff.delay()

    assert soon >= 2.0
    assert later <= 0.1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://h", "amqp://h?heartbeat=10"),
        ("amqp://h/v?name=x", "amqp://h/v?name=x&heartbeat=10"),
        ("amqp://h/v?heartbeat=7", "amqp://h/v?heartbeat=7"),
    ],
)
def test_the_heartbeat_of_the_address_counts(url: str, expected: str) -> None:
    """Else there is one all the same: a peer that is gone must be noticed."""
    assert _with_heartbeat(url, None) == expected


def test_an_address_is_not_quoted() -> None:
    """Neither one that is refused, nor one in the text of an error."""
    with pytest.raises(ValueError, match="value hidden") as caught:
        check_url("amqp://user:hunter2@host:port")

    assert "hunter2" not in str(caught.value)
    assert describe(OSError("at amqp://user:hunter2@host/ it failed")) == (
        "OSError: at amqp://***@host/ it failed"
    )
    assert describe(TimeoutError()) == "TimeoutError: no details"
