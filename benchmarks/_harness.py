"""Interleaved rounds, ratios taken round by round, medians, and a table with goals.

Costs are CPU time of this thread: a neighbour that takes the core is not charged. Rows
run in a new random order each round, so a machine that slows down slows all of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

Loop = Callable[[int], None]  # does the operation that many times
Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Goal:
    """The most that the ratio of a row to the baseline may be."""

    row: str
    ratio: float


def parse(doc: str, *, rounds: int) -> argparse.Namespace:
    """The options every topic has."""
    parser = argparse.ArgumentParser(description=doc.split("\n\n", maxsplit=1)[0])
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="default: %(default)s"
    )
    parser.add_argument("--json", type=Path, help="write the samples to this file too")
    return parser.parse_args()


def measure(
    rows: Mapping[str, Loop], rounds: int, *, slice_ms: float = 50.0, warm: int = 200
) -> Samples:
    """Return microseconds of CPU per operation, one sample a round."""
    repeat = {}
    for name, loop in rows.items():
        loop(warm)
        start = time.thread_time_ns()
        loop(warm)
        once = max(1.0, (time.thread_time_ns() - start) / warm)
        repeat[name] = max(20, int(slice_ms * 1e6 / once))
    samples: Samples = {name: [] for name in rows}
    order = list(rows)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            gc.collect()
            loop, count = rows[name], repeat[name]
            start = time.thread_time_ns()
            loop(count)
            samples[name].append((time.thread_time_ns() - start) / count / 1000)
    return samples


def ratios(samples: Samples, base: str) -> Samples:
    """Each sample over the baseline's of the same round."""
    return {
        name: [
            mine / theirs for mine, theirs in zip(values, samples[base], strict=True)
        ]
        for name, values in samples.items()
    }


def cpu_ns(pid: int) -> int:
    """Scheduler time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def resident(pid: int | str = "self") -> float:
    """MiB of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def medians(samples: Samples) -> dict[str, str]:
    """A column for a table."""
    return {name: short(statistics.median(v)) for name, v in samples.items()}


def table(
    samples: Samples,
    base: str,
    *,
    unit: str,
    goals: Sequence[Goal] = (),
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The Markdown table of a topic: median, ratio to *base*, goal and verdict."""
    columns = dict(more or {})
    wanted = {goal.row: goal.ratio for goal in goals}
    heads = ["", unit, f"ratio to {base}", *columns, *(["goal"] if goals else [])]
    lines = [
        "| " + " | ".join(heads) + " |",
        "| --- " + "| ---: " * (len(heads) - 1) + "|",
    ]
    for name, ratio in ratios(samples, base).items():
        middle = statistics.median(ratio)
        cells = [
            name,
            short(statistics.median(samples[name])),
            f"{middle:.2f} ({min(ratio):.2f} to {max(ratio):.2f})",
            *(column.get(name, "") for column in columns.values()),
            *([verdict(middle, wanted.get(name))] if goals else []),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdict(value: float, goal: float | None) -> str:
    """The goal and whether it was reached; nothing for a row without one."""
    if goal is None:
        return ""
    return f"≤ {goal:g}: {'met' if value <= goal else '**missed**'}"


def short(value: float) -> str:
    """Three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def report(title: str, body: str, *distributions: str) -> None:
    """Print a topic: heading, versions, table."""
    versions = [f"Python {sys.version.split()[0]}"]
    versions += [f"{name} {metadata.version(name)}" for name in distributions]
    print(f"## {title}\n\n{', '.join(versions)}\n\n{body}\n", flush=True)


def save(path: Path | None, samples: Mapping[str, Samples]) -> None:
    """Write the raw samples, if a file was named."""
    if path:
        path.write_text(json.dumps(samples, indent=1))
