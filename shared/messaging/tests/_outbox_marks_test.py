from __future__ import annotations

import random
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging._message import OutgoingMessage
from shared.messaging._outbox_marks import Marks, Start
from shared.messaging._outbox_rows import Row

MESSAGE = OutgoingMessage(uuid4(), "piece.moved", b"{}")
NOBODY: frozenset[str] = frozenset()


def row(position: int, partition: int = 0) -> Row:
    """A row at that position."""
    return Row(position, partition, MESSAGE)


def watch(marks: Marks, *writing: str) -> None:
    """Note that these transactions write."""
    marks.watched(frozenset(writing), began=0.0, ended=0.0)


def mark(marks: Marks, partition: int = 0) -> int:
    """Where a look begins."""
    return marks.after(Start.MARK, partition)


def test_the_mark_waits_for_those_who_were_writing() -> None:
    """Any of them may have a lower position, whose row is not to be seen yet."""
    marks = Marks(every=1.0, now=0.0)
    marks.published([row(5), row(9), row(7, 3)])
    watch(marks, "slow", "quick")
    marks.published([row(10)])
    watch(marks, "slow", "next")
    marks.published([row(11)])
    before = mark(marks)
    watch(marks, "next")
    marks.published([row(12)])

    assert (before, mark(marks), mark(marks, 3)) == (0, 9, 0)


def test_the_mark_is_not_beyond_what_was_published_since() -> None:
    """What became visible meanwhile must be published first."""
    marks = Marks(every=1.0, now=0.0)
    marks.published([row(9)])
    watch(marks)
    watch(marks)
    before = mark(marks)
    marks.published([row(4)])

    assert (before, mark(marks)) == (0, 4)


def test_it_looks_from_the_start_now_and_then() -> None:
    """And rarely, where that is slow: dead rows are kept by whoever still sees them."""
    marks = Marks(every=1.0, now=0.0)
    early, due = marks.start(0.9), marks.start(1.0)
    marks.looked(Start.FIRST, [], began=1.0, ended=2.0)

    assert (early, due) == (Start.MARK, Start.FIRST)
    assert (marks.start(21.9), marks.start(22.0)) == (Start.MARK, Start.FIRST)
    assert marks.after(Start.FIRST, 0) == 0


def test_what_is_behind_the_mark_is_read_to_its_end() -> None:
    """After a restored table, say, whose positions begin anew."""
    marks = Marks(every=1.0, now=0.0)
    marks.published([row(1000)])
    watch(marks)
    watch(marks)
    marks.published([row(1001)])

    marks.looked(Start.FIRST, [row(1), row(2)], began=1.0, ended=1.0)
    again = marks.start(1.01)
    marks.looked(Start.FIRST, [row(1002)], began=1.02, ended=1.02)

    assert (again, marks.start(1.03)) == (Start.FIRST, Start.MARK)


def test_it_asks_who_writes_while_that_may_help() -> None:
    """Not when nothing was published, and not all the time."""
    marks = Marks(every=1.0, now=0.0)
    idle = marks.watch_is_due(10.0)
    marks.published([row(1)])
    asked = marks.watch_is_due(0.04), marks.watch_is_due(0.06)
    marks.watched(NOBODY, began=1.0, ended=1.1)

    assert (idle, *asked) == (False, False, True)
    assert (marks.watch_is_due(3.0), marks.watch_is_due(3.2)) == (False, True)


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_no_row_is_ever_behind_the_mark(seed: int, batch: int) -> None:
    """Whatever writers, looks and questions do, in whichever order."""
    rng = random.Random(seed)  # noqa: S311 - a test
    marks = Marks(every=1e9, now=0.0)
    writing: dict[str, int] = {}
    visible: set[int] = set()
    published: list[int] = []
    taken = 0
    for step in range(120):
        match rng.randrange(4):
            case 0:
                taken += 1
                writing[f"t{step}"] = taken
            case 1 if writing:
                visible.add(writing.pop(rng.choice(list(writing))))
            case 2:
                marks.watched(frozenset(writing), began=0.0, ended=0.0)
            case 3:
                found = sorted(n for n in visible if n > mark(marks))[:batch]
                done = found[: rng.randint(0, len(found))]
                visible -= set(done)
                published += done
                marks.published([row(n) for n in done])

        assert not [n for n in (visible | {*writing.values()}) if n <= mark(marks)]
