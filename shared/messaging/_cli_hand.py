"""Messages that are taken out of a queue to be looked at, and put back to their places.

Asking for them one by one takes an agreement of all replicas and a write to disk for
each, so they come in portions.

What a quorum queue gets back it puts behind what it got back before, and gives all of
that out before the rest. So the order is kept if everything that it ever got back is
taken, and comes back at once: when the channel is closed it goes back in order, portion
by portion, as long as these are not more than 32. (Rejected one by one it does not:
what is on its way in numbers goes back in any order.) All of this was found by trying,
on RabbitMQ 3.10, and cli_server_test.py tries it again.

Private: used by ``shared.messaging.cli`` only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import Any, Final

from aiormq.connection import Connection
from aiormq.exceptions import ChannelLockedResource, ChannelNotFoundEntity
from pamqp.commands import Basic

from shared.messaging._cli_errors import CommandError
from shared.messaging._cli_message import Message
from shared.messaging._rabbit_channel import FastChannel, open_channel
from shared.messaging._rabbit_frames import ack

ANSWER_SECONDS: Final = 30.0

# In one portion, at least; and how many portions there are at most, about. An event may
# have a megabyte.
_PORTION: Final = 100
_PORTIONS: Final = 25
# Without a message, after which it is asked whether there is one.
_QUIET_SECONDS: Final = 1.0


class Hand:
    """Some messages of one queue, the first ones. Make it with `taken_in_hand`.

    Args:
        queue: Which.
        at_most: How many messages are handed out at most.
        there: How many there are.
    """

    def __init__(self, queue: str, *, at_most: int, there: int) -> None:
        self.channel: FastChannel
        self._queue = queue
        self._left = at_most
        self._there = there
        self._portion = max(_PORTION, ceil(there / _PORTIONS))
        self._portions = 0
        self._ready: deque[Message] = deque()
        self._taken = 0
        self._returned = False  # the latest was given back before
        self._arrived = asyncio.Event()

    async def take(self) -> Message | None:
        """The next message; None when there is none, or when it is enough.

        Raises:
            CommandError: There is no such queue, or it can't be looked into.
        """
        if self._left <= 0:
            return None
        if not self._ready and self._taken < self._there:
            try:
                await self._fill(self._left)
            except ChannelNotFoundEntity:
                raise CommandError(f"There is no queue {self._queue!r}.") from None
            except ChannelLockedResource:
                raise CommandError(
                    f"{self._queue} is ordered: its messages are handed to one "
                    "consumer only, and nobody else can look at them."
                ) from None
        if not self._ready:
            return None
        self._left -= 1
        return self._ready.popleft()

    def done(self, message: Message) -> None:
        """Take *message* out of the queue for good."""
        self.channel.send(ack(self.channel.number, message.tag))

    async def reach_all_returned(self) -> None:
        """Take what else was given back before, so that it stays behind ours."""
        while self._returned and self._taken < self._there:
            self._ready.clear()
            await self._fill(self._portion)

    def on_content(
        self,
        frame: Basic.Deliver | Basic.Return,
        properties: Basic.Properties,
        body: bytes,
    ) -> None:
        """Take what comes."""
        if isinstance(frame, Basic.Deliver):
            self._add(frame, properties, body)

    def _add(
        self,
        frame: Basic.Deliver | Basic.GetOk,
        properties: Basic.Properties,
        body: bytes,
    ) -> None:
        self._ready.append(
            Message.of(
                frame.delivery_tag,
                frame.exchange,
                frame.routing_key,
                properties,
                body,
            )
        )
        self._taken += 1
        self._returned = bool(frame.redelivered)
        self._arrived.set()

    async def _fill(self, wanted: int) -> None:
        size = min(wanted, self._portion, self._there - self._taken)
        rpc = self.channel.rpc
        self._portions += 1
        tag = f"hand-{self._portions:09}"
        await rpc.basic_qos(prefetch_count=size, timeout=ANSWER_SECONDS)
        await rpc.basic_consume(
            self._queue, _unused, consumer_tag=tag, timeout=ANSWER_SECONDS
        )
        quiet = False
        while len(self._ready) < size and not quiet:
            quiet = not await self._arrival()
        # What was on its way is there before the answer is.
        await rpc.basic_cancel(tag, timeout=ANSWER_SECONDS)
        if len(self._ready) < size:
            got = await rpc.basic_get(self._queue, timeout=ANSWER_SECONDS)
            if isinstance(got.delivery, Basic.GetOk):
                self._add(got.delivery, got.header.properties, got.body)
            else:
                self._there = self._taken

    async def _arrival(self) -> bool:
        """Wait for a message; whether one came before it was quiet for too long.

        Raises:
            Exception: The channel ended.
        """
        self._arrived.clear()
        arrival = asyncio.ensure_future(self._arrived.wait())
        either: set[asyncio.Future[Any]] = {arrival, self.channel.ended}
        try:
            await asyncio.wait(
                either,
                timeout=_QUIET_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            arrival.cancel()
        if self.channel.ended.done():
            raise self.channel.ended.result()
        return self._arrived.is_set()


@asynccontextmanager
async def taken_in_hand(
    connection: Connection, queue: str, *, at_most: int, there: int
) -> AsyncIterator[Hand]:
    """Take messages of *queue* in hand; all that are not done go back in the end.

    To their places, unless it ends with an error.

    Args:
        connection: Of the command line.
        queue: Which.
        at_most: How many messages are handed out at most.
        there: How many there are.
    """
    hand = Hand(queue, at_most=at_most, there=there)
    hand.channel = await open_channel(
        connection, confirms=False, on_content=hand.on_content
    )
    try:
        yield hand
        await hand.reach_all_returned()
    finally:
        await hand.channel.close()


async def _unused(_: object) -> None:
    """Satisfy aiormq, which wants a callback. No message reaches it."""
