"""Delivery as a part of the service: from an event to the receiver, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.api_platform.tests.scene import Scene, running
from shared.crypto import WebhookVerifier
from shared.events import GenerationCompletedEvent, GenerationCompletedPayload
from shared.http_client import PublicTransport, Reply
from shared.testing import is_problem

REPORT = "/api/v1/admin/webhook-deliveries/report"
WEBHOOKS = "/api/v1/webhooks"


class Receiver(PublicTransport):
    """Every target there is: it takes what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[tuple[bytes, Mapping[str, str]]] = []

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        """Take a request."""
        self.got.append((body, headers))
        return Reply(204, {}, b"")

    async def check(self, url: str) -> None:
        """Let it be registered."""


@pytest.fixture
def receiver() -> Receiver:
    """What webhooks lead to."""
    return Receiver()


@pytest.fixture
def scene(tmp_path: Path, receiver: Receiver) -> Iterator[Scene]:
    """The service, started, with everything in one process."""
    with running(f"sqlite:///{tmp_path}/test.db", transport=receiver) as scene:
        yield scene


def completed(user: UUID) -> GenerationCompletedEvent:
    """An event about a thing of *user*."""
    payload = GenerationCompletedPayload(
        generation_id=uuid4(),
        user_id=user,
        final_asset_id=uuid4(),
        credits_used=Decimal("0.30"),
    )
    return GenerationCompletedEvent(payload=payload)


def test_an_event_gets_to_its_receiver(scene: Scene, receiver: Receiver) -> None:
    """Signed, promptly, and its owner and the admins can see that it did."""
    user = uuid4()
    made = scene.client.post(
        WEBHOOKS,
        json={
            "target_url": "https://hooks.example.com/in",
            "event_types": ["generation.completed"],
        },
        headers=scene.as_user(user),
    ).json()
    event = completed(user)

    async def publish() -> None:
        await scene.bus.publish(event)
        async with asyncio.timeout(20):
            while not receiver.got:  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.01)

    portal = scene.client.portal
    assert portal is not None
    portal.call(publish)
    [(body, headers)] = receiver.got
    verified = WebhookVerifier(made["secret"]).verify(headers, body)
    assert verified.message_id == str(event.event_id)
    assert headers["x-correlation-id"] == event.correlation_id

    # Stopping the service waits for the result to be written, so ask until it is.
    admin = scene.as_user(uuid4(), "admin")
    report = {"stable": {"attempts": 0}}
    while not report["stable"]["attempts"]:
        report = scene.client.get(REPORT, headers=admin).json()
    assert report["stable"] == {
        "attempts": 1,
        "failures": 0,
        "failure_rate": 0.0,
        "average_ms": report["stable"]["average_ms"],
    }
    metrics = scene.client.get("/metrics").text
    sample = 'webhook_deliveries_total{outcome="delivered",settings="stable"} 1.0'
    assert sample in metrics


def test_health_warns_of_what_only_we_can_mend(
    scene: Scene, receiver: Receiver
) -> None:
    """A secret that this worker can't read: nothing is sent, and somebody is told."""
    user = uuid4()
    body = {
        "target_url": "https://hooks.example.com/in",
        "event_types": ["generation.completed"],
    }
    scene.client.post(WEBHOOKS, json=body, headers=scene.as_user(user))
    held = 'webhook_deliveries_total{outcome="held",settings="stable"} 1.0'

    async def spoil_and_publish() -> None:
        async with scene.service.app.state.database.session() as session:
            await session.execute(text("UPDATE webhooks SET secret = x'00'"))
        await scene.bus.publish(completed(user))

    portal = scene.client.portal
    assert portal is not None
    portal.call(spoil_and_publish)
    end = time.monotonic() + 20
    while held not in scene.client.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.02)

    checks = scene.client.get("/health").json()["checks"]
    [name] = [name for name in checks if name.startswith("webhook_delivery")]
    [check] = checks[name]
    assert check["status"] == "warn"
    assert "fault of ours" in check["output"]
    assert receiver.got == []


def test_before_there_was_anything_there_are_no_rates(scene: Scene) -> None:
    """Nothing of nothing is no number."""
    admin = scene.as_user(uuid4(), "admin")
    report = scene.client.get(REPORT, params={"hours": 1}, headers=admin).json()

    nothing = {
        "attempts": 0,
        "failures": 0,
        "failure_rate": None,
        "average_ms": None,
    }
    assert (report["stable"], report["canary"]) == (nothing, nothing)


@pytest.mark.parametrize("hours", ["0", "169", "x"])
def test_a_report_reaches_back_a_week(scene: Scene, hours: str) -> None:
    """What is asked for beyond that is refused."""
    admin = scene.as_user(uuid4(), "admin")
    reply = scene.client.get(REPORT, params={"hours": hours}, headers=admin)

    assert reply == is_problem(status=422)


def test_only_admins_see_how_deliveries_go(scene: Scene) -> None:
    """Users see their own, elsewhere."""
    user = scene.client.get(REPORT, headers=scene.as_user())

    assert user == is_problem(status=403)
    assert scene.client.get(REPORT) == is_problem(status=401)
