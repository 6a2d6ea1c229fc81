"""`RabbitMQBus` on a real broker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiormq
import pytest
from aiormq.exceptions import ChannelNotFoundEntity

from shared.messaging import (
    BrokerUnavailableException,
    FailurePolicy,
    SubscriptionError,
    TopologyError,
)
from shared.messaging._topology import CATALOGUE, topology_of
from shared.messaging.rabbitmq import RabbitMQBus
from shared.messaging.tests.rabbitmq_backend import (
    Backend,
    OnServer,
    healthy,
    through,
)
from shared.testing.bus_contract import ONCE, BusContract, BusWorld, Event, Seen, until
from shared.testing.servers import rabbitmq_url
from shared.testing.tcp_proxy import TcpProxy


class TestContract(OnServer, BusContract):
    """The rules that every bus obeys."""


class TestTopology(OnServer):
    """What is declared, and what is not."""

    @pytest.mark.parametrize(
        "options",
        [{"durable": True}, {"durable": False}, {"exclusive": True}],
        ids=["classic", "transient", "exclusive"],
    )
    async def test_a_conflict_leaves_nothing_behind(
        self, world: BusWorld, backend: Backend, options: dict[str, Any]
    ) -> None:
        """It names the queue; none of the others exists, and the bus is stopped."""
        bus = world.bus()
        assert isinstance(bus, RabbitMQBus)
        bus.subscribe(world.Ended, Seen().handler, name="first")
        consumer = bus.subscribe(world.Happened, Seen().handler, name="seen").consumer
        queues = topology_of(bus._subscriptions).queues
        own = [q.name for q in queues if q.name.startswith(world.service())]
        async with backend.channel() as channel:
            await channel.queue_declare(consumer, **options)
            with pytest.raises(TopologyError, match=f"The queue '{consumer}' can't be"):
                await bus.start()
        found = []
        for name in own:
            async with aiormq.connect(backend.url) as connection:
                other = await connection.channel()
                try:
                    await other.queue_declare(name, passive=True)
                except ChannelNotFoundEntity:
                    continue
                found.append(name)
        entries = await backend.browse(CATALOGUE, lambda _: False)

        assert len(own) == 2 * (2 + len(FailurePolicy().delays))
        assert set(found) <= {consumer}
        assert not [e for e in entries if world.service() in str(e.body)]
        with pytest.raises(RuntimeError, match="not started"):
            await bus.publish(world.event())

    async def test_an_exchange_of_its_own_is_one_that_others_do_not_hear(
        self, world: BusWorld, backend: Backend
    ) -> None:
        """An event of the same type goes to its own subscribers only."""
        name = f"{world.service()}.own"
        theirs, ours = Seen(), Seen()
        platform = world.bus()
        platform.subscribe(world.Happened, theirs.handler, name="theirs")
        own = world.bus(exchange=name)  # so that its queues go with the test
        own.subscribe(world.Happened, ours.handler, name="ours")
        async with backend.channel() as channel, platform, own:
            event = world.event()
            await own.publish(event)
            await ours.until(1)
            await channel.exchange_delete(name)

        assert [each.event_id for each in ours.events] == [event.event_id]
        assert theirs.events == []

    async def test_each_queue_is_entered_in_the_catalogue(
        self, world: BusWorld, backend: Backend
    ) -> None:
        """Once, however often the service starts."""
        bus = world.bus()
        consumer = bus.subscribe(
            [world.Happened, world.Ended],
            Seen().handler,
            name="seen",
            policy=FailurePolicy(delays=(0.05,)),
        ).consumer
        await world.start(bus)
        await bus.stop()
        await world.start(bus)
        entries = [
            json.loads(message.body)
            for message in await backend.browse(CATALOGUE, lambda _: False)
        ]
        own = [entry for entry in entries if entry["service"] == world.service()]
        kinds = {entry["queue"]: entry["kind"] for entry in own}

        assert len(own) == 3
        assert kinds == {
            consumer: "main",
            f"{consumer}.dead": "dead",
            f"{consumer}.retry.50ms": "retry",
        }
        assert {entry["consumer"] for entry in own} == {consumer}
        assert len(own[0]["event_types"]) == 2

    async def test_a_binding_goes_when_it_is_asked_to(self, world: BusWorld) -> None:
        """Until then, what is no longer wanted becomes a dead letter."""
        seen = Seen()
        old, new = world.bus(), world.bus()
        assert isinstance(new, RabbitMQBus)
        old.subscribe(
            [world.Happened, world.Ended], seen.handler, name="seen", policy=ONCE
        )
        consumer = new.subscribe(
            world.Happened, seen.handler, name="seen", policy=ONCE
        ).consumer
        await world.start(old)
        await old.stop()
        await world.start(new)
        ended = world.event(cls=world.Ended)
        await new.publish(ended)
        (letter,) = await world.dead_letters(consumer, 1)
        with pytest.raises(ValueError, match="subscribes to"):
            await new.unbind("seen", world.event().event_type)
        with pytest.raises(SubscriptionError, match="name must be"):
            await new.unbind("seen*", ended.event_type)
        await new.unbind("seen", ended.event_type)
        await new.unbind("seen", ended.event_type)
        await new.publish(ended)

        assert letter.headers["x-reason"] == "unknown_schema"
        assert await world.unrouted(ended.event_type, 1) == 1
        async with asyncio.timeout(10):
            # Another test may look into the queue, and have what is in it meanwhile.
            while not await new.unrouted_count():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def test_counts_are_those_of_the_service(self, world: BusWorld) -> None:
        """All its queues, and none of others."""
        gate = asyncio.Event()

        async def wait(_: Event) -> None:
            await gate.wait()

        seen = Seen(wait)
        bus = world.bus(prefetch=2)
        assert isinstance(bus, RabbitMQBus)
        consumer = bus.subscribe(
            world.Happened, seen.handler, name="seen", policy=ONCE, concurrency=1
        ).consumer
        await world.start(bus)
        for number in range(5):
            await bus.publish(world.event(number))
        await seen.until(1)
        counts = await bus.queue_counts()
        gate.set()
        await seen.until(5)

        assert counts == {consumer: 3, f"{consumer}.dead": 0}


class TestBus(OnServer):
    """The whole."""

    async def test_ten_thousand_events_are_all_accounted_for(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """From many publishers, to two processes, of which one loses connections."""
        seen = [Seen(), Seen()]
        buses = [world.bus(), world.bus(url=through(proxy))]
        for bus, each in zip(buses, seen, strict=True):
            bus.subscribe(world.Happened, each.handler, name="seen", concurrency=50)
        publisher = await world.publisher()
        await world.start(*buses)

        async def publish(first: int) -> None:
            for number in range(first, first + 200):
                await publisher.publish(world.event(number))

        publishing = asyncio.gather(*(publish(n * 200) for n in range(50)))
        for part in (1000, 4000, 7000):
            await until(lambda part=part: len(seen[0]) + len(seen[1]) > part)  # type: ignore[misc]
            proxy.cut()
        await publishing
        await until(lambda: len({*seen[0], *seen[1]}) == 10_000)

        assert {*seen[0], *seen[1]} == set(range(10_000))

    async def test_publishing_waits_for_a_connection(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """A short absence of the broker is nothing that a publisher sees."""
        bus = world.bus(url=through(proxy))
        assert isinstance(bus, RabbitMQBus)
        await world.start(bus)
        for number in range(5):
            proxy.cut()
            assert bus._running is not None
            publisher = bus._running.publisher
            await until(lambda publisher=publisher: not publisher.open)  # type: ignore[misc]
            await bus.publish(world.event(number))
        await healthy(bus)
        results = await asyncio.gather(bus.unrouted_count(), bus.queue_counts())

        assert results[1] == {}

    async def test_without_a_connection_there_are_no_counts(
        self, world: BusWorld, proxy: TcpProxy
    ) -> None:
        """It is the error of a broker that is away."""
        bus = world.bus(url=through(proxy), publish_timeout=0.2)
        assert isinstance(bus, RabbitMQBus)
        await world.start(bus)
        proxy.hold_replies()
        with pytest.raises(BrokerUnavailableException, match="did not answer"):
            await bus.unrouted_count()
        proxy.cut()
        await until(lambda: bus._running and not bus._running.publishing.connection)
        with pytest.raises(BrokerUnavailableException, match="no broker"):
            await bus.queue_counts()
        proxy.release()

    async def test_it_belongs_to_the_loop_where_it_was_started(
        self, world: BusWorld
    ) -> None:
        """Used in another one it would hang."""
        bus = await world.publisher()

        def elsewhere() -> None:
            asyncio.run(bus.publish(world.event()))

        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(elsewhere)


@pytest.mark.parametrize(
    ("url", "options", "match"),
    [
        ("http://guest:hunter2@host/", {}, "must be amqp"),
        ("amqp://", {}, "must be amqp"),
        ("amqp://host:99999", {}, "must be amqp"),
        ("amqp://host", {"prefetch": 0}, "prefetch must be"),
        ("amqp://host", {"heartbeat": 0}, "heartbeat must be"),
        ("amqp://host", {"publish_timeout": 0}, "publish_timeout must be"),
        ("amqp://host", {"connect_timeout": float("nan")}, "connect_timeout must be"),
    ],
)
def test_wrong_settings_are_refused(
    url: str, options: dict[str, Any], match: str
) -> None:
    """At once, and without a word of the address."""
    with pytest.raises(ValueError, match=match) as caught:
        RabbitMQBus("accounts", url, **options)

    assert "hunter2" not in str(caught.value)


def test_nothing_of_it_shows_the_password() -> None:
    """Tools that report errors print what a frame has."""
    bus = RabbitMQBus("accounts", "amqp://user:hunter2@host")

    assert "hunter2" not in f"{bus} {vars(bus)}"


async def test_a_wrong_virtual_host_is_a_broker_that_is_not_there() -> None:
    """The bus starts, and keeps trying."""
    bus = RabbitMQBus(
        "accounts", rabbitmq_url().rstrip("/") + "/no-such-host", connect_timeout=0.5
    )
    await bus.start()
    with pytest.raises(BrokerUnavailableException, match="can't be published"):
        await bus.check()
    await bus.stop()
