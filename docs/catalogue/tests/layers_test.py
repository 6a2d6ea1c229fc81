"""Boxes in rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.catalogue.layers import crossings, keep_apart, place

ROWS = [["a", "b"], ["c", "d"], ["e", "f"]]
WIDTHS = dict.fromkeys("abcdef", 10.0)


def test_lines_that_need_not_cross_do_not() -> None:
    """Rows are ordered by what is above and below."""
    placed = place(
        ROWS, [("a", "d"), ("b", "c"), ("d", "f"), ("c", "e")], WIDTHS, gap=5
    )
    left = {name for name, x in placed.centre.items() if x < placed.width / 2}

    assert left in ({"a", "d", "f"}, {"b", "c", "e"})


def test_a_line_past_a_row_keeps_away_from_its_boxes() -> None:
    """It has a place of its own in the row, beside the boxes."""
    placed = place(ROWS, [("a", "c"), ("a", "e"), ("b", "d")], WIDTHS, gap=6)
    _, middle, _ = placed.lines["a", "e"]

    assert all(abs(placed.centre[box] - middle) >= 5 for box in "cd")


def test_a_line_up_is_refused() -> None:
    """Rows are floors, and nothing depends on a higher one."""
    with pytest.raises(ValueError, match="c -> a leads to no lower row"):
        place(ROWS, [("c", "a")], WIDTHS, gap=5)


def test_crossings_are_counted() -> None:
    """Two lines cross when their ends are in another order than their starts."""
    rows = [["a", "b"], ["c", "d"]]

    assert crossings(rows, [("a", "d"), ("b", "c")]) == 1
    assert crossings(rows, [("a", "c"), ("b", "d")]) == 0
    assert crossings(rows, [("a", "d"), ("b", "d")]) == 0


@given(
    edges=st.sets(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("cdef")).filter(
            lambda edge: "abcdef".index(edge[0]) // 2 < "abcdef".index(edge[1]) // 2
        )
    )
)
def test_boxes_never_overlap_and_nothing_stands_outside(
    edges: set[tuple[str, str]],
) -> None:
    """Whatever the lines, boxes of a row are the gap apart, inside of the width."""
    placed = place(ROWS, edges, WIDTHS, gap=5)

    for row in ROWS:
        for left, right in pairwise(sorted(placed.centre[name] for name in row)):
            assert right - left >= 10 + 5 - 1e-6
    xs = [x for line in placed.lines.values() for x in line]
    assert all(-1e-6 <= x <= placed.width + 1e-6 for x in xs)
    assert min(placed.centre.values()) - 5 >= -1e-6


@given(
    wanted=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6),
    apart=st.floats(0, 50),
)
def test_places_keep_their_order_and_distance(
    wanted: list[float], apart: float
) -> None:
    """Wherever they want to be."""
    found = keep_apart(wanted, [apart] * (len(wanted) - 1), [1.0] * len(wanted))

    assert all(b - a >= apart - 1e-6 for a, b in pairwise(found))


def test_what_is_apart_stays_where_it_wants_to_be() -> None:
    """Places move only as far as they must; a heavier one moves less."""
    assert keep_apart([0, 20], [10], [1, 1]) == [0, 20]
    assert keep_apart([5, 5], [10], [1, 1]) == [0, 10]
    assert keep_apart([5, 5], [10], [3, 1]) == [2.5, 12.5]
