"""The benchmarks of the API Platform, small: they check what they measure, too."""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.api_platform import outbox, reads, webhooks


def needs(*programs: str) -> None:
    """Skip where they are not installed; where CI is set the benchmark fails."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"No {', '.join(missing)} on this machine.")


def test_reads_have_a_figure_for_every_server() -> None:
    """Plain FastAPI and the service on both databases, each in every column."""
    needs("wrk", "taskset", "redis-server")
    columns = reads.measured(rounds=1, seconds=1)

    rows = [reads.BASE, reads.ASKS, reads.SQLITE, reads.SERVERS]
    assert [list(column) for column in columns] == [rows] * 3
    assert min(values[0] for column in columns for values in column.values()) > 0


def test_webhooks_are_delivered_from_the_event_on_and_again() -> None:
    """By two workers to twenty endpoints; as many as there should be, or it exits."""
    row = f"2 workers, {webhooks.MANY} endpoints"
    found = webhooks.measured(rounds=1, count=40, rows=[row])

    names = [*webhooks.FLOORS, row + webhooks.FROM_EVENT, row + webhooks.AGAIN]
    assert list(found) == names
    assert min(figure for [cost] in found.values() for figure in cost) > 0


def test_the_outbox_is_drained_by_relay_and_worker() -> None:
    """All events are in the queue that is bound for them, or it exits."""
    consuming = "1 worker, which consumes them too"
    found = outbox.measured(rounds=1, count=300, rows=[outbox.BASE, consuming])

    assert list(found) == [outbox.BASE, consuming]
    assert min(drained.rate for [drained] in found.values()) > 0
    assert min(drained.held for [drained] in found.values()) > 0
