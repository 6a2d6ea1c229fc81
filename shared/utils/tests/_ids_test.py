from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.utils._ids import Uuid7Generator, generate_uuid, uuid7


def test_random_uuid() -> None:
    """Text in its canonical form, of version 4, and never the same."""
    made = {generate_uuid() for _ in range(1000)}

    assert len(made) == 1000
    assert {str(UUID(text)) for text in made} == made
    assert {UUID(text).version for text in made} == {4}


def test_ordered_uuids() -> None:
    """Each is greater than the one before, as a number and as text."""
    made = [uuid7() for _ in range(5000)]

    assert sorted(made) == made
    assert sorted(map(str, made)) == [str(uuid) for uuid in made]
    assert len(set(made)) == 5000


def test_example_of_the_standard() -> None:
    """RFC 9562, appendix A.6: its time and bits give its UUID."""
    rand_a, rand_b = 0xCC3, 0x18C4DC0C0C07398F
    # Its counter begins with a 1, which a start of ours does not: count up to it.
    counter = rand_a << 30 | rand_b >> 32
    tail = (rand_b & (1 << 32) - 1).to_bytes(4, "big")
    start = (counter - (1 << 41)).to_bytes(6, "big")
    generator = Uuid7Generator(
        clock=lambda: 0x017F22E279B0 * 1_000_000, random=lambda _: start + tail
    )
    generator()
    generator._counter = counter - 1

    assert generator() == UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 2**48 - 2) | st.integers(0, 3), min_size=1, max_size=30),
    st.binary(min_size=10, max_size=10),
)
def test_order_holds_whatever_the_clock_does(times: list[int], random: bytes) -> None:
    """It may stand still, jump and go back; bits that are not the time may be equal."""
    clock = iter(time * 1_000_000 for time in times)
    generator = Uuid7Generator(clock=lambda: next(clock), random=lambda _: random)
    made = [generator() for _ in times]

    assert sorted(set(made)) == made
    assert {(uuid.version, uuid.variant) for uuid in made} == {(7, RFC_4122)}
    assert made[0].int >> 80 == times[0]
    assert all(u.int >> 80 >= time for u, time in zip(made, times, strict=True))


def test_counter_that_is_used_up_goes_into_the_time() -> None:
    """The order is worth more than a millisecond."""
    generator = Uuid7Generator(clock=lambda: 5_000_000, random=lambda n: b"\xff" * n)
    first = generator()
    generator._counter = (1 << 42) - 1
    second = generator()

    assert (first.int >> 80, second.int >> 80) == (5, 6)
    assert first < second


def test_threads_share_the_order() -> None:
    """No two threads get the same, and each gets them in order."""
    with ThreadPoolExecutor(8) as pool:
        lots = list(pool.map(lambda _: [uuid7() for _ in range(500)], range(8)))

    assert all(sorted(lot) == lot for lot in lots)
    assert len({uuid for lot in lots for uuid in lot}) == 4000


def test_restart_takes_another_counter() -> None:
    """So a child and its parent don't count alike in the same millisecond."""
    starts = iter([b"\x00" * 10, b"\x00" * 5 + b"\x09" + b"\x00" * 4])
    generator = Uuid7Generator(clock=lambda: 0, random=lambda _: next(starts))
    before = generator()
    generator.restart()

    assert (before.int >> 32 & 0xF, generator().int >> 32 & 0xF) == (0, 9)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks in Windows")
def test_fork_restarts() -> None:
    """Without being asked."""
    program = """
import os
from shared.utils import _ids
_ids._generator._millisecond = 7
child = os.fork()
if not child:
    os._exit(_ids._generator._millisecond + 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), _ids._generator._millisecond)
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert result.stdout == "0 7\n"
