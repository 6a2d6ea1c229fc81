"""The service's outbox drained into RabbitMQ by its workers: rows/s, CPU, memory.

100,000 events are committed at once, while the workers wait for some. Twice: events
that nobody consumes (`webhook.registered`), and events that webhooks may hear
(`api_key.created`), which the workers consume meanwhile as well: each is noted in the
inbox, and its owner looked up, who has no webhook.

The time is from the commit to the empty table, and all events must be in a queue then
that is bound for that. The baseline is the kernel's relay alone in a process, beside
which a worker has the service. Memory is what the workers' processes grew by, at the
most. PostgreSQL and RabbitMQ share the machine with them.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import _harness as harness
from benchmarks.api_platform import _events as events
from benchmarks.api_platform import _queues as queues
from benchmarks.api_platform import _scene as scene
from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ

BASE: Final = "the relay alone"
RELAY: Final = "benchmarks.api_platform._relay"
ROWS: Final[dict[str, tuple[int, str]]] = {
    BASE: (0, events.REGISTERED),
    "1 worker": (1, events.REGISTERED),
    "2 workers": (2, events.REGISTERED),
    "1 worker, which consumes them too": (1, events.CREATED),
    "2 workers, which consume them too": (2, events.CREATED),
}
WARM: Final = 500
_LOOK: Final = 0.05


class Drained(NamedTuple):
    """What it took."""

    rate: float
    """Rows a second."""
    cpu: float
    """Microseconds of those who drain, for a row."""
    held: float
    """MiB of the largest of them, at the most."""
    grown: float
    """MiB by which it grew over what it had before."""


@dataclass(frozen=True)
class Stage:
    """What stays for the whole run."""

    folder: Path
    variables: dict[str, str]
    outbox: events.Outbox
    rabbitmq: str


@contextmanager
def stage() -> Iterator[Stage]:
    """Servers, and events to copy."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        postgresql = stack.enter_context(PrivatePostgreSQL())
        rabbitmq = stack.enter_context(PrivateRabbitMQ())
        variables = scene.settings(
            postgresql.url,
            RABBITMQ_URL=rabbitmq.url,
            WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        )
        scene.migrate(folder, variables)
        outbox = events.Outbox(postgresql.url)
        stack.callback(outbox.close)
        target = "https://127.0.0.1:1/hooks"
        with scene.running(
            folder, scene.SERVICE, "serve", variables=variables
        ) as server:
            [(token, webhook)] = outbox.learn(server, variables, [target])
            path = f"{events.WEBHOOKS}/{webhook}"
            scene.expect(204, scene.ask(server.port, "DELETE", path, token))
        # They declare what there is on the broker.
        with scene.workers(folder, 1, variables):
            queues.count_events(rabbitmq.url, [events.REGISTERED, events.CREATED])
        yield Stage(folder, variables, outbox, rabbitmq.url)


@contextmanager
def draining(stage: Stage, number: int) -> Iterator[list[int]]:
    """So many workers; the relay alone if there is none."""
    if number:
        with scene.workers(stage.folder, number, stage.variables) as pids:
            yield pids
        return
    urls = (stage.variables["DATABASE_URL"], stage.rabbitmq)
    with scene.running(stage.folder, RELAY, *urls) as program:
        yield [program.pid]


def visit(stage: Stage, row: tuple[int, str], count: int) -> Drained:
    """Drain *count* rows."""
    number, event_type = row
    with draining(stage, number) as pids:
        stage.outbox.fill(event_type, WARM)
        scene.until(lambda: stage.outbox.empty, "the outbox is empty")
        _expect(stage, WARM)
        before = {pid: harness.resident(pid) for pid in pids}
        most = dict(before)
        cpu = sum(map(harness.cpu_ns, pids))
        stage.outbox.fill(event_type, count)
        began = time.perf_counter()
        while not stage.outbox.empty:
            if time.perf_counter() > began + scene.LIMIT:
                raise SystemExit(f"{count} rows are not drained.")
            most = {pid: max(most[pid], harness.resident(pid)) for pid in pids}
            time.sleep(_LOOK)
        seconds = time.perf_counter() - began
        spent = sum(map(harness.cpu_ns, pids)) - cpu
        _expect(stage, count)
    queues.purge(stage.rabbitmq, queues.OF_WORKERS)
    stage.outbox.rest()
    return Drained(
        count / seconds,
        spent / count / 1000,
        max(most.values()),
        max(most[pid] - before[pid] for pid in pids),
    )


def _expect(stage: Stage, count: int) -> None:
    there = queues.purge(stage.rabbitmq, queues.COUNTING)
    if there != count:
        raise SystemExit(f"{there} of {count} events were published.")


def measured(
    rounds: int, count: int, rows: Sequence[str] = tuple(ROWS)
) -> dict[str, list[Drained]]:
    """What *rows*, of `ROWS`, cost in every round."""
    found: dict[str, list[Drained]] = {name: [] for name in rows}
    order = list(rows)
    shuffle = random.Random(1).shuffle
    with stage() as made:
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                found[name].append(visit(made, ROWS[name], count))
    return found


def column(found: dict[str, list[Drained]], what: str) -> harness.Samples:
    """One figure of each."""
    return {name: [getattr(d, what) for d in rows] for name, rows in found.items()}


def main() -> None:
    """Measure and print the table."""
    count = 100_000
    options = harness.parse(__doc__ or "", rounds=3)
    found = measured(options.rounds, count)
    body = harness.table(
        column(found, "rate"),
        BASE,
        unit="rows/s",
        more={
            "CPU µs a row": harness.medians(column(found, "cpu")),
            "MiB of a process": harness.medians(column(found, "held")),
            "MiB grown": harness.medians(column(found, "grown")),
        },
    )
    versions = ("sqlalchemy", "asyncpg", "aiormq")
    harness.report(f"API Platform, {count:,} outbox rows", body, *versions)
    saved = {what: column(found, what) for what in Drained._fields}
    harness.save(options.json, saved)


if __name__ == "__main__":
    main()
