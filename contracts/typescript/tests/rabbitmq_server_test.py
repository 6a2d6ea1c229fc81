"""Node and Python exchange events on a real broker, by the programs of the README."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiormq
import pytest
from pamqp.commands import Basic

from contracts.typescript.needs_node import needs_package
from contracts.typescript.node import Node
from contracts.typescript.tests.readme import snippets
from shared.events import (
    UserEmailVerifiedEvent,
    UserRegisteredEvent,
    UserRegisteredPayload,
)
from shared.messaging.rabbitmq import RabbitMQBus
from shared.messaging.topology import CATALOGUE, EVENTS, topology_of
from shared.testing.servers import rabbitmq_url

SECONDS = 60


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node, with the package installed."""
    return needs_package(tmp_path_factory.mktemp("node"))


@pytest.fixture
def correlation_id() -> str:
    """The broker is everybody's: this one tells our events from others."""
    return f"typescript-{uuid4()}"


@pytest.fixture
async def bus() -> AsyncIterator[RabbitMQBus]:
    """A service that is there for this test alone."""
    service = f"typescript-{uuid4()}"
    bus = RabbitMQBus(service, rabbitmq_url())
    yield bus
    await clean(service, bus)


async def clean(service: str, bus: RabbitMQBus) -> None:
    """Remove the queues of *service*, and what the broker was told of them."""
    async with aiormq.connect(rabbitmq_url()) as connection:
        channel = await connection.channel()
        for queue in topology_of(bus.subscriptions).queues:
            if queue.name.startswith(service):
                await channel.queue_delete(queue.name)
        declared = await channel.queue_declare(CATALOGUE, passive=True)
        for _ in range(declared.message_count or 0):
            message = await channel.basic_get(CATALOGUE)
            if not isinstance(message.delivery, Basic.GetOk):
                break
            if json.loads(message.body).get("service") == service:
                await channel.basic_ack(message.delivery.delivery_tag or 0)


@asynccontextmanager
async def running(
    node: Node, program: Path, *arguments: str
) -> AsyncIterator[asyncio.StreamReader]:
    """A program of Node's, and what it prints. It is ended where it does not end."""
    process = await asyncio.create_subprocess_exec(
        *node.command(program, *arguments),
        env=node.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_python_accepts_what_node_publishes(
    node: Node, bus: RabbitMQBus, correlation_id: str, tmp_path: Path
) -> None:
    """The event passes the model, and its ids are those that Node gave it."""
    seen: asyncio.Queue[UserEmailVerifiedEvent] = asyncio.Queue()

    async def remember(event: UserEmailVerifiedEvent) -> None:
        if event.correlation_id == correlation_id:
            await seen.put(event)

    bus.subscribe(UserEmailVerifiedEvent, remember)
    program = snippets(tmp_path)["publish.mts"]
    async with bus, running(node, program, rabbitmq_url(), correlation_id) as output:
        printed = (await output.readline()).decode().strip()
        event = await seen.get()

    assert str(event.event_id) == printed
    assert event.payload.email == "ada@example.com"
    assert (event.schema_version, event.causation_id) == (1, None)
    assert event.timestamp.tzinfo is not None


async def test_node_accepts_what_python_publishes(
    node: Node, bus: RabbitMQBus, correlation_id: str, tmp_path: Path
) -> None:
    """Types decide what Node reads from it, and the correlation id arrives."""
    program = snippets(tmp_path)["consume.mts"]
    payload = UserRegisteredPayload(
        user_id=uuid4(),
        email="ada@example.com",
        verification_token="a-token",
        full_name="Ada Lovelace",
    )
    event = UserRegisteredEvent(payload=payload, correlation_id=correlation_id)
    async with bus, running(node, program, rabbitmq_url()) as output:
        lines = [await output.readline()]
        await bus.publish(event)
        while correlation_id.encode() not in lines[-1]:
            lines.append(await output.readline())

    assert lines[0] == b"ready\n"
    expected = f"{correlation_id} ada@example.com Ada Lovelace\n"
    assert lines[-1].decode() == expected


async def test_node_passes_a_correlation_id_on(
    node: Node, bus: RabbitMQBus, correlation_id: str, tmp_path: Path
) -> None:
    """What Python's message says beside its body, Node's message says too."""
    async with bus, aiormq.connect(rabbitmq_url()) as connection:
        channel = await connection.channel()
        declared = await channel.queue_declare("", exclusive=True)
        queue = declared.queue or ""
        for key in ("user.email_verified", "user.registered"):
            await channel.queue_bind(queue, EVENTS, key)
        program = snippets(tmp_path)["publish.mts"]
        async with running(node, program, rabbitmq_url(), correlation_id) as output:
            await output.read()
        payload = UserRegisteredPayload(
            user_id=uuid4(), email="ada@example.com", verification_token="a-token"
        )
        event = UserRegisteredEvent(payload=payload, correlation_id=correlation_id)
        await bus.publish(event)
        ours: list[Basic.Properties] = []
        async with asyncio.timeout(SECONDS):
            while len(ours) < 2:
                message = await channel.basic_get(queue, no_ack=True)
                if isinstance(message.delivery, Basic.GetEmpty):
                    await asyncio.sleep(0.01)
                elif message.header.properties.correlation_id == correlation_id:
                    ours.append(message.header.properties)

    own, others = ours
    assert own.headers == others.headers
    assert own.content_type == others.content_type
    assert own.message_type == "user.email_verified"
    assert (own.delivery_mode, others.delivery_mode) == (2, 2)
    assert own.timestamp is not None
