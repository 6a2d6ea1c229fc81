"""Consumes one queue, and begins again whatever ends it.

Each time the broker gives us a channel there is a new `Consumption` of its own. That of
a channel that is gone begins nothing more: the broker delivers again what it had.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiormq.connection import Connection
from aiormq.exceptions import AMQPError
from pamqp.commands import Basic

from shared.messaging._consumption import Consumption, DeliveryLostError, Settler
from shared.messaging._errors import TopologyError
from shared.messaging._message import IncomingMessage
from shared.messaging._rabbit_channel import FastChannel, open_channel
from shared.messaging._rabbit_connection import Backoff, Link, describe, replies
from shared.messaging._rabbit_frames import Packet, Properties, ack, drop, reject
from shared.messaging._rabbit_publisher import Publisher
from shared.messaging._subscription import Subscription
from shared.messaging._topology import dead_queue, retry_queue

_log = logging.getLogger("shared.messaging")

ROUTING_KEY: Final = "x-routing-key"
"""On what is retried or dead: the routing key that it was published with."""

# The broker's own notes on the way of a message. Sent again they would be wrong, and
# some have consequences: CC lets it go to further queues, and x-death can make RabbitMQ
# take a retry for a cycle and drop it (rabbitmq.com/docs/dlx#effects).
_BROKERS: Final = frozenset(("CC", "BCC", "x-death", "x-delivery-count"))
_BROKERS_PREFIXES: Final = ("x-first-death-", "x-last-death-")

_OPEN_SECONDS: Final = 20.0
_CANCEL_SECONDS: Final = 5.0
# Of an ordered consumer: those whose aggregate has its turn later wait in hand.
_ORDERED_PREFETCH: Final = 10
# Consumptions of lost channels whose handlers may still run, beside the current one.
_MOST_OLD: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Tag:
    """How a message is settled."""

    session: _Session
    number: int
    routing_key: str
    properties: Basic.Properties


class Consumer:
    """The consumer of one subscription in this process.

    Args:
        subscription: Whose queue.
        link: The connection for consuming.
        publisher: Takes what is retried, and the dead letters.
        declare: Makes what the subscription needs.
        consumption: Makes one for a channel.
        prefetch: How many messages are in hand at most.
    """

    def __init__(
        self,
        subscription: Subscription,
        *,
        link: Link,
        publisher: Publisher,
        declare: Callable[[Connection], Awaitable[None]],
        consumption: Callable[[Subscription, Settler], Consumption],
        prefetch: int | None,
    ) -> None:
        self.subscription = subscription
        self.problem: Exception | None = None
        """Why it does not consume."""
        self.started = asyncio.Event()
        self._link = link
        self._declare = declare
        self._consumption = consumption
        self._settler = _Settler(subscription, publisher, self._redeclare)
        self._prefetch = prefetch or _prefetch(subscription)
        self._session: _Session | None = None
        self._old: dict[asyncio.Task[None], Consumption] = {}
        self._backoff = Backoff()

    @property
    def consuming(self) -> bool:
        """Whether the broker gives it messages."""
        return self._session is not None and not self._session.channel.ended.done()

    def runs(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether *task* is that of a handler."""
        current = [] if self._session is None else [self._session.consumption]
        return any(each.runs(task) for each in (*current, *self._old.values()))

    async def run(self) -> None:
        """Consume, and again whenever that ends, until cancelled."""
        while True:
            connection = await self._link.connected()
            problem = await self._once(connection)
            if type(problem) is not type(self.problem):
                _log.warning(
                    "%s consumes no more; trying again. %s",
                    *(self.subscription.consumer, describe(problem)),
                )
            self.problem = problem
            await asyncio.sleep(self._backoff.delay())
            await self._end_old()

    def begin_stop(self, *, timeout: float) -> None:
        """Begin no more from now on, and give handlers *timeout* seconds to end."""
        if self._session is not None:
            self._session.begin_stop(timeout)

    async def stop(self) -> None:
        """After `begin_stop`: wait for handlers, and give back what is not settled."""
        session, self._session = self._session, None
        if session is not None:
            await session.finish()
        for task in self._old:
            task.cancel()
        await asyncio.gather(*self._old, return_exceptions=True)

    async def _once(self, connection: Connection) -> Exception:
        """Consume until that ends; why it ended."""
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                with replies():
                    await self._declare(connection)
                    session = await _Session.open(
                        connection,
                        self.subscription.consumer,
                        self._consumption(self.subscription, self._settler),
                        self._prefetch,
                    )
        except Exception as error:  # whatever it is, this must go on
            return error.with_traceback(None)
        self._session = session
        self._backoff.succeeded()
        if self.problem is not None:
            _log.info("%s consumes again.", self.subscription.consumer)
        self.problem = None
        self.started.set()
        ended = await asyncio.shield(session.channel.ended)
        self._session = None
        self._retire(session)
        return ended

    def _retire(self, session: _Session) -> None:
        policy = self.subscription.policy
        longest = policy.timeout * (1 + policy.immediate_retries) + 1.0

        async def retire() -> None:
            await session.channel.close()
            await session.consumption.stop(timeout=longest)

        task = asyncio.get_running_loop().create_task(retire())
        self._old[task] = session.consumption
        task.add_done_callback(self._old.pop)

    async def _end_old(self) -> None:
        """Wait for handlers of lost channels, where more at once would be wrong."""
        if self.subscription.ordered:
            if self._old:
                await asyncio.wait(self._old)
            return
        while len(self._old) >= _MOST_OLD:
            await asyncio.wait(self._old, return_when=asyncio.FIRST_COMPLETED)

    async def _redeclare(self) -> None:
        connection = self._link.connection
        if connection is not None:
            with suppress(AMQPError, OSError, TopologyError, RuntimeError), replies():
                await self._declare(connection)


class _Session:
    """One channel that consumes."""

    def __init__(self, consumption: Consumption) -> None:
        self.consumption = consumption
        self.channel: FastChannel
        self._settled: list[bytes] = []
        self._tag = ""
        self._stopping: asyncio.Task[None] | None = None
        self._holding = False

    @classmethod
    async def open(
        cls,
        connection: Connection,
        queue: str,
        consumption: Consumption,
        prefetch: int,
    ) -> _Session:
        session = cls(consumption)
        session.channel = channel = await open_channel(
            connection, confirms=False, on_content=session._on_message
        )
        try:
            await channel.rpc.basic_qos(prefetch_count=prefetch)
            reply = await channel.rpc.basic_consume(queue, _unused)
            session._tag = reply.consumer_tag or ""
        except BaseException:
            await channel.close()
            await consumption.stop(timeout=0.0)
            raise
        return session

    def settle(self, frame: Callable[[int, int], bytes], number: int) -> None:
        """Tell the broker, together with what else is settled at this moment."""
        if not self._settled:
            asyncio.get_running_loop().call_soon(self._flush)
        self._settled.append(frame(self.channel.number, number))

    def begin_stop(self, timeout: float) -> None:
        """Begin no more from now on."""
        # RabbitMQ 3.10: an acknowledgement just before the cancellation makes room for
        # a message that is delivered to nobody then, and comes back behind the others.
        self._holding = True
        loop = asyncio.get_running_loop()
        self._stopping = loop.create_task(self.consumption.stop(timeout=timeout))

    async def finish(self) -> None:
        """Take no more, let handlers end, and close."""
        with suppress(AMQPError, OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                with replies():
                    await self.channel.rpc.basic_cancel(self._tag)
        self._holding = False
        self._flush()
        if self._stopping is not None:
            await self._stopping
        self._flush()
        await self.channel.close()

    def _flush(self) -> None:
        if self._holding:
            return
        if self._settled and not self.channel.ended.done():
            self.channel.send(b"".join(self._settled))
        self._settled.clear()

    def _on_message(
        self,
        frame: Basic.Deliver | Basic.Return,
        properties: Basic.Properties,
        body: bytes,
    ) -> None:
        if not isinstance(frame, Basic.Deliver):
            return
        number = frame.delivery_tag or 0
        try:
            self.consumption.accept(_incoming(self, frame, properties, body))
        except Exception:
            # Our mistake, and not a reason to lose the connection. After as many
            # deliveries as the queue allows it is a dead letter.
            _log.exception("A message could not be accepted.")
            self.settle(reject, number)


class _Settler:
    """Tells the broker what became of a message."""

    def __init__(
        self,
        subscription: Subscription,
        publisher: Publisher,
        redeclare: Callable[[], Awaitable[None]],
    ) -> None:
        self._consumer = subscription.consumer
        self._publisher = publisher
        self._redeclare = redeclare

    async def done(self, message: IncomingMessage) -> None:
        tag: _Tag = message.tag
        if tag.session.channel.ended.done():
            raise DeliveryLostError
        tag.session.settle(ack, tag.number)

    async def retry(
        self, message: IncomingMessage, *, delay: float, headers: dict[str, Any]
    ) -> None:
        await self._move(message, retry_queue(self._consumer, delay), headers)

    async def dead(self, message: IncomingMessage, *, headers: dict[str, Any]) -> None:
        await self._move(message, dead_queue(self._consumer), headers)

    async def _move(
        self, message: IncomingMessage, queue: str, headers: dict[str, Any]
    ) -> None:
        """Put a copy into *queue*, and only then let go of the message."""
        tag: _Tag = message.tag
        ended = tag.session.channel.ended
        try:
            packet = Packet.of("", queue, _copied(message, headers), message.body)
        except ValueError as unfit:
            self._let_die(tag, unfit)
            return
        backoff = Backoff()
        while not ended.done():
            [error] = await self._publisher.publish([packet])
            if error is None:
                await self.done(message)
                return
            if isinstance(error, ValueError):
                self._let_die(tag, error)
                return
            _log.warning(
                "A message of %s could not be put into %s; trying again. %s",
                *(self._consumer, queue, describe(error.__cause__ or error)),
            )
            await self._redeclare()  # somebody may have deleted that queue
            await asyncio.wait([ended], timeout=backoff.delay())
        raise DeliveryLostError

    def _let_die(self, tag: _Tag, error: ValueError) -> None:
        """Have the broker make a dead letter of it, as it came.

        A copy that has no room for our headers would never be taken.
        """
        if tag.session.channel.ended.done():
            raise DeliveryLostError
        _log.error(
            "A message of %s is a dead letter without its history, for which it has "
            "no room. %s",
            *(self._consumer, describe(error)),
        )
        tag.session.settle(drop, tag.number)


async def _unused(_: object) -> None:
    """Satisfy aiormq, which wants a callback. No message reaches it."""


def _prefetch(subscription: Subscription) -> int:
    if subscription.ordered:
        return subscription.concurrency * _ORDERED_PREFETCH
    return subscription.concurrency * 2


def _incoming(
    session: _Session, frame: Basic.Deliver, properties: Basic.Properties, body: bytes
) -> IncomingMessage:
    headers = properties.headers or {}
    routing_key = headers.get(ROUTING_KEY)
    if not isinstance(routing_key, str):
        routing_key = frame.routing_key or ""
        if not frame.exchange and properties.message_type:
            # It was put into the queue itself: the key is the name of the queue.
            routing_key = properties.message_type
    return IncomingMessage(
        body=body,
        content_type=properties.content_type or "application/json",
        headers=headers,
        event_type=routing_key,
        message_id=properties.message_id or "",
        redelivered=bool(frame.redelivered),
        tag=_Tag(session, frame.delivery_tag or 0, routing_key, properties),
    )


def _copied(message: IncomingMessage, headers: dict[str, Any]) -> Properties:
    """The properties of a copy: all but those that would have consequences.

    ``expiration`` would let a dead letter vanish, and the broker refuses the
    ``user_id`` of somebody else.
    """
    tag: _Tag = message.tag
    properties = tag.properties
    kept = {
        name: value
        for name, value in message.headers.items()
        if not is_brokers_own(name)
    }
    return Properties(
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        headers=kept | headers | {ROUTING_KEY: tag.routing_key},
        priority=properties.priority,
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        message_id=properties.message_id,
        timestamp=properties.timestamp,
        type=properties.message_type,
        app_id=properties.app_id,
    )


def is_brokers_own(header: str) -> bool:
    """Whether *header* is the broker's note, and no part of what was sent."""
    return header in _BROKERS or header.startswith(_BROKERS_PREFIXES)
