"""Events in a service: from a request's transaction to a handler's."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.testclient import TestClient

from shared.app import Service
from shared.app.database import add_database
from shared.app.messaging import (
    add_event_bus,
    add_inbox,
    add_outbox,
    event_buses,
    event_observer,
)
from shared.config import ConfigurationError, DatabaseConfig, RabbitMQConfig
from shared.database import Database
from shared.events import (
    PLATFORM_EVENTS,
    BaseEvent,
    UserDeletedEvent,
    UserDeletedPayload,
    UserRegisteredEvent,
    UserRegisteredPayload,
)
from shared.messaging import FailurePolicy, InMemoryBus, Observation, Outcome
from shared.messaging.inbox import Inbox, idempotent, inbox_table
from shared.messaging.outbox import Outbox, outbox_table
from shared.testing import captured_logs

Make = Callable[..., Service]

METADATA = MetaData()
OUTBOX = outbox_table(METADATA)
OTHER_OUTBOX = outbox_table(METADATA, name="other_outbox")
INBOX = inbox_table(METADATA)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database in a file, with the tables."""
    config = DatabaseConfig(url=f"sqlite:///{tmp_path}/x.db")
    database = Database(config, service_name="my-service")
    METADATA.create_all(database.sync_engine)
    yield database
    database.dispose_sync()


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the outbox and the broker every moment."""
    monkeypatch.setattr("shared.app.messaging._SAMPLE", 0.02)


def registered() -> UserRegisteredEvent:
    """An event of somebody new."""
    payload = UserRegisteredPayload(
        user_id=uuid4(), email="ada@example.com", verification_token="s3cret"
    )
    return UserRegisteredEvent(payload=payload)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for another thread; a minute at most."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)


def value(service: Service, name: str, **labels: str) -> float | None:
    """A value of the metrics."""
    return service.metrics.registry.get_sample_value(name, labels)


def registering(service: Service, database: Database) -> Outbox:
    """Let POST / add an event to the outbox."""
    outbox = Outbox(OUTBOX)

    @service.app.post("/")
    async def register() -> UUID:
        event = registered()
        async with database.session() as session:
            outbox.add(session, event)
        return event.event_id

    return outbox


def test_an_event_goes_from_a_request_to_a_handler(
    make: Make, database: Database
) -> None:
    """Through outbox, bus and inbox, with the request's correlation id, counted."""
    service = make()
    add_database(service, database)
    bus = add_event_bus(service)
    add_outbox(service, registering(service, database), database=database, bus=bus)
    inbox = Inbox(INBOX, database)
    add_inbox(service, inbox)
    handled: list[BaseEvent[Any]] = []

    @idempotent(inbox)
    async def welcome(event: UserRegisteredEvent, session: AsyncSession) -> None:
        handled.append(event)

    bus.subscribe(UserRegisteredEvent, welcome)
    with TestClient(service.app) as client:
        reply = client.post("/", headers={"X-Correlation-ID": "trace-me"})
        wait_until(lambda: len(handled) == 1)
        wait_until(
            lambda: value(service, "outbox_pending_rows", outbox="outbox") == 0.0
        )
        health = client.get("/health").json()

    assert (str(handled[0].event_id), handled[0].correlation_id) == (
        reply.json(),
        "trace-me",
    )
    assert health["status"] == "pass"
    counted = {"event_type": "user.registered", "consumer": "my-service.welcome"}
    assert value(service, "messaging_messages_total", outcome="handled", **counted) == 1
    seconds = "messaging_handler_duration_seconds_count"
    assert value(service, seconds, consumer="my-service.welcome") == 1


def test_a_service_whose_broker_is_away_takes_requests(
    make: Make, database: Database, closed_port: int
) -> None:
    """It is ready and says so with a warning; its events wait, and are counted."""
    url = f"amqp://guest:hunter2@127.0.0.1:{closed_port}/"
    service = make(config={"rabbitmq": RabbitMQConfig(url=url)})
    bus = add_event_bus(service)
    outbox = registering(service, database)
    add_outbox(service, outbox, database=database, bus=bus, max_lag=0.001)

    with captured_logs() as logs, TestClient(service.app) as client:
        statuses = [client.post("/").status_code for _ in range(3)]
        wait_until(
            lambda: value(service, "outbox_pending_rows", outbox="outbox") == 3.0
        )
        wait_until(lambda: client.get("/health").json()["status"] == "warn")
        ready = client.get("/health/ready")
        checks = client.get("/health").json()["checks"]

    assert statuses == [200, 200, 200]
    assert "did not close" not in str(logs)
    assert ready.status_code == 200
    assert checks["events:responseTime"][0]["output"] == "service_unavailable"
    assert "events wait for" in checks["outbox:responseTime"][0]["output"]
    assert "hunter2" not in str(logs)


def test_an_outbox_may_be_relayed_by_another_process(
    make: Make, database: Database
) -> None:
    """Without a bus nothing is published, and the lag is watched all the same."""
    service = make()
    outbox = registering(service, database)
    relay = add_outbox(service, outbox, database=database, bus=None)

    with TestClient(service.app) as client:
        client.post("/")
        wait_until(
            lambda: value(service, "outbox_pending_rows", outbox="outbox") == 1.0
        )

    assert relay is None


def test_a_handler_finishes_before_the_service_stops(
    make: Make, database: Database
) -> None:
    """The stop waits for it, longer than for what all resources share."""
    service = make(server={"shutdown_timeout": 30.0})
    bus = add_event_bus(service)
    begun: list[bool] = []
    ended: list[bool] = []

    async def slow(event: UserRegisteredEvent) -> None:
        begun.append(True)
        await asyncio.sleep(0.3)
        ended.append(True)

    bus.subscribe(UserRegisteredEvent, slow)

    @service.app.post("/")
    async def publish() -> None:
        await bus.publish(registered())

    with TestClient(service.app) as client:
        client.post("/")
        wait_until(lambda: bool(begun))

    assert ended == [True]


def test_what_nobody_wants_is_shown(make: Make) -> None:
    """An event without a subscription is kept, and counted for an alert."""
    service = make()
    bus = add_event_bus(service)

    @service.app.post("/")
    async def publish() -> None:
        await bus.publish(registered())

    with TestClient(service.app) as client:
        client.post("/")
        unrouted = "messaging_unrouted_messages"
        wait_until(lambda: value(service, unrouted, bus="events") == 1.0)


def test_what_waits_in_one_outbox_is_not_shown_as_the_others(
    make: Make, database: Database
) -> None:
    """A service may have two, and the one that lags must not hide behind the other."""
    service = make()
    outbox = registering(service, database)
    add_outbox(service, outbox, database=database, bus=None)
    other = Outbox(OTHER_OUTBOX)
    add_outbox(service, other, database=database, bus=None, name="other")

    def waiting(outbox: str) -> float | None:
        return value(service, "outbox_pending_rows", outbox=outbox)

    with TestClient(service.app) as client:
        client.post("/")
        wait_until(lambda: (waiting("outbox"), waiting("other")) == (1.0, 0.0))
        wait_until(lambda: value(service, "outbox_lag_seconds", outbox="outbox") != 0.0)

    assert waiting("other") == value(service, "outbox_lag_seconds", outbox="other") == 0


def test_what_nobody_wants_of_one_bus_is_not_shown_as_the_others(make: Make) -> None:
    """Each bus has its name in the metrics, as in health."""
    service = make()
    bus = add_event_bus(service)
    other = add_event_bus(service, InMemoryBus("my-service"), name="other")

    async def fails(event: UserRegisteredEvent) -> None:
        raise RuntimeError("no")

    other.subscribe(
        UserRegisteredEvent,
        fails,
        policy=FailurePolicy(immediate_retries=0, delays=()),
    )

    @service.app.post("/")
    async def publish() -> None:
        await bus.publish(registered())
        await other.publish(registered())

    def counts() -> list[float | None]:
        unrouted = "messaging_unrouted_messages"
        dead, labels = "messaging_dead_letters", {"consumer": "my-service.fails"}
        return [
            value(service, unrouted, bus="events"),
            value(service, unrouted, bus="other"),
            value(service, dead, bus="other", **labels),
        ]

    with captured_logs(), TestClient(service.app) as client:
        client.post("/")
        wait_until(lambda: counts() == [1.0, 0.0, 1.0])


def test_a_retry_and_a_dead_letter_are_counted(make: Make) -> None:
    """Each outcome under its name."""
    service = make()
    bus = add_event_bus(service)

    async def fails(event: UserRegisteredEvent) -> None:
        raise RuntimeError("no")

    policy = FailurePolicy(immediate_retries=0, delays=(0.001,))
    bus.subscribe(UserRegisteredEvent, fails, policy=policy)

    @service.app.post("/")
    async def publish() -> None:
        await bus.publish(registered())

    def count(outcome: Outcome) -> float | None:
        return value(
            service,
            "messaging_messages_total",
            outcome=outcome.value,
            event_type="user.registered",
            consumer="my-service.fails",
        )

    with captured_logs(), TestClient(service.app) as client:
        client.post("/")
        wait_until(lambda: count(Outcome.DEAD) == 1.0)
        dead, labels = "messaging_dead_letters", {"consumer": "my-service.fails"}
        wait_until(lambda: value(service, dead, bus="events", **labels) == 1.0)

    assert count(Outcome.RETRIED) == 1.0


def test_types_that_anybody_may_make_up_are_one_label(make: Make) -> None:
    """Else a foreign producer could fill the memory of the metrics."""
    service = make()
    observe = event_observer(service.metrics, PLATFORM_EVENTS)
    deleted = UserDeletedEvent(
        payload=UserDeletedPayload(user_id=uuid4(), requested_by="user")
    )

    for event_type in ("made.up", "made.up2", deleted.event_type):
        observe(Observation(Outcome.DEAD, event_type, "my-service.x"))

    labels = {"outcome": "dead", "consumer": "my-service.x"}
    name = "messaging_messages_total"
    assert value(service, name, event_type="other", **labels) == 2.0
    assert value(service, name, event_type="user.deleted", **labels) == 1.0


def test_production_wants_a_broker(make: Make) -> None:
    """Unless somebody says that the bus of the process is what he means."""
    service = make(config={"environment": "production"})

    with pytest.raises(ConfigurationError, match="RABBITMQ_URL: is not set, and"):
        add_event_bus(service)
    bus = InMemoryBus("my-service")
    assert add_event_bus(service, bus) is bus


def test_an_outbox_without_its_table_is_a_warning(make: Make, tmp_path: Path) -> None:
    """A service that was not migrated loses no request's event silently."""
    url = f"sqlite:///{tmp_path}/empty.db"
    database = Database(DatabaseConfig(url=url), service_name="my-service")
    service = make()
    outbox = registering(service, database)
    add_outbox(service, outbox, database=database, bus=None)

    def warned() -> bool:
        check = client.get("/health").json()["checks"]["outbox:responseTime"][0]
        return "is its table there?" in check.get("output", "")

    with captured_logs(), TestClient(service.app) as client:
        wait_until(warned)

    database.dispose_sync()


def test_events_without_a_broker_are_said_to_end_with_the_process(make: Make) -> None:
    """A service in production should not find out by losing them."""
    service = make()
    with captured_logs() as logs:
        add_event_bus(service)

    assert "RABBITMQ_URL is not set" in str(logs)


def test_a_service_knows_its_buses(make: Make) -> None:
    """Whoever documents it finds its subscriptions there."""
    service = make()
    assert event_buses(service) == ()
    first, second = InMemoryBus("my-service"), InMemoryBus("my-service")
    add_event_bus(service, first)
    add_event_bus(service, second, name="more events")

    assert event_buses(service) == (first, second)
    assert event_buses(make()) == ()
