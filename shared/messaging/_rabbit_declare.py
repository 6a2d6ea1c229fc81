"""Declares exchanges, queues and bindings: all of them, or none.

RabbitMQ can't be asked for the arguments of a queue. So what exists already is declared
first, which changes nothing and shows every conflict, and only then the rest is made.

It can't be asked for the names of its queues either. So before a queue is made, a
message about it goes to the queue `CATALOGUE`; there may be several about the same, and
one about a queue that is gone. The body is JSON:

    queue        accounts.send_welcome.retry.10000ms
    kind         main, retry, dead or unrouted
    service      accounts
    consumer     accounts.send_welcome; null where it is nobody's
    event_types  what the consumer was subscribed to then
    at           when, RFC 3339

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiormq.abc import AbstractChannel
from aiormq.connection import Connection
from aiormq.exceptions import (
    AMQPChannelError,
    ChannelNotFoundEntity,
)
from pamqp.commands import Basic

from shared.messaging._errors import TopologyError
from shared.messaging._rabbit_connection import describe
from shared.messaging._topology import (
    CATALOGUE,
    UNROUTED,
    Exchange,
    Queue,
    Topology,
    dead_queue,
)

_log = logging.getLogger("shared.messaging")


class Declarer:
    """Declares what one service needs.

    Args:
        service_name: Whose queues they are.
        topology: All of them.
        now: The time of day.
    """

    def __init__(
        self, service_name: str, topology: Topology, *, now: Callable[[], datetime]
    ) -> None:
        self._service_name = service_name
        self._now = now
        self._event_types: dict[str, list[str]] = {}
        for binding in topology.bindings:
            if binding.queue != UNROUTED:
                types = self._event_types.setdefault(binding.queue, [])
                types.append(binding.routing_key)

    async def declare(self, connection: Connection, topology: Topology) -> None:
        """Make what is missing of *topology*.

        Raises:
            TopologyError: A part exists with other arguments. Nothing was declared.
        """
        async with _Scratch(connection) as scratch:
            missing, conflicts = await _compare(scratch, topology)
            if conflicts:
                raise TopologyError(f"{' '.join(conflicts)} {_DO}")
            try:
                await self._make(scratch, missing)
            except _ConflictError as error:  # somebody made it meanwhile
                raise TopologyError(f"{error} {_DO}") from error
            for binding in topology.bindings:
                await scratch.channel.queue_bind(
                    binding.queue, binding.exchange, binding.routing_key
                )

    async def _make(self, scratch: _Scratch, missing: list[Exchange | Queue]) -> None:
        # The catalogue before what is entered there.
        for part in sorted(missing, key=lambda part: part.name != CATALOGUE):
            if isinstance(part, Queue) and part.name != CATALOGUE:
                await scratch.publish(CATALOGUE, self._entry(part))
            await scratch.declare(part)
            _log.info("Made the %s %s.", _what(part), part.name)

    def _entry(self, queue: Queue) -> bytes:
        kind, consumer = self._kind(queue.name)
        entry = {
            "queue": queue.name,
            "kind": kind,
            "service": self._service_name,
            "consumer": consumer,
            "event_types": self._event_types.get(consumer or "", []),
            "at": self._now().isoformat(),
        }
        return json.dumps(entry).encode()

    def _kind(self, queue: str) -> tuple[str, str | None]:
        for consumer in self._event_types:
            if queue == consumer:
                return "main", consumer
            if queue == dead_queue(consumer):
                return "dead", consumer
        for consumer in self._event_types:
            if queue.startswith(f"{consumer}.retry."):
                return "retry", consumer
        return "unrouted", None


async def message_counts(
    connection: Connection, queues: tuple[str, ...]
) -> dict[str, int]:
    """How many messages wait in each of *queues*; those that don't exist are left out.

    Messages that a consumer has in hand are not among them.
    """
    counts = {}
    async with _Scratch(connection) as scratch:
        for queue in queues:
            count = await scratch.count(queue)
            if count is not None:
                counts[queue] = count
    return counts


class _Scratch:
    """A channel for questions that may end it; then the next one is on a new one."""

    channel: AbstractChannel

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> _Scratch:
        self.channel = await self._connection.channel()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if not self.channel.is_closed:
            await self.channel.close()

    async def _renew(self) -> None:
        if not self.channel.is_closed:
            await self.channel.close()
        self.channel = await self._connection.channel()

    async def exists(self, part: Exchange | Queue) -> bool:
        """Whether there is one of this name.

        Raises:
            _ConflictError: There is, and it is nothing for us.
        """
        try:
            if isinstance(part, Queue):
                await self.channel.queue_declare(part.name, passive=True)
            else:
                await self.channel.exchange_declare(part.name, passive=True)
        except ChannelNotFoundEntity:
            await self._renew()
            return False
        except AMQPChannelError as error:
            await self._renew()
            raise _ConflictError(part, error) from error
        return True

    async def declare(self, part: Exchange | Queue) -> None:
        """Make it, or see that it is there as it should be.

        Raises:
            _ConflictError: It is there, and is another one.
        """
        arguments = dict(part.arguments)
        try:
            if isinstance(part, Queue):
                await self.channel.queue_declare(
                    part.name, durable=True, arguments=arguments
                )
            else:
                await self.channel.exchange_declare(
                    part.name,
                    exchange_type=part.kind,
                    durable=True,
                    arguments=arguments,
                )
        except AMQPChannelError as error:
            await self._renew()
            raise _ConflictError(part, error) from error

    async def count(self, queue: str) -> int | None:
        """How many messages it has ready; None if there is no such queue."""
        try:
            found = await self.channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            await self._renew()
            return None
        return found.message_count or 0

    async def publish(self, queue: str, body: bytes) -> None:
        await self.channel.basic_publish(
            body,
            routing_key=queue,
            mandatory=True,
            properties=Basic.Properties(
                content_type="application/json", delivery_mode=2, message_id="entry"
            ),
        )


async def _compare(
    scratch: _Scratch, topology: Topology
) -> tuple[list[Exchange | Queue], list[str]]:
    """What is missing, and what is there and is another one. Changes nothing."""
    missing: list[Exchange | Queue] = []
    conflicts = []
    parts: list[Exchange | Queue] = [*topology.exchanges, *topology.queues]
    for part in parts:
        try:
            if await scratch.exists(part):
                await scratch.declare(part)
            else:
                missing.append(part)
        except _ConflictError as error:
            conflicts.append(str(error))
    return missing, conflicts


_DO: Final = (
    "Nothing was declared. Take out what is in it and delete it, so that it is made "
    "anew, or name the subscription otherwise."
)


class _ConflictError(Exception):
    def __init__(self, part: Exchange | Queue, error: Exception) -> None:
        super().__init__(
            f"The {_what(part)} {part.name!r} can't be declared as it must be "
            f"({describe(error)})."
        )


def _what(part: Exchange | Queue) -> str:
    return "queue" if isinstance(part, Queue) else "exchange"
