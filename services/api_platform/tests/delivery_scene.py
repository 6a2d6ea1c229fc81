"""Deliveries in a database, workers, and targets that do as they are told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry
from sqlalchemy import insert, select, text, update

from services.api_platform.delivery import (
    Choice,
    DeliveryLoop,
    DeliveryMetrics,
    DeliveryOptions,
    RetryPolicy,
    Sender,
    Store,
    current_choice,
)
from services.api_platform.models import (
    METADATA,
    DeliveryState,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    outbox_events,
)
from services.api_platform.toggles import FeatureToggles
from shared.config import DatabaseConfig
from shared.crypto import AesKeyRing, generate_webhook_secret
from shared.database import Database, utc_now
from shared.database.encryption import use_encryption_keys
from shared.events import BaseEvent, parse_event
from shared.http_client import Reply
from shared.messaging.outbox import Outbox
from shared.testing import FakeClock
from shared.utils import uuid7

BODY = b'{"type":"generation.completed","data":{"n":1.50}}'
TARGET = "https://hooks.example.com/in"
EVEN = 0.5
"""What makes a pause neither longer nor shorter."""


def answer(status: int, **headers: str) -> Reply:
    """What a target says."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, b"")


@dataclass(frozen=True, slots=True)
class Request:
    """What a target got."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    at: datetime


Behaviour = Reply | Exception | Callable[[], Awaitable[Reply]]


@dataclass(slots=True)
class Targets:
    """All targets there are. Each says 204, unless `answers` has something for it.

    Attributes:
        requests: What came, in order.
        answers: By URL what it does next; the last of them it does from then on.
        most: How many requests there were at a time, at most, and to each.
    """

    now: Callable[[], datetime]
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, list[Behaviour]] = field(default_factory=dict)
    most: int = 0
    most_to: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _open: list[str] = field(default_factory=list)

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        """Take a request."""
        self.requests.append(Request(url, body, headers, self.now()))
        self._open.append(url)
        self.most = max(self.most, len(self._open))
        self.most_to[url] = max(self.most_to[url], self._open.count(url))
        try:
            await asyncio.sleep(0)
            planned = self.answers.get(url) or [answer(204)]
            told = planned.pop(0) if len(planned) > 1 else planned[0]
            if isinstance(told, Exception):
                raise told
            return told if isinstance(told, Reply) else await told()
        finally:
            self._open.remove(url)

    def all_say(self, *planned: Behaviour, url: str = TARGET) -> None:
        """Let a target do this from now on."""
        self.answers[url] = list(planned)

    @property
    def events(self) -> list[str]:
        """The ids that came, in order."""
        return [request.headers["webhook-id"] for request in self.requests]


class Scene:
    """A database with webhooks, and any number of workers."""

    def __init__(self, database: Database) -> None:
        # Of today: the public library looks at the real clock.
        self.clock = FakeClock(utc_now().replace(microsecond=0))
        self.database = database
        self.targets = Targets(self.clock)
        self.outbox = Outbox(outbox_events)
        self.policy = RetryPolicy(rng=lambda: EVEN)
        self.registry = CollectorRegistry()
        self.metrics = DeliveryMetrics(self.registry)
        self.toggles = FeatureToggles(database, seconds=0.0)
        self.limits: list[float] = []
        self.pace = 1.0
        """Seconds that pass for each of an attempt's: less, so that nobody waits."""
        self.store = self.make_store()
        self.worker = self.make_worker()

    def make_store(self) -> Store:
        """The deliveries, as one worker sees them."""
        return Store(self.database, self.outbox, self.policy, self.clock)

    def make_worker(
        self, *, transport: Any = None, choice: Choice | None = None, **options: Any
    ) -> DeliveryLoop:
        """A worker."""

        async def chosen() -> Choice:
            return choice or await current_choice(self.toggles)

        return DeliveryLoop(
            self.make_store(),
            Sender(
                transport or self.targets,
                now=self.clock,
                clock=self.clock.monotonic,
                limit=self._limit,
            ),
            choose=chosen,
            options=DeliveryOptions(**options),
            metrics=self.metrics,
            sleep=self.clock.async_sleep,
        )

    def _limit(self, seconds: float) -> asyncio.Timeout:
        """Note how long an attempt may take."""
        self.limits.append(seconds)
        return asyncio.timeout(seconds * self.pace)

    async def webhook(self, **values: Any) -> Webhook:
        """Register a target."""
        made = Webhook(
            **{
                "user_id": uuid4(),
                "target_url": TARGET,
                "event_types": ["generation.completed"],
                "secret": generate_webhook_secret(),
                **values,
            }
        )
        async with self.database.session() as session:
            session.add(made)
        return made

    async def deliver(
        self, webhook: Webhook, count: int = 1, **values: Any
    ) -> list[UUID]:
        """Let *count* events be due; their ids."""
        rows = [
            {
                "id": uuid7(),
                "webhook_id": webhook.id,
                "event_id": uuid4(),
                "event_type": "generation.completed",
                "correlation_id": "abc-123",
                "body": BODY,
                "state": DeliveryState.PENDING,
                "attempts": 0,
                "next_attempt_at": self.clock(),
                "created_at": self.clock(),
                **values,
            }
            for _ in range(count)
        ]
        async with self.database.session() as session:
            await session.execute(insert(WebhookDelivery), rows)
        return [row["event_id"] for row in rows]

    async def deliveries(self) -> Sequence[WebhookDelivery]:
        """All there are, in the order of their events."""
        async with self.database.session(read_only=True) as session:
            statement = select(WebhookDelivery).order_by(WebhookDelivery.id)
            return (await session.scalars(statement)).all()

    async def attempts(self) -> Sequence[WebhookAttempt]:
        """All that were made, in order."""
        async with self.database.session(read_only=True) as session:
            statement = select(WebhookAttempt).order_by(WebhookAttempt.id)
            return (await session.scalars(statement)).all()

    async def states(self) -> list[str]:
        """How far the deliveries are."""
        return [delivery.state for delivery in await self.deliveries()]

    async def look_at(self, webhook: Webhook) -> Webhook:
        """The webhook as it is now."""
        async with self.database.session(read_only=True) as session:
            return await session.get_one(Webhook, webhook.id)

    async def change(self, webhook: Webhook, **values: Any) -> None:
        """Let its owner change it."""
        async with self.database.session() as session:
            found = await session.get_one(Webhook, webhook.id)
            for name, value in values.items():
                setattr(found, name, value)

    async def give_up(self, webhook: Webhook) -> None:
        """End what is on its way, as disabling does."""
        over = {
            "state": DeliveryState.FAILED,
            "finished_at": self.clock(),
            "lease_until": None,
            "lease_token": None,
        }
        wanted = WebhookDelivery.webhook_id == webhook.id
        async with self.database.session() as session:
            await session.execute(update(WebhookDelivery).where(wanted).values(over))

    async def delete(self, webhook: Webhook) -> None:
        """Let its owner delete it."""
        async with self.database.session() as session:
            await session.delete(await session.get_one(Webhook, webhook.id))

    async def events(self) -> list[BaseEvent[Any]]:
        """What was told, in order."""
        rows = select(outbox_events.c.payload).order_by(outbox_events.c.position)
        async with self.database.session(read_only=True) as session:
            return [parse_event(body) for body in await session.scalars(rows)]

    async def finish(self, worker: DeliveryLoop | None = None) -> int:
        """Deliver what is due now; how many attempts that took."""
        made = 0
        while begun := await (worker or self.worker).round():
            made += begun
        while await self.store.end():
            pass
        return made

    def pass_time(self, **duration: float) -> None:
        """Let it be later."""
        self.clock.advance(timedelta(**duration))

    def counted(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def scene_on(url: str) -> AsyncIterator[Scene]:
    """A scene on an empty database."""
    database = Database(
        DatabaseConfig.model_validate({"url": url}), service_name="test"
    )
    use_encryption_keys(database, AesKeyRing.generate())
    try:
        await asyncio.to_thread(_make_tables, database)
        yield Scene(database)
    finally:
        await database.dispose()


def _make_tables(database: Database) -> None:
    METADATA.create_all(database.sync_engine)


async def until(true: Callable[[], Any]) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.005)


async def spoil_secret(scene: Scene, webhook: Webhook) -> None:
    """Make the secret of a webhook unreadable, as a lost key does."""
    async with scene.database.session() as session:
        await session.execute(
            text("UPDATE webhooks SET secret = :junk WHERE target_url = :url"),
            {"junk": b"junk", "url": webhook.target_url},
        )


async def never() -> Reply:
    """An answer that does not come."""
    await asyncio.Event().wait()
    raise AssertionError
