"""Requests/s of an authenticated `GET /generations/{id}`, beside plain FastAPI.

Plain FastAPI answers the same body, under the same uvicorn with the same settings, with
no key, no quota and no log, once from its memory and once by asking the generation
service, as ours does. Ours does all that it does in production: the key is read from
the database and checked, then its scope, the read is counted, the owner of the job
looked up, the generation service asked with a token, a line logged and a metric
counted. The generation service is a process that answers at once.

One worker each on one core, wrk with 16 connections on the other, where the database,
Redis and the generation service have to be too. All servers are up at once and visited
in a new order each round. CPU is that of the server's process alone, from the
scheduler. The event loop is asyncio's and the parser h11, as in the service's image.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks import _harness as harness
from benchmarks import _load as load
from benchmarks.api_platform import _scene as scene
from benchmarks.api_platform._loopback import Loopback, with_json
from benchmarks.api_platform._plain import PATH, finished_job
from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ

BASE: Final = "plain FastAPI"
ASKS: Final = "plain FastAPI, asks the generation service"
SQLITE: Final = "service, SQLite"
SERVERS: Final = "service, PostgreSQL, Redis and RabbitMQ"

_PLAIN: Final = "benchmarks.api_platform._plain"
JOB: Final = finished_job()
URL_PATH: Final = f"{PATH}/{JOB['id']}"
ORDER: Final = {"prompt": "A poster", "format": "instagram-post"}


def key_with_job(server: scene.Program, variables: dict[str, str]) -> str:
    """A new API key, which has asked for the job."""
    token = scene.token_of(UUID(JOB["user_id"]), variables)
    made = scene.ask(server.port, "POST", "/api/v1/keys", token, {"name": "Load"})
    key: str = scene.expect(201, made)["secret"]
    scene.expect(202, scene.ask(server.port, "POST", PATH, key, ORDER))
    return key


@contextmanager
def service(
    folder: Path, variables: dict[str, str]
) -> Iterator[tuple[scene.Program, str]]:
    """The service with a database of its own, and a key of it."""
    scene.migrate(folder, variables)
    with scene.running(
        folder, scene.SERVICE, "serve", variables=variables, first_core=True
    ) as server:
        yield server, key_with_job(server, variables)


def check(name: str, server: scene.Program, key: str) -> None:
    """Exit unless the server does what its name says."""
    status, body = scene.ask(server.port, "GET", URL_PATH, key)
    refused, _ = scene.ask(server.port, "GET", URL_PATH)
    observed = {
        "status": status == 200,
        "body": body == JOB,
        "key": (refused == 401) == bool(key),
        "log": (PATH in server.log.read_text()) == bool(key),
    }
    if wrong := [what for what, fine in observed.items() if not fine]:
        raise SystemExit(f"{name}: {wrong} is wrong: {status} {body}")


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, tuple[scene.Program, str]]]:
    """All of them, each with the key that it needs, or none."""
    accepted = with_json("202 Accepted", {"job_id": JOB["id"], "status": "Pending"})
    replies = {"GET": with_json("200 OK", JOB), "POST": accepted}
    with ExitStack() as stack:
        enter = stack.enter_context
        redis = enter(scene.private_redis(folder))
        postgresql, rabbitmq = enter(PrivatePostgreSQL()), enter(PrivateRabbitMQ())
        generations = enter(Loopback(replies))
        url = {"AIGEN_ORCH_SERVICE_URL": generations.urls[0]}
        file = scene.settings(f"sqlite:///{folder}/benchmark.db", **url)
        real = scene.settings(
            postgresql.url, REDIS_URL=redis, RABBITMQ_URL=rabbitmq.url, **url
        )
        asking = (_PLAIN, generations.urls[0])
        yield {
            BASE: (enter(scene.running(folder, _PLAIN, first_core=True)), ""),
            ASKS: (enter(scene.running(folder, *asking, first_core=True)), ""),
            SQLITE: enter(service(folder, file)),
            SERVERS: enter(service(folder, real)),
        }


def measured(rounds: int, seconds: int) -> list[harness.Samples]:
    """CPU µs a request, requests/s, p99 in ms."""
    load.need_programs()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        found = stack.enter_context(servers(folder))
        for variant, (server, key) in found.items():
            check(variant, server, key)
        programs = {}
        for number, (variant, (_, key)) in enumerate(found.items()):
            own = folder / f"wrk-{number}"
            own.mkdir()
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            programs[variant] = load.program(own, "GET", headers)
        columns: list[harness.Samples] = [{one: [] for one in found} for _ in range(3)]
        order = list(found)
        shuffle = random.Random(1).shuffle
        for number in range(-1, rounds):
            shuffle(order)
            for variant in order:
                server = found[variant][0]
                values = load.visit(
                    server.pid, server.url + URL_PATH, programs[variant], seconds
                )
                if number < 0:  # the first round warms up
                    continue
                for column, value in zip(columns, values, strict=True):
                    column[variant].append(value)
    return columns


def main() -> None:
    """Measure every server and print the table."""
    options = harness.parse(__doc__ or "", rounds=8)
    cpu, rate, p99 = measured(options.rounds, seconds=2)
    body = harness.table(
        cpu,
        BASE,
        unit="server CPU µs a request",
        more={
            "requests/s": harness.medians(rate),
            "ratio of requests/s": harness.medians(harness.ratios(rate, BASE)),
            "p99 ms": harness.medians(p99),
        },
    )
    versions = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "asyncpg", "redis")
    harness.report("API Platform, reading a generation", body, *versions)
    harness.save(options.json, {"cpu": cpu, "rate": rate, "p99": p99})


if __name__ == "__main__":
    main()
