from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging._message import OutgoingMessage
from shared.messaging._outbox_marks import Marks, Start
from shared.messaging._outbox_rows import Row
from shared.messaging._outbox_table import PARTITIONS

MESSAGE = OutgoingMessage(uuid4(), "piece.moved", b"{}")


def row(position: int, partition: int = 0) -> Row:
    """A row at that position."""
    return Row(position, partition, MESSAGE)


def test_a_look_begins_behind_what_was_published() -> None:
    """So deleted rows cost nothing."""
    marks = Marks(every=1.0, now=0.0)

    marks.published([row(5), row(9), row(7, 3)], 0.0)

    assert marks.start(0.0) is Start.NEWEST
    assert [marks.after(Start.NEWEST, part) for part in (0, 3, 4)] == [9, 7, 0]
    assert marks.after(Start.FIRST, 0) == 0


def test_where_there_is_nothing_it_looks_further_back() -> None:
    """At once where it is cheap, from the start when that is due."""
    marks = Marks(every=1.0, now=0.0)

    assert marks.further_back(Start.NEWEST, 0.5) is Start.RECENT
    assert marks.further_back(Start.RECENT, 0.5) is None
    assert marks.further_back(Start.RECENT, 1.0) is Start.FIRST
    assert marks.further_back(Start.FIRST, 1.0) is None


def test_under_load_it_looks_back_too() -> None:
    """A row that is late does not wait until there is nothing else."""
    marks = Marks(every=1.0, now=0.0)

    assert marks.start(0.06) is Start.RECENT
    marks.looked(Start.RECENT, [], began=0.06, ended=0.06)
    assert marks.start(0.07) is Start.NEWEST
    assert marks.start(1.0) is Start.FIRST


def test_looking_back_takes_a_small_share_of_the_time() -> None:
    """Where it is slow, it is rare: dead rows are kept by whoever still sees them."""
    marks = Marks(every=1.0, now=0.0)

    marks.looked(Start.FIRST, [], began=1.0, ended=2.0)

    assert marks.start(21.9) is not Start.FIRST
    assert marks.start(22.0) is Start.FIRST


def test_what_is_late_is_read_to_its_end() -> None:
    """After a restored table, say, whose positions begin anew."""
    marks = Marks(every=1.0, now=0.0)
    marks.published([row(1000)], 0.0)

    marks.looked(Start.FIRST, [row(1), row(2)], began=1.0, ended=1.0)
    again = marks.start(1.01)
    marks.looked(Start.FIRST, [row(1001)], began=1.02, ended=1.02)

    assert again is Start.FIRST
    assert marks.start(1.03) is Start.NEWEST


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.lists(
                st.tuples(st.integers(1, 10**6), st.integers(0, PARTITIONS - 1)),
                max_size=5,
            ),
        ),
        max_size=30,
    )
)
def test_marks_only_grow_and_the_recent_is_behind(
    batches: list[tuple[float, list[tuple[int, int]]]],
) -> None:
    """What was published in the last two seconds is looked at again."""
    marks = Marks(every=1.0, now=0.0)
    now = 0.0
    history: list[tuple[float, list[int]]] = [(0.0, [0] * PARTITIONS)]
    for pause, batch in batches:
        now += pause
        marks.published([row(*one) for one in batch], now)
        newest = [marks.after(Start.NEWEST, part) for part in range(PARTITIONS)]
        recent = [marks.after(Start.RECENT, part) for part in range(PARTITIONS)]
        before = [marks for at, marks in history if at <= now - 2.0] or [
            [0] * PARTITIONS
        ]

        assert all(a >= b for a, b in zip(newest, history[-1][1], strict=True))
        assert all(a <= b for a, b in zip(recent, before[-1], strict=True))
        history.append((now, newest))
