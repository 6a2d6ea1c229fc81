"""From key to verified webhook, through server, worker, database, broker and Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from shared.testing.server_processes import PrivatePostgreSQL, PrivateRabbitMQ
from shared.testing.servers import redis_url
from tests.integration.api_platform._scene import AWAY, Service, running, until

CREATED = "api_key.created"
COMPLETED = "generation.completed"
PROMPT = {"prompt": "A poster", "format": "instagram-post"}
ROUNDS = ("worker", "server", "worker and server")
SECONDS = 3.0
"""Under load, between two kills."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All of it, on servers of its own."""
    redis = redis_url()
    folder = tmp_path_factory.mktemp("api-platform")
    with (
        PrivatePostgreSQL() as database,
        PrivateRabbitMQ() as broker,
        running(folder, database.url, broker.url, redis) as found,
    ):
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


def test_nothing_is_lost_when_processes_are_killed(service: Service) -> None:
    """Each key that was answered for is told of, by its id, however often was killed.

    Workers and servers end by SIGKILL while keys are made and webhooks sent.
    """
    webhook = service.register(CREATED)
    answered: list[str] = []
    stopping = threading.Event()

    def load() -> None:
        for number in count():
            if stopping.is_set():
                return
            try:
                body = {"name": f"Key {number}"}
                made = service.ask("POST", "/keys", body, expect=201)
            except AWAY:  # it was being killed: nothing was promised
                time.sleep(0.05)
            else:
                answered.append(made["id"])

    writers = [threading.Thread(target=load) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for victims in ROUNDS:
            until_more(answered)
            time.sleep(SECONDS)
            chosen = [getattr(service, name) for name in victims.split(" and ")]
            for process in chosen:
                process.kill()
            for process in chosen:
                process.start()
        until_more(answered)
    finally:
        stopping.set()
        for writer in writers:
            writer.join()

    def told() -> set[str]:
        got = service.receiver.of(CREATED)
        return {body["data"]["api_key_id"] for _, body in got}

    until(lambda: set(answered) <= told())
    path = f"/webhooks/{webhook['id']}/deliveries?state=pending"
    until(lambda: service.ask("GET", path)["items"] == [])
    ids = [webhook_id for webhook_id, _ in service.receiver.of(CREATED)]
    assert len(set(ids)) == len(told())  # what came again has its old id
    assert service.receiver.refused == []


def until_more(answered: list[str]) -> None:
    """Wait for 20 more answers."""
    before = len(answered)
    until(lambda: len(answered) > before + 20)
