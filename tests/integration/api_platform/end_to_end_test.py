"""From key to verified webhook, through server, worker, database, broker and Redis."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ
from shared.testing.servers import redis_url
from tests.integration.api_platform._scene import (
    AWAY,
    Reply,
    Service,
    dead_letters,
    running,
    until,
)

CREATED = "api_key.created"
COMPLETED = "generation.completed"
PROMPT = {"prompt": "A poster", "format": "instagram-post"}
ROUNDS = (
    "worker",
    "server",
    "PostgreSQL",
    "RabbitMQ",
    "PostgreSQL and worker",
    "RabbitMQ and server",
    "worker and server and PostgreSQL and RabbitMQ",
)
SECONDS = 1.0
"""Under load, between two kills."""

Report = Callable[..., None]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Print figures, also of a test that passes."""

    def tell(**figures: object) -> None:
        with capsys.disabled():
            print("\n  " + ", ".join(f"{k} {v}" for k, v in figures.items()))  # noqa: T201

    return tell


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PrivatePostgreSQL]:
    """A PostgreSQL to kill."""
    with PrivatePostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[PrivateRabbitMQ]:
    """A RabbitMQ to kill."""
    with PrivateRabbitMQ() as server:
        yield server


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql: PrivatePostgreSQL,
    rabbitmq: PrivateRabbitMQ,
) -> Iterator[Service]:
    """All of it, on servers of its own."""
    folder = tmp_path_factory.mktemp("api-platform")
    with running(folder, postgresql.url, rabbitmq.url, redis_url()) as found:
        # See server_processes: a queue that is new does not survive a kill.
        rabbitmq.stop()
        rabbitmq.start()
        yield found


def test_from_key_to_webhook_to_revoked(service: Service) -> None:
    """Key, generation, webhook, replay with the same id, revoked, 401."""
    webhook = service.register(COMPLETED)
    key = service.ask("POST", "/keys", {"name": "Shop"}, expect=201)
    secret = key["secret"]
    job = service.ask("POST", "/generations", PROMPT, bearer=secret, expect=202)

    [(first, body)] = until(lambda: service.receiver.of(COMPLETED))
    assert body["data"]["generation_id"] == job["job_id"]
    path = f"/generations/{job['job_id']}"
    assert service.ask("GET", path, bearer=secret)["status"] == "Completed"

    path = f"/webhooks/{webhook['id']}/deliveries"
    until(
        lambda: (
            [each["state"] for each in service.ask("GET", path)["items"]]
            == ["delivered"]
        )
    )
    [delivery] = service.ask("GET", path)["items"]
    assert delivery["event_id"] == first
    service.ask("POST", f"{path}/{delivery['id']}/replay", expect=202)
    until(lambda: len(service.receiver.of(COMPLETED)) == 2)
    assert service.receiver.of(COMPLETED)[1] == (first, body)

    service.ask("DELETE", f"/keys/{key['id']}")
    service.ask("POST", "/generations", PROMPT, bearer=secret, expect=401)
    assert service.receiver.refused == []
    service.ask("DELETE", f"/webhooks/{webhook['id']}", expect=204)


@dataclass
class Load:
    """Requests, one after the other in each thread, and what came of them.

    Attributes:
        made: The keys that were answered for.
        answers: How often there was which status; 0 is a broken connection.
        wrong: Answers that nobody may get, whoever is away.
    """

    service: Service
    made: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[Reply] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        key = self.service.ask("POST", "/keys", {"name": "Load"}, expect=201)
        path = f"/webhooks/{self.service.register(CREATED)['id']}/deliveries"
        works: list[Callable[[int], Reply]] = [
            self._makes_keys(),
            self._makes_keys(),
            self._makes_keys(),
            lambda _: self.service.send("GET", path),
            lambda _: self.service.send(
                "POST", "/generations", PROMPT, bearer=key["secret"]
            ),
        ]
        self._threads = [
            threading.Thread(target=self._repeat, args=[work]) for work in works
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def go_on(self) -> None:
        """Wait until 20 more keys are there."""
        before = len(self.made)
        until(lambda: len(self.made) > before + 20)

    def _makes_keys(self) -> Callable[[int], Reply]:
        good: list[str] = []

        def make(number: int) -> Reply:
            while good:  # a user may have some only
                reply = self.service.send("DELETE", f"/keys/{good[-1]}")
                if reply.status != 200:
                    return reply
                good.pop()
            reply = self.service.send("POST", "/keys", {"name": f"Key {number}"})
            if reply.status == 201:
                good.append(reply.body["id"])
                self.made.append(reply.body["id"])
            return reply

        return make

    def _repeat(self, work: Callable[[int], Reply]) -> None:
        for number in count():
            if self._stopping.is_set():
                return
            try:
                reply = work(number)
            except AWAY:  # nothing was promised
                self.answers[0] += 1
                time.sleep(0.05)
                continue
            self.answers[reply.status] += 1
            if reply.status >= 400:
                time.sleep(0.05)
                if reply.status != 503 or not reply.is_problem:
                    self.wrong.append(reply)


def test_nothing_is_lost_when_anything_is_killed(
    service: Service,
    postgresql: PrivatePostgreSQL,
    rabbitmq: PrivateRabbitMQ,
    report: Report,
) -> None:
    """Each key that was answered for is told of, by its id, however often was killed.

    Server, worker, database and broker end by SIGKILL under load. Whoever asks
    meanwhile is told to come again, by a 503, or finds nobody.
    """
    began = time.monotonic()
    victims: dict[str, Any] = {
        # In the order in which they come back: the processes find no broker.
        "PostgreSQL": postgresql,
        "worker": service.worker,
        "server": service.server,
        "RabbitMQ": rabbitmq,
    }
    kills: Counter[str] = Counter()
    with Load(service) as load:
        for names in ROUNDS:
            load.go_on()
            time.sleep(SECONDS)
            chosen = {name: victims[name] for name in names.split(" and ")}
            for victim in chosen.values():
                victim.kill()
            for name, victim in victims.items():
                if name in chosen:
                    victim.start()
            kills.update(list(chosen))
        load.go_on()
    loaded = time.monotonic()

    def told() -> Counter[str]:
        got = service.receiver.of(CREATED)
        return Counter(body["data"]["api_key_id"] for _, body in got)

    until(lambda: set(load.made) <= told().keys())
    [webhook] = service.ask("GET", "/webhooks")["items"]
    path = f"/webhooks/{webhook['id']}/deliveries?state="
    until(lambda: service.ask("GET", path + "pending")["items"] == [])
    got = service.receiver.of(CREATED)
    report(
        seconds=round(time.monotonic() - began),
        behind=round(time.monotonic() - loaded, 1),
        keys=len(load.made),
        told=len(told()),
        webhooks_received_again=len(got) - len(told()),
        **{f"answered_{status}": n for status, n in sorted(load.answers.items())},
        **{f"killed_{name}": n for name, n in kills.items()},
    )
    assert load.wrong == []
    assert load.answers[503] > 0
    assert len({webhook_id for webhook_id, _ in got}) == len(told())  # the same id
    assert service.receiver.refused == []
    assert service.ask("GET", path + "failed")["items"] == []
    assert webhook["is_active"]
    assert dead_letters(rabbitmq.url) == {}
