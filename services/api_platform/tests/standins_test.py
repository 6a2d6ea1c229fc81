"""Stand-ins: they behave as what they stand for, and tell of a job's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.api_platform.generations import AIGenOrchestrationClient, UserContext
from services.api_platform.quota import BillingClient
from services.api_platform.standins import (
    BLOCKED_USER,
    POOR_USER,
    BillingStandIn,
    GenerationStandIn,
)
from services.api_platform.tests.behind import GENERATIONS, PROMPT
from services.api_platform.tests.scene import running
from shared.dtos.generation import GenerationCreateRequestDTO, GenerationStatus
from shared.errors import NotFoundError
from shared.events import (
    BaseEvent,
    GenerationCompletedEvent,
    GenerationFailedEvent,
)
from shared.http_client import ServiceClient, asgi_transport
from shared.testing import FakeClock
from shared.testing.messaging import assert_published

POSTER = GenerationCreateRequestDTO.model_validate({**PROMPT, "sample_count": 3})


class Told:
    """What a stand-in has published, and when it has."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[BaseEvent[Any]] = asyncio.Queue()

    async def publish(self, event: BaseEvent[Any]) -> None:
        """Take an event."""
        await self.events.put(event)


def context(user_id: UUID | None = None) -> UserContext:
    """On whose behalf something is made, by a new call."""
    return UserContext(
        user_id=user_id or uuid4(),
        api_key_id=uuid4(),
        environment="test",
        idempotency_key=str(uuid4()),
    )


@pytest.fixture
def clock() -> FakeClock:
    """By which jobs go on."""
    return FakeClock()


@pytest.fixture
def told() -> Told:
    """Who hears of the ends of jobs."""
    return Told()


@pytest.fixture
async def generations(
    clock: FakeClock, told: Told
) -> AsyncIterator[AIGenOrchestrationClient]:
    """The real client of a stand-in whose jobs take a moment."""
    stand_in = GenerationStandIn(
        told.publish, now=clock.now, seconds=0.05, clock=clock.monotonic
    )
    transport = asgi_transport(stand_in.app)
    async with (
        stand_in.running(),
        ServiceClient("generations", "http://here", transport=transport) as client,
    ):
        yield AIGenOrchestrationClient(client)


async def test_a_job_goes_on_by_the_clock(
    generations: AIGenOrchestrationClient, clock: FakeClock, told: Told
) -> None:
    """Pending, processing, completed with an asset and what it cost."""
    who = context()
    job_id = (await generations.initiate_generation(POSTER, who)).job_id
    pending = await generations.get_generation_status(job_id)
    clock.advance(0.03)
    processing = await generations.get_generation_status(job_id)
    event = await told.events.get()
    completed = await generations.get_generation_status(job_id)

    assert pending.status is GenerationStatus.PENDING
    assert (processing.status, processing.progress) == (GenerationStatus.PROCESSING, 60)
    assert (completed.status, completed.progress) == (GenerationStatus.COMPLETED, 100)
    assert isinstance(event, GenerationCompletedEvent)
    assert event.payload.generation_id == job_id
    assert event.payload.user_id == completed.user_id == who.user_id
    [asset] = completed.assets
    assert event.payload.final_asset_id == completed.final_asset_id == asset.id
    assert event.payload.credits_used == completed.credits_used


async def test_a_job_may_be_made_to_fail(
    generations: AIGenOrchestrationClient, told: Told
) -> None:
    """By its prompt, to see what that looks like."""
    order = POSTER.model_copy(update={"prompt": "fail: a poster"})
    job_id = (await generations.initiate_generation(order, context())).job_id
    event = await told.events.get()
    failed = await generations.get_generation_status(job_id)

    assert isinstance(event, GenerationFailedEvent)
    assert event.payload.error_code == "prompt_refused"
    assert failed.status is GenerationStatus.FAILED
    assert failed.error is not None
    assert failed.assets == []


async def test_a_call_that_is_repeated_makes_one_job(
    generations: AIGenOrchestrationClient,
) -> None:
    """As the real service promises."""
    who = context()
    first = await generations.initiate_generation(POSTER, who)
    again = await generations.initiate_generation(POSTER, who)
    other = await generations.initiate_generation(POSTER, context())

    assert first == again != other


async def test_there_are_no_other_jobs(generations: AIGenOrchestrationClient) -> None:
    """404."""
    with pytest.raises(NotFoundError, match="was not found"):
        await generations.get_generation_status(uuid4())


@pytest.mark.parametrize(
    ("user_id", "status", "has_credits"),
    [
        (UUID(int=1), "active", True),
        (BLOCKED_USER, "blocked", True),
        (POOR_USER, "active", False),
    ],
)
async def test_two_users_do_not_pay(
    user_id: UUID, status: str, has_credits: bool
) -> None:
    """By their ids; all others have credits."""
    transport = asgi_transport(BillingStandIn().app)
    async with ServiceClient("billing", "http://here", transport=transport) as client:
        found = await BillingClient(client, seconds=1).get_billing_status(user_id)

    assert (found.user_id, found.status) == (user_id, status)
    assert (found.credit_balance > 0) is has_credits


def test_a_newcomer_sees_a_job_end(tmp_path: Path) -> None:
    """Without any URL: the platform hears of it, with the id of the first request."""
    url = f"sqlite:///{tmp_path}/test.db"
    with running(url, STANDIN_SECONDS="0.05") as scene:
        user_id = uuid4()
        made = scene.client.post(
            "/api/v1/keys", json={"name": "Shop"}, headers=scene.as_user(user_id)
        )
        key = {"Authorization": f"Bearer {made.json()['secret']}"}
        begun = scene.client.post(GENERATIONS, json=PROMPT, headers=key)
        assert begun.status_code == 202, begun.text
        assert scene.client.portal is not None
        scene.client.portal.call(asyncio.sleep, 0.2)
        scene.settle()
        path = begun.headers["Location"]
        shown = scene.client.get(path, headers=key)

        [event] = assert_published(scene.bus, GenerationCompletedEvent, user_id=user_id)
    assert shown.json()["status"] == "Completed"
    assert event.correlation_id == begun.headers["X-Correlation-ID"]


@pytest.mark.parametrize(
    ("user_id", "status", "code"),
    [
        (BLOCKED_USER, 403, "billing_blocked"),
        (POOR_USER, 402, "insufficient_credits"),
    ],
)
def test_a_newcomer_can_see_who_is_refused(
    tmp_path: Path, user_id: UUID, status: int, code: str
) -> None:
    """By a token of one of the two users."""
    with running(f"sqlite:///{tmp_path}/test.db") as scene:
        made = scene.client.post(
            "/api/v1/keys", json={"name": "Shop"}, headers=scene.as_user(user_id)
        )
        key = {"Authorization": f"Bearer {made.json()['secret']}"}
        reply = scene.client.post(GENERATIONS, json=PROMPT, headers=key)

    assert (reply.status_code, reply.json()["code"]) == (status, code)
