"""Webhooks delivered/s to an HTTPS receiver on this machine, which only counts.

PostgreSQL, RabbitMQ and workers as in production, each worker a process. Twice the same
deliveries, timed at the receiver from the first to the last:

- from the event on: events are committed to the outbox at once, and go through relay,
  broker, inbox, a second outbox and a second broker exchange to a row for each webhook,
  from which they are signed and sent;
- again: the same rows, replayed by the API while the workers run.

One endpoint is one user's webhook, twenty are those of twenty users, each at an address
of its own. The floor is httpx2 in one process, eight requests at once to one endpoint
(what it gets from one worker), with connections that are kept and with one for each
request; it signs nothing, stores nothing and checks no address.

CPU is that of the workers' processes. The receiver, the database and the broker share
the machine with them.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import httpx2

from benchmarks import _harness as harness
from benchmarks.api_platform import _events as events
from benchmarks.api_platform import _scene as scene
from benchmarks.api_platform._loopback import NO_CONTENT, Loopback
from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ

BASE: Final = "floor: httpx2, connections kept"
EACH: Final = "floor: httpx2, a connection each"
MANY: Final = 20
WARM: Final = 100
_AT_ONCE: Final = 8
FLOORS: Final = {BASE: _AT_ONCE, EACH: 0}

Row = tuple[int, int]  # workers, endpoints
ROWS: Final[dict[str, Row]] = {
    f"{_workers} worker{'s' * (_workers > 1)}, "
    f"{_endpoints} endpoint{'s' * (_endpoints > 1)}": (_workers, _endpoints)
    for _workers in (1, 2)
    for _endpoints in (1, MANY)
}
FROM_EVENT, AGAIN = ", from the event on", ", again"


class Cost(NamedTuple):
    """What some deliveries took."""

    rate: float
    """Deliveries a second, at the receiver."""
    cpu: float
    """Milliseconds of those who send, for one."""
    receiver: float
    """The same of the receiver."""


@dataclass(frozen=True)
class Stage:
    """What stays for the whole run."""

    folder: Path
    variables: dict[str, str]
    outbox: events.Outbox
    receiver: Loopback
    certificate: Path
    port: int
    """Of the server."""
    webhooks: Sequence[tuple[str, str]]
    """Tokens of their owners, and their ids."""


@contextmanager
def stage() -> Iterator[Stage]:
    """Servers, a receiver and the webhooks that lead to it."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        certificate = folder / "hooks.pem"
        hosts = [f"127.0.0.{1 + number}" for number in range(MANY)]
        scene.certify(certificate, hosts)
        postgresql = stack.enter_context(PrivatePostgreSQL())
        rabbitmq = stack.enter_context(PrivateRabbitMQ())
        receiver = stack.enter_context(
            Loopback({"POST": NO_CONTENT}, hosts=hosts, certificate=certificate)
        )
        variables = scene.settings(
            postgresql.url,
            RABBITMQ_URL=rabbitmq.url,
            WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
            WEBHOOK_CA_FILE=str(certificate),
        )
        scene.migrate(folder, variables)
        server = stack.enter_context(
            scene.running(folder, scene.SERVICE, "serve", variables=variables)
        )
        outbox = events.Outbox(postgresql.url)
        stack.callback(outbox.close)
        targets = [f"{url}/hooks" for url in receiver.urls]
        webhooks = outbox.learn(server, variables, targets)
        yield Stage(
            folder,
            variables,
            outbox,
            receiver,
            certificate,
            server.port,
            webhooks,
        )


def visit(stage: Stage, row: Row, count: int) -> tuple[Cost, Cost]:
    """*count* deliveries from the event on, and again."""
    workers, endpoints = row
    with scene.workers(stage.folder, workers, stage.variables) as pids:
        _deliver(stage, WARM, endpoints)
        since = datetime.now(UTC)
        began = _cpu(stage, pids)
        _deliver(stage, count, endpoints)
        first = _cost(stage, pids, began, count)

        stage.receiver.forget()
        began = _cpu(stage, pids)
        for token, webhook in stage.webhooks[:endpoints]:
            _replay(stage.port, token, webhook, since)
        _wait(stage, count, WARM + count)
        again = _cost(stage, pids, began, count)
    stage.outbox.rest()
    return first, again


def _deliver(stage: Stage, count: int, endpoints: int) -> None:
    """Have so many events, and see them delivered."""
    stage.receiver.forget()
    before = sum(stage.outbox.states().values())
    stage.outbox.fill(events.CREATED, count, owners=endpoints)
    _wait(stage, count, before + count)


def _wait(stage: Stage, count: int, noted: int) -> None:
    """Until so many have come, and are noted; exits if more have come than should."""
    receiver, outbox = stage.receiver, stage.outbox
    scene.until(lambda: receiver.count >= count, f"{count} deliveries")
    delivered = {"delivered": noted}
    scene.until(lambda: outbox.states() == delivered, f"{noted} are noted")
    if receiver.count != count:
        raise SystemExit(f"{receiver.count} deliveries came instead of {count}.")


def _replay(port: int, token: str, webhook: str, since: datetime) -> None:
    """Make a webhook's deliveries again."""
    path = f"{events.WEBHOOKS}/{webhook}/replay"
    asked = {"since": since.isoformat()}
    while True:
        done = scene.expect(202, scene.ask(port, "POST", path, token, asked))
        if done["next_cursor"] is None:
            return
        asked["cursor"] = done["next_cursor"]


def _cpu(stage: Stage, pids: Sequence[int]) -> tuple[int, int]:
    """Nanoseconds of the workers and of the receiver."""
    return sum(map(harness.cpu_ns, pids)), harness.cpu_ns(stage.receiver.pid)


def _cost(
    stage: Stage, pids: Sequence[int], began: tuple[int, int], count: int
) -> Cost:
    ended = _cpu(stage, pids)
    mine, theirs = ((b - a) / count / 1e6 for a, b in zip(began, ended, strict=True))
    return Cost(count / stage.receiver.seconds, mine, theirs)


def floor(stage: Stage, count: int, *, kept: int) -> Cost:
    """The same number of requests to the receiver, with nothing around them.

    Args:
        stage: With the receiver.
        count: How many requests.
        kept: How many connections may be used again.
    """
    tls = ssl.create_default_context(cafile=str(stage.certificate))
    url, left = f"{stage.receiver.urls[0]}/hooks", iter(range(count))
    limits = httpx2.Limits(max_keepalive_connections=kept)

    async def send(client: httpx2.AsyncClient) -> None:
        for _ in left:
            reply = await client.post(url, content=b"x" * 500)
            reply.raise_for_status()

    async def run() -> None:
        async with httpx2.AsyncClient(verify=tls, limits=limits) as client:
            await asyncio.gather(*(send(client) for _ in range(_AT_ONCE)))

    stage.receiver.forget()
    cpu, theirs = time.process_time_ns(), harness.cpu_ns(stage.receiver.pid)
    asyncio.run(run())
    return Cost(
        count / stage.receiver.seconds,
        (time.process_time_ns() - cpu) / count / 1e6,
        (harness.cpu_ns(stage.receiver.pid) - theirs) / count / 1e6,
    )


def measured(
    rounds: int, count: int, rows: Sequence[str] = tuple(ROWS)
) -> dict[str, list[Cost]]:
    """What the floor and *rows*, of `ROWS`, cost in every round."""
    names = [*FLOORS, *(row + how for row in rows for how in (FROM_EVENT, AGAIN))]
    found: dict[str, list[Cost]] = {name: [] for name in names}
    order: list[str] = [*FLOORS, *rows]
    shuffle = random.Random(1).shuffle
    with stage() as made:
        floor(made, WARM, kept=_AT_ONCE)
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                if name in FLOORS:
                    found[name].append(floor(made, count, kept=FLOORS[name]))
                    continue
                first, again = visit(made, ROWS[name], count)
                found[name + FROM_EVENT].append(first)
                found[name + AGAIN].append(again)
    return found


def column(found: dict[str, list[Cost]], what: str) -> harness.Samples:
    """One figure of each."""
    return {name: [getattr(c, what) for c in costs] for name, costs in found.items()}


def main() -> None:
    """Measure and print the table."""
    options = harness.parse(__doc__ or "", rounds=3)
    found = measured(options.rounds, count=1000)
    body = harness.table(
        column(found, "rate"),
        BASE,
        unit="deliveries/s",
        more={
            "CPU ms a delivery": harness.medians(column(found, "cpu")),
            "of the receiver": harness.medians(column(found, "receiver")),
        },
    )
    versions = ("httpx2", "sqlalchemy", "asyncpg", "aiormq", "cryptography")
    harness.report("API Platform, webhooks", body, *versions)
    saved = {what: column(found, what) for what in Cost._fields}
    harness.save(options.json, saved)


if __name__ == "__main__":
    main()
