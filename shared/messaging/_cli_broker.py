"""What the command line asks a broker.

Private: used by ``shared.messaging.cli`` only.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from aiormq.abc import AbstractChannel
from aiormq.connection import Connection
from aiormq.exceptions import (
    AMQPError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelLockedResource,
    ChannelNotFoundEntity,
)

from shared.messaging._cli_errors import CommandError, UsageError
from shared.messaging._cli_hand import ANSWER_SECONDS, Hand, taken_in_hand
from shared.messaging._errors import BrokerUnavailableException
from shared.messaging._rabbit_connection import check_url, describe
from shared.messaging._rabbit_frames import Packet
from shared.messaging._rabbit_publisher import NoQueueError, Publisher
from shared.messaging._topology import CATALOGUE, UNROUTED

_CONNECT_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 5.0
# While somebody else looks into the same queue.
_BUSY_SECONDS: Final = 10.0
_BUSY_PAUSE: Final = 0.1


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue, and how it is with it."""

    queue: str
    kind: str | None
    service: str | None
    consumer: str | None
    event_types: tuple[str, ...]
    messages: int
    consumers: int


class Broker:
    """A connection of the command line. Make it with `connected`."""

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self.place = place
        self._publisher: Publisher | None = None

    async def count(self, queue: str) -> tuple[int, int] | None:
        """Messages that wait and consumers; None if there is no such queue."""
        channel = await self._connection.channel(publisher_confirms=False)
        try:
            found = await channel.queue_declare(
                queue, passive=True, timeout=ANSWER_SECONDS
            )
        except ChannelNotFoundEntity:
            return None
        finally:
            await _close(channel)
        return found.message_count or 0, found.consumer_count or 0

    async def messages(self, queue: str) -> int:
        """How many messages wait.

        Raises:
            CommandError: There is no such queue.
        """
        found = await self.count(queue)
        if found is None:
            raise CommandError(f"There is no queue {queue!r} at {self.place}.")
        return found[0]

    async def queues(self, names: Iterable[str] = ()) -> list[QueueFacts]:
        """The queues that buses have made and that are still there, or those named.

        Raises:
            CommandError: There is none of a name.
        """
        known = await self._catalogue()
        known.setdefault(UNROUTED, {"kind": "unrouted"})
        asked = list(dict.fromkeys(names))
        found = []
        for name in asked or sorted(known):
            counts = await self.count(name)
            if counts is not None:
                found.append(_facts(name, known.get(name, {}), *counts))
            elif asked:
                raise CommandError(f"There is no queue {name!r} at {self.place}.")
        return found

    @asynccontextmanager
    async def hand(
        self, queue: str, *, at_most: int, there: int
    ) -> AsyncIterator[Hand]:
        """Take messages of *queue* in hand; those that are not done go back.

        One at a time may do so, else somebody would find the queue emptier than it is.

        Args:
            queue: Which.
            at_most: How many messages are handed out at most.
            there: How many there are.

        Raises:
            CommandError: Somebody else does.
        """
        taken = taken_in_hand(self._connection, queue, at_most=at_most, there=there)
        async with self._alone(queue), taken as hand:
            yield hand

    async def publish(self, packet: Packet) -> None:
        """Publish, and wait until the broker has it.

        Raises:
            CommandError: It has not.
        """
        if self._publisher is None:
            self._publisher = Publisher(timeout=ANSWER_SECONDS, why_not=lambda: None)
            await self._publisher.attach(self._connection)
        [error] = await self._publisher.publish([packet])
        if error is None:
            return
        if isinstance(error.__cause__, NoQueueError):
            raise CommandError(f"There is no queue {packet.routing_key!r} any more.")
        told = error.detail if isinstance(error, BrokerUnavailableException) else ""
        raise CommandError(f"A message was not moved. {told or describe(error)}")

    async def purge(self, queue: str) -> int:
        """Drop all messages that wait, and say how many."""
        channel = await self._connection.channel(publisher_confirms=False)
        try:
            done = await channel.queue_purge(queue, timeout=ANSWER_SECONDS)
        finally:
            await _close(channel)
        return done.message_count or 0

    async def close(self) -> None:
        """Close the connection."""
        if self._publisher is not None:
            self._publisher.close()
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._connection.close()

    async def _catalogue(self) -> dict[str, dict[str, Any]]:
        entries: dict[str, dict[str, Any]] = {}
        found = await self.count(CATALOGUE)
        if found is None:
            return entries
        async with self.hand(CATALOGUE, at_most=found[0], there=found[0]) as hand:
            while (message := await hand.take()) is not None:
                entry = _object(message.body)
                if isinstance(name := entry.get("queue"), str) and name:
                    entries[name] = entry
        return entries

    @asynccontextmanager
    async def _alone(self, queue: str) -> AsyncIterator[None]:
        """Hold an exclusive queue, which the broker takes from the dead."""
        channel = await self._lock(f"{queue}.cli")
        if channel is None:
            raise CommandError(
                f"Somebody else is looking into {queue} or replaying it; try again "
                "when that is done."
            )
        try:
            yield
        finally:
            if not channel.is_closed:
                with suppress(Exception):
                    await channel.queue_delete(f"{queue}.cli", timeout=_CLOSE_SECONDS)
            await _close(channel)

    async def _lock(self, name: str) -> AbstractChannel | None:
        loop = asyncio.get_running_loop()
        limit = loop.time() + _BUSY_SECONDS
        while loop.time() < limit:
            channel = await self._connection.channel(publisher_confirms=False)
            try:
                await channel.queue_declare(
                    name, exclusive=True, auto_delete=True, timeout=ANSWER_SECONDS
                )
            except ChannelAccessRefused:
                return channel  # closed; who may not declare may still look
            except ChannelLockedResource:
                await asyncio.sleep(_BUSY_PAUSE)
            else:
                return channel
        return None


def place_of(url: str) -> str:
    """Host and port of a broker, which may be shown.

    Raises:
        UsageError: It is no address of one.
    """
    try:
        check_url(url)
    except ValueError:
        raise UsageError(
            "The address of the broker must be amqp:// or amqps:// with a host (value "
            "hidden)."
        ) from None
    parts = urlsplit(url)
    usual = 5671 if parts.scheme == "amqps" else 5672
    return f"{parts.hostname}:{parts.port or usual}"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Broker]:
    """A connection, and one line for whatever a broker can do wrong.

    Raises:
        CommandError: There is no connection, or it is lost.
    """
    place = place_of(url)
    connection = Connection(
        url, client_properties={"connection_name": "messaging command line"}
    )
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await connection.connect()
    except TimeoutError:
        raise CommandError(
            f"No connection to RabbitMQ at {place}: no answer within "
            f"{_CONNECT_SECONDS:g} seconds."
        ) from None
    except (AMQPError, OSError, RuntimeError, ValueError) as error:
        raise CommandError(
            f"No connection to RabbitMQ at {place}: {_line(error)}"
        ) from None
    broker = Broker(connection, place)
    try:
        yield broker
    except TimeoutError:
        raise CommandError(f"RabbitMQ at {place} gives no answer.") from None
    except (AMQPError, ChannelInvalidStateError, OSError) as error:
        raise CommandError(f"RabbitMQ at {place} refused: {_line(error)}") from None
    finally:
        await broker.close()


def _line(error: BaseException) -> str:
    return " ".join(describe(error).split())


async def _close(channel: AbstractChannel) -> None:
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            if not channel.is_closed:
                await channel.close()


def _facts(
    name: str, entry: dict[str, Any], messages: int, consumers: int
) -> QueueFacts:
    types = entry.get("event_types")
    return QueueFacts(
        name,
        _word(entry.get("kind")),
        _word(entry.get("service")),
        _word(entry.get("consumer")),
        tuple(str(each) for each in types) if isinstance(types, list) else (),
        messages,
        consumers,
    )


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _object(body: bytes) -> dict[str, Any]:
    """What somebody wrote into the catalogue; nothing if that was something else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
