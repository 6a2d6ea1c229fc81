"""The services behind this one, played by fakes, and what a key does with it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from httpx2 import Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import APIUsageLog
from services.api_platform.tests.scene import Scene, running
from shared.database import Database, utc_now
from shared.testing.fake_service import FakeReply, FakeService, RecordedRequest

GENERATIONS = "/api/v1/generations"
JOB = f"{GENERATIONS}/{{job_id}}"
BILLING = "/api/v1/users/{user_id}/billing-status"
PROMPT = {"prompt": "A poster", "format": "instagram-post"}

_NOTICED_WITHIN = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: its id, its user's, and what a request with it has to bring."""

    id: UUID
    user_id: UUID
    headers: dict[str, str]


class Behind:
    """A running service, and fakes of the two that it calls.

    Unless a test says otherwise the one begins every job, and the other lets everybody
    have credits.
    """

    def __init__(
        self, scene: Scene, generations: FakeService, billing: FakeService
    ) -> None:
        self.scene = scene
        self.generations = generations
        self.billing = billing

    def key(self, user_id: UUID | None = None, **body: Any) -> Key:
        """A new key of a user, of a new one unless said otherwise."""
        user = user_id or uuid4()
        reply = self.scene.client.post(
            "/api/v1/keys",
            json={"name": "Shop", **body},
            headers=self.scene.as_user(user),
        )
        assert reply.status_code == 201, reply.text
        made = reply.json()
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        return Key(UUID(made["id"]), user, bearer)

    def post(
        self, key: Key, *, idempotency_key: str | None = None, **body: Any
    ) -> Response:
        """Ask for a generation."""
        headers = dict(key.headers)
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self.scene.client.post(
            GENERATIONS, json={**PROMPT, **body}, headers=headers
        )

    def at_once(self, calls: Sequence[Callable[[], Response]]) -> list[Response]:
        """What these calls answer, made at the same time."""
        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(lambda call: call(), calls))

    def usage(self, key: Key) -> list[tuple[str, int]]:
        """State and cost of a key's calls in the log, oldest first."""

        async def read(session: AsyncSession) -> list[tuple[str, int]]:
            rows = await session.scalars(
                select(APIUsageLog)
                .where(APIUsageLog.api_client_id == key.id)
                .order_by(APIUsageLog.id)
            )
            return [(row.state, row.cost) for row in rows]

        return self.run(read)

    def run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Do something in a transaction on the service's database."""
        database: Database = self.scene.service.app.state.database

        async def in_session() -> T:
            async with database.session() as session:
                return await work(session)

        portal = self.scene.client.portal
        assert portal is not None
        return portal.call(in_session)


@contextmanager
def behind(
    url: str, *variables: Mapping[str, str], now: Callable[[], datetime] = utc_now
) -> Iterator[Behind]:
    """The service, with these settings, between a caller and the two fakes."""
    with FakeService() as generations, FakeService() as billing:
        generations.on("POST", GENERATIONS).call(accept)
        billing.on("GET", BILLING).call(active)
        given: dict[str, Any] = {
            "AIGEN_ORCH_SERVICE_URL": generations.url,
            "ODOO_BUSINESS_SERVICE_URL": billing.url,
        }
        for each in variables:
            given |= each
        with running(url, now=now, **given) as scene:
            yield Behind(scene, generations, billing)


def switch(scene: Scene, name: str, *, on: bool) -> None:
    """Move a toggle, and wait until the service has noticed."""
    path = "/api/v1/admin/toggles"
    admin = scene.as_user(uuid4(), "admin")
    reply = scene.client.put(f"{path}/{name}", json={"enabled": on}, headers=admin)
    assert reply.status_code == 200, reply.text
    end = time.monotonic() + _NOTICED_WITHIN
    states: dict[str, bool] = {}
    while states.get(name) is not on:
        assert time.monotonic() < end, f"{name} is not noticed"
        shown = scene.client.get(path, headers=admin).json()
        states = {each["name"]: each["enabled"] for each in shown}


def accept(request: RecordedRequest) -> FakeReply:
    """A new job."""
    return FakeReply(status=202, json={"job_id": str(uuid4()), "status": "Pending"})


def active(
    request: RecordedRequest, *, status: str = "active", credits: float = 100
) -> FakeReply:
    """What the business service says about a user."""
    user_id = request.path_params["user_id"]
    return FakeReply(
        json={"user_id": user_id, "status": status, "credit_balance": credits}
    )
