"""A broker that is killed, is not there yet, is full, or does not know us."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.messaging import BrokerUnavailableException, MessageWriter
from shared.messaging.rabbitmq import RabbitMQBus
from shared.messaging.tests.rabbitmq_backend import Backend, healthy
from shared.testing import captured_logs
from shared.testing.bus_contract import BusWorld, Seen, until
from shared.testing.server_processes import PrivateRabbitMQ

write = MessageWriter().write


@pytest.fixture(scope="module")
def broker() -> Iterator[PrivateRabbitMQ]:
    """A broker of our own."""
    with PrivateRabbitMQ() as broker:
        yield broker


@pytest.fixture
async def world(broker: PrivateRabbitMQ) -> AsyncIterator[BusWorld]:
    """Services on it; it runs."""
    if not broker.running:
        await asyncio.to_thread(broker.start)
    world = BusWorld(Backend(broker.url))
    yield world
    await world.close()


async def test_a_killed_broker_comes_back(
    broker: PrivateRabbitMQ, world: BusWorld
) -> None:
    """What it confirmed is handled; while it is away publishers are told."""
    seen = Seen()
    bus = world.bus(publish_timeout=0.5)
    bus.subscribe(world.Happened, seen.handler, name="seen")
    await world.start(bus)
    confirmed: list[int] = []

    async def publish(first: int) -> None:
        for number in range(first, first + 10_000):
            try:
                await bus.publish(world.event(number))
            except BrokerUnavailableException:
                return
            confirmed.append(number)

    for first in (0, 10_000):
        publishing = asyncio.create_task(publish(first))
        await until(lambda first=first: first + 200 in confirmed)  # type: ignore[misc]
        await asyncio.to_thread(broker.kill)
        await publishing
        with pytest.raises(BrokerUnavailableException, match="There was no broker"):
            await bus.publish(world.event(-1))
        with pytest.raises(BrokerUnavailableException, match="can't be published"):
            await bus.check()
        await asyncio.to_thread(broker.start)
        await healthy(bus)
    await bus.publish(world.event(20_000))
    await until(lambda: {*confirmed, 20_000} <= set(seen))

    assert len(confirmed) > 400


async def test_a_bus_starts_before_its_broker(
    broker: PrivateRabbitMQ, world: BusWorld
) -> None:
    """It says so once, and is well as soon as there is one."""
    await asyncio.to_thread(broker.stop)
    seen = Seen()
    bus = world.bus(publish_timeout=0.2, connect_timeout=0.5)
    bus.subscribe(world.Happened, seen.handler, name="seen")
    with captured_logs() as logs:
        await bus.start()
        with pytest.raises(BrokerUnavailableException, match="There was no broker"):
            await bus.publish(world.event(1))
        await asyncio.sleep(2)
        lines = [line["message"] for line in logs if line["level"] == "WARNING"]
    await asyncio.to_thread(broker.start)
    await healthy(bus)
    await bus.publish(world.event(2))
    await seen.until(1)

    assert ["starts without RabbitMQ" in line for line in lines] == [True]
    assert seen == [2]


async def test_stop_does_not_need_the_broker(
    broker: PrivateRabbitMQ, world: BusWorld
) -> None:
    """Gone, or there and silent; a second start works."""
    seen = Seen()
    bus = world.bus()
    bus.subscribe(world.Happened, seen.handler, name="seen")
    await world.start(bus)
    await asyncio.to_thread(broker.kill)
    async with asyncio.timeout(30):
        await bus.stop()
    await asyncio.to_thread(broker.start)
    await world.start(bus)
    await bus.publish(world.event(1))
    await seen.until(1)
    await asyncio.to_thread(broker.pause)
    try:
        async with asyncio.timeout(60):
            await bus.stop()
    finally:
        await asyncio.to_thread(broker.resume)
    await world.start(bus)
    await bus.publish(world.event(2))
    await until(lambda: 2 in seen)


async def test_a_full_broker_blocks_publishers_and_not_for_ever(
    broker: PrivateRabbitMQ, world: BusWorld
) -> None:
    """Meanwhile what is there is consumed, and nothing piles up in the process."""
    gate = asyncio.Event()

    async def wait(_: object) -> None:
        await gate.wait()

    seen = Seen(wait)
    bus = world.bus(publish_timeout=0.3)
    assert isinstance(bus, RabbitMQBus)
    bus.subscribe(world.Happened, seen.handler, name="seen")
    await world.start(bus)
    await bus.publish(world.event(0))
    await asyncio.to_thread(_control, broker, "0")
    try:
        # It says so when something is published, and not before.
        with pytest.raises(BrokerUnavailableException, match=r"did not confirm|full"):
            await bus.publish(world.event(1))
        with pytest.raises(BrokerUnavailableException, match="is full"):
            await bus.check()
        results = await bus.publish_messages([write(world.event(2))] * 500)
        gate.set()
        await seen.until(1)
        publisher = bus._running.publisher if bus._running else None
    finally:
        await asyncio.to_thread(_control, broker, "0.4")

    assert {str(each) for each in results} == {
        "The broker takes no messages for now: it is full."
    }
    assert publisher is not None
    assert not publisher._waiting
    await healthy(bus)
    await bus.publish(world.event(3))
    await until(lambda: 3 in seen)
    assert 2 not in seen


async def test_a_password_is_shown_nowhere(
    broker: PrivateRabbitMQ, world: BusWorld
) -> None:
    """Not in the log, an error or a repr, when it is wrong and when it is right."""
    url = urlsplit(broker.url)
    secret = "hunter2-%2F"
    wrong = url._replace(netloc=f"guest:{secret}@{url.hostname}:{url.port}").geturl()
    bus = world.bus(url=wrong, connect_timeout=0.5)
    assert isinstance(bus, RabbitMQBus)
    with captured_logs() as logs:
        await bus.start()
        with pytest.raises(BrokerUnavailableException, match="published") as caught:
            await bus.check()
        await bus.stop()
    shown = [str(logs), repr(bus), repr(caught.value), repr(caught.value.__cause__)]

    assert "ACCESS_REFUSED" in str(logs)
    assert not [text for text in shown if "hunter2" in text]
    with pytest.raises(ValueError, match="value hidden") as refused:
        RabbitMQBus("accounts", f"amqp://guest:{secret}@host:port/")
    assert "hunter2" not in str(refused.value)


def _control(broker: PrivateRabbitMQ, watermark: str) -> None:
    """Say how much memory the broker may use, as an operator would."""
    program = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
    subprocess.run(
        [str(program), "set_vm_memory_high_watermark", watermark],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **broker._environment()},
        check=True,
        capture_output=True,
        timeout=60,
    )
