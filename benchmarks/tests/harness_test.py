from __future__ import annotations

from benchmarks import _harness as harness

SAMPLES = {"base": [1.0, 2.0, 4.0], "row": [2.0, 2.0, 4.0]}


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which the machine was slow compares with itself only."""
    assert harness.ratios(SAMPLES, "base")["row"] == [2.0, 1.0, 1.0]


def test_a_missed_goal_is_reported_as_missed() -> None:
    """The table must not hide it."""
    text = harness.table(SAMPLES, "base", unit="µs", goals=[harness.Goal("row", 0.9)])

    assert "≤ 0.9: **missed**" in text
    assert text.count("goal") == 1


def test_every_row_is_measured_in_every_round() -> None:
    """One sample a round and row, whatever the order."""
    calls = {"a": 0, "b": 0}

    def count(name: str) -> harness.Loop:
        def loop(times: int) -> None:
            calls[name] += times

        return loop

    samples = harness.measure(
        {name: count(name) for name in calls}, 3, slice_ms=0.01, warm=5
    )

    assert {name: len(values) for name, values in samples.items()} == {"a": 3, "b": 3}
    assert all(calls.values())
