"""Goes through a queue and moves or drops what is meant; the rest stays in its order.

Private: used by ``shared.messaging.cli`` only.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.messaging._cli_broker import Broker
from shared.messaging._cli_errors import CommandError
from shared.messaging._cli_filter import MessageFilter
from shared.messaging._cli_hand import Hand
from shared.messaging._cli_message import Message

# RabbitMQ closes the channel of whoever keeps a message for 30 minutes, if not less:
# https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout
_HOLD_SECONDS: Final = 300.0

Act = Callable[[Message], Awaitable[bool]]
Kind = tuple[str | None, str | None, str | None, str | None]


@dataclass(slots=True)
class Tally:
    """How far it is."""

    total: int
    """Messages that were there at the beginning."""
    seen: int = 0
    done: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    """Type, reason, error and digest of those that are meant and still there."""
    stopped: bool = False


class Stop:
    """Whether somebody wants it to end; waiting ends then."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """End after the message that is in hand."""
        self._asked.set()

    def asked(self) -> bool:
        """Whether it was."""
        return self._asked.is_set()

    async def sleep(self, seconds: float) -> None:
        """Wait, or until it is asked."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            pass


class Pace:
    """When the next message may go.

    Args:
        interval: Seconds from one to the next.
        clock: Seconds.
    """

    def __init__(
        self, interval: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._next = clock()

    def left(self) -> float:
        """Seconds until then; not more than 0 if it may go now."""
        return self._next - self._clock()

    def went(self) -> None:
        """One went. What was missed is not made up for."""
        self._next = max(self._next, self._clock()) + self._interval


class Walk:
    """One way through a queue.

    It sees as many messages as there are at the beginning and no more: what comes in
    meanwhile, such as a dead letter that was replayed and died again, comes behind.

    Args:
        broker: Where.
        queue: Which.
        meant: Which messages are meant.
        now: The time of day.
        limit: How many of them at most.
        pace: How fast.
        stop: When somebody wants it to end.
        tell: Called when a message was seen.
        hold_seconds: How long messages are kept in hand before they are given back and
            taken again.
        clock: Seconds.
    """

    def __init__(
        self,
        broker: Broker,
        queue: str,
        meant: MessageFilter,
        *,
        now: Callable[[], datetime],
        limit: int | None = None,
        pace: Pace | None = None,
        stop: Stop,
        tell: Callable[[Tally], object] = lambda _: None,
        hold_seconds: float = _HOLD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._queue = queue
        self._meant = meant
        self._now = now
        self._limit = limit
        self._pace = pace
        self._stop = stop
        self.tell = tell
        self._hold_seconds = hold_seconds
        self._clock = clock
        self.tally = Tally(0)

    async def look(self) -> Tally:
        """Count those that are meant, and leave everything as it is."""

        async def leave(_: Message) -> bool:
            return False

        return await self.run(leave)

    async def run(self, act: Act) -> Tally:
        """Call *act* with each that is meant; those for which it is true are gone.

        Raises:
            CommandError: The broker does not go along. What is done stays done, and the
                tally says how much that is.
        """
        tally = self.tally
        tally.total = await self._broker.messages(self._queue)
        while not await self._once(act):
            # With nothing in hand, however long that is.
            if self._pace is not None:
                await self._stop.sleep(self._pace.left())
        tally.stopped = self._stop.asked()
        return tally

    async def _once(self, act: Act) -> bool:
        """Go through what is left; False when messages are in hand for too long."""
        tally, gone = self.tally, self.tally.done
        tally.seen = tally.done
        tally.kinds.clear()
        until = self._clock() + self._hold_seconds
        left = tally.total - tally.done
        async with self._broker.hand(self._queue, at_most=left, there=left) as hand:
            while tally.seen < tally.total and not self._stop.asked():
                if tally.done + tally.kinds.total() == self._limit:
                    break
                message = await hand.take()
                if message is None:
                    break
                if self._meant.matches(message.facts(), message.moment, self._now()):
                    wait = 0.0 if self._pace is None else max(0.0, self._pace.left())
                    # What is given back was not in vain: something is gone.
                    if self._clock() + wait > until and tally.done > gone:
                        return False
                    await self._stop.sleep(wait)
                    if self._stop.asked():
                        break
                    await self._settle(hand, message, act)
                tally.seen += 1
                self.tell(tally)
        return True

    async def _settle(self, hand: Hand, message: Message, act: Act) -> None:
        if not await act(message):
            self.tally.kinds[_kind(message)] += 1
            return
        hand.done(message)
        self.tally.done += 1
        if self._pace is not None:
            self._pace.went()


def _kind(message: Message) -> Kind:
    facts = message.facts()
    return facts["type"], facts["reason"], facts["error"], facts["digest"]


def replay(
    broker: Broker,
    *,
    exchange: str,
    routing_key: str | None,
    now: Callable[[], datetime],
) -> Act:
    """What a replay does with a message: it is there before it is gone here.

    Whoever dies in between leaves it at both places, and at none never.

    Args:
        broker: Where.
        exchange: To which.
        routing_key: With which; the one that it was first published with, if None.
        now: The time of day.
    """

    async def act(message: Message) -> bool:
        key = routing_key or message.event_type
        if key is None:
            return False
        try:
            packet = message.again(exchange, key, now())
        except ValueError as error:
            name = message.properties.message_id
            raise CommandError(f"The message {name!r} can't be sent: {error}") from None
        await broker.publish(packet)
        return True

    return act


async def drop(_: Message) -> bool:
    """What a purge does with a message."""
    return True
