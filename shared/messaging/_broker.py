"""Queues in memory, which do what a broker does.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from shared.messaging._consumption import DeliveryLostError
from shared.messaging._errors import BrokerUnavailableException, TopologyError
from shared.messaging._history import CONSUMER, OWN_HEADERS, REASON, Reason
from shared.messaging._message import IncomingMessage, OutgoingMessage
from shared.messaging._subscription import Subscription

_WAITS: Final = 10.0  # seconds that a publisher waits for room
_UNROUTED: Final = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that no handler will get again unless it is replayed."""

    consumer: str
    """Whose handler failed: service and handler."""
    message: IncomingMessage
    """As it was delivered last."""
    headers: Mapping[str, Any]
    """Of the message, and what became of it: ``x-attempts``, ``x-history``, ..."""
    reason: Reason


@dataclass(frozen=True, slots=True)
class Backlog:
    """What there is in a queue, without its dead letters."""

    waiting: int
    delayed: int
    """Waiting for another round."""
    in_hand: int

    def __bool__(self) -> bool:
        return bool(self.waiting or self.delayed or self.in_hand)


@dataclass(slots=True, eq=False)
class _Entry:
    """A message in one queue."""

    number: int  # the order in which messages came to the queue
    sent: OutgoingMessage
    headers: Mapping[str, Any]
    deliveries: int = 0

    def message(self, *, tag: object = None) -> IncomingMessage:
        return IncomingMessage(
            body=self.sent.body,
            content_type=self.sent.content_type,
            headers=self.headers,
            event_type=self.sent.event_type,
            message_id=str(self.sent.event_id),
            redelivered=self.deliveries > 1,
            tag=tag,
        )


@dataclass(slots=True, eq=False)
class _Queue:
    name: str
    ordered: bool
    ready: deque[_Entry] = field(default_factory=deque)
    delayed: int = 0
    dead: deque[tuple[_Entry, DeadLetter]] = field(default_factory=deque)
    consumers: deque[Consumer] = field(default_factory=deque)

    def free_consumer(self) -> Consumer | None:
        """Whose turn it is; of an ordered queue it is always the first one's."""
        for _ in range(1 if self.ordered else len(self.consumers)):
            if not self.consumers:
                return None
            consumer = self.consumers[0]
            if not self.ordered:
                self.consumers.rotate(-1)
            if len(consumer.held) < consumer.prefetch:
                return consumer
        return None


class Consumer:
    """Who takes messages out of a queue, some at once, and settles them."""

    def __init__(self, broker: InMemoryBroker, queue: _Queue, prefetch: int) -> None:
        self.prefetch = prefetch
        self.held: dict[_Entry, None] = {}
        self.deliver: Callable[[IncomingMessage], object]
        self.queue = queue
        self._broker = broker

    async def done(self, message: IncomingMessage) -> None:
        """Forget it."""
        self._take(message)
        self._broker.forget(self.queue)

    async def retry(
        self, message: IncomingMessage, *, delay: float, headers: dict[str, Any]
    ) -> None:
        """Keep it for another round."""
        entry = self._take(message)
        entry.headers = MappingProxyType({**entry.headers, **headers})
        self._broker.delay(self.queue, entry, delay)

    async def dead(self, message: IncomingMessage, *, headers: dict[str, Any]) -> None:
        """Put it to the dead letters."""
        self._broker.bury(self.queue, self._take(message), headers)

    def _take(self, message: IncomingMessage) -> _Entry:
        entry: _Entry = message.tag
        if entry not in self.held:
            raise DeliveryLostError
        del self.held[entry]
        return entry


class InMemoryBroker:
    """What the buses of several services in one process share.

    Nothing of it outlives the process.

    Args:
        max_messages: How many messages it keeps for all handlers, dead letters too. A
            publisher waits for room.
        max_unrouted: How many of the latest events that nobody wanted it keeps.
        patience: Seconds that a publisher waits for room at most.
        clock: Seconds, for delayed retries.
        sleep: Waits for them.
    """

    def __init__(
        self,
        *,
        max_messages: int = 100_000,
        max_unrouted: int = _UNROUTED,
        patience: float = _WAITS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if max_messages < 1:
            raise ValueError(f"max_messages must be positive (got {max_messages}).")
        if max_unrouted < 0:
            raise ValueError(f"max_unrouted must not be negative (got {max_unrouted}).")
        if not patience > 0:
            raise ValueError(f"patience must be positive (got {patience}).")
        self._max_messages = max_messages
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._queues: dict[str, _Queue] = {}
        self._bindings: dict[str, dict[str, _Queue]] = {}
        self._kept = 0
        self._numbers = count()
        self._unrouted: deque[IncomingMessage] = deque(maxlen=max_unrouted)
        self._unrouted_count = 0
        self._publishers: deque[asyncio.Future[None]] = deque()
        self._watchers: list[asyncio.Future[None]] = []
        self._delayed: list[tuple[float, int, _Queue, _Entry]] = []
        self._timer: asyncio.Task[None] | None = None
        self._wakes_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._users = 0

    @property
    def unrouted(self) -> tuple[IncomingMessage, ...]:
        """The latest events that there was no subscription for."""
        return tuple(self._unrouted)

    @property
    def unrouted_count(self) -> int:
        """How many events there was no subscription for, kept or not."""
        return self._unrouted_count

    def backlog(self) -> dict[str, Backlog]:
        """What there is in each queue."""
        return {
            queue.name: Backlog(
                len(queue.ready),
                queue.delayed,
                sum(len(consumer.held) for consumer in queue.consumers),
            )
            for queue in self._queues.values()
        }

    async def idle(self) -> None:
        """Wait until nothing waits, is delayed or in hand."""
        while any(self.backlog().values()):
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    def dead_letters(self, consumer: str | None = None) -> tuple[DeadLetter, ...]:
        """The dead letters of all handlers, or of one, the oldest first."""
        return tuple(letter for _, letter in self._dead(consumer))

    def replay(self, consumer: str) -> int:
        """Give a handler its dead letters again, as if they were new; how many."""
        queue = self._queues.get(consumer)
        if queue is None:
            return 0
        replayed = len(queue.dead)
        while queue.dead:
            entry, _ = queue.dead.popleft()
            headers = entry.headers.items()
            entry.headers = {n: v for n, v in headers if n not in OWN_HEADERS}
            entry.deliveries = 0
            self._append(queue, entry)
        self._pump(queue)
        return replayed

    def purge(self, consumer: str) -> int:
        """Throw the dead letters of a handler away; how many."""
        queue = self._queues.get(consumer)
        if queue is None:
            return 0
        purged = len(queue.dead)
        queue.dead.clear()
        self._kept -= purged
        self._wake_publishers()
        return purged

    def _dead(self, consumer: str | None) -> Iterable[tuple[_Entry, DeadLetter]]:
        for queue in self._queues.values():
            if consumer in (None, queue.name):
                yield from queue.dead

    # What buses call.

    def open(self) -> None:
        """One more bus uses this broker, in the event loop that runs.

        Raises:
            RuntimeError: The others are in another loop.
        """
        loop = asyncio.get_running_loop()
        if self._users and loop is not self._loop:
            raise RuntimeError("This InMemoryBroker is used in another event loop.")
        self._loop = loop
        self._users += 1
        self._arm()

    def close(self) -> None:
        """A bus does not use it any more."""
        self._users -= 1
        if not self._users and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def declare(self, subscriptions: Iterable[Subscription]) -> None:
        """Make queues and bindings, unless they are there.

        Raises:
            TopologyError: One is there and of another kind. Nothing was declared.
        """
        subscriptions = tuple(subscriptions)
        for subscription in subscriptions:
            known = self._queues.get(subscription.consumer)
            if known is not None and known.ordered is not subscription.ordered:
                raise TopologyError(
                    f"The queue {known.name} was declared with ordered={known.ordered}."
                )
        for subscription in subscriptions:
            name = subscription.consumer
            queue = self._queues.setdefault(name, _Queue(name, subscription.ordered))
            for key in subscription.routing_keys:
                self._bindings.setdefault(key, {})[name] = queue

    def consumer(self, name: str, *, prefetch: int) -> Consumer:
        """Who is going to consume from a queue that was declared."""
        return Consumer(self, self._queues[name], prefetch)

    def attach(self, consumer: Consumer) -> None:
        """Begin to deliver."""
        consumer.queue.consumers.append(consumer)
        self._pump(consumer.queue)

    def pause(self, consumer: Consumer) -> None:
        """Deliver no more."""
        consumer.prefetch = 0

    def detach(self, consumer: Consumer) -> None:
        """Put what it holds back, where it was."""
        queue = consumer.queue
        held = sorted(consumer.held, key=lambda entry: entry.number)
        consumer.held.clear()
        queue.consumers.remove(consumer)
        queue.ready.extendleft(reversed(held))
        self._pump(queue)

    async def publish(self, message: OutgoingMessage) -> None:
        """Put *message* into the queues that are bound for it.

        Raises:
            BrokerUnavailableException: There was no room for it in time.
        """
        queues = self._bindings.get(message.event_type)
        headers = MappingProxyType(message.headers)
        if not queues:
            entry = _Entry(0, message, headers)
            self._unrouted.append(entry.message())
            self._unrouted_count += 1
            return
        if self._kept >= self._max_messages or self._publishers:
            await self._room()
        for queue in queues.values():
            self._kept += 1
            self._append(queue, _Entry(0, message, headers))
            self._pump(queue)

    @property
    def full(self) -> bool:
        """Whether a publisher has to wait."""
        return self._kept >= self._max_messages

    async def _room(self) -> None:
        publisher = asyncio.get_running_loop().create_future()
        self._publishers.append(publisher)
        try:
            async with asyncio.timeout(self._patience):
                await publisher
        except TimeoutError:
            raise BrokerUnavailableException(
                f"{self._kept} messages are in memory, and there may be "
                f"{self._max_messages}: handlers are too slow or there are too many "
                "dead letters."
            ) from None
        finally:
            self._publishers.remove(publisher)
            # The one after us, where we were woken and did not come to publish.
            asyncio.get_running_loop().call_soon(self._wake_publishers)

    def _wake_publishers(self) -> None:
        for index, publisher in enumerate(self._publishers):
            if index >= self._max_messages - self._kept:
                break
            if not publisher.done():
                publisher.set_result(None)

    # What consumers call.

    def forget(self, queue: _Queue) -> None:
        """A message was handled."""
        self._kept -= 1
        self._settled(queue)

    def delay(self, queue: _Queue, entry: _Entry, seconds: float) -> None:
        """A message is to come again later."""
        queue.delayed += 1
        entry.deliveries = 0
        entry.number = next(self._numbers)
        due = self._clock() + seconds
        heappush(self._delayed, (due, entry.number, queue, entry))
        self._arm()
        self._settled(queue)

    def bury(self, queue: _Queue, entry: _Entry, headers: Mapping[str, Any]) -> None:
        """A message is a dead letter."""
        message = entry.message()
        entry.headers = MappingProxyType({**entry.headers, **headers})
        letter = DeadLetter(
            headers[CONSUMER], message, entry.headers, Reason(headers[REASON])
        )
        queue.dead.append((entry, letter))
        self._settled(queue)

    def _settled(self, queue: _Queue) -> None:
        self._pump(queue)
        if self._publishers:
            self._wake_publishers()
        if self._watchers and not any(self.backlog().values()):
            for watcher in self._watchers:
                if not watcher.done():
                    watcher.set_result(None)
            self._watchers.clear()

    def _append(self, queue: _Queue, entry: _Entry) -> None:
        entry.number = next(self._numbers)
        queue.ready.append(entry)

    def _pump(self, queue: _Queue) -> None:
        while queue.ready:
            consumer = queue.free_consumer()
            if consumer is None:
                return
            entry = queue.ready.popleft()
            entry.deliveries += 1
            consumer.held[entry] = None
            consumer.deliver(entry.message(tag=entry))

    # Delayed retries: one task waits for the first that is due.

    def _arm(self) -> None:
        if not (self._delayed and self._users and self._loop):
            return
        due = self._delayed[0][0]
        if self._timer is not None:
            if not self._timer.done() and self._wakes_at <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.create_task(self._return(), context=Context())
        self._wakes_at = due

    async def _return(self) -> None:
        while self._delayed:
            due = self._wakes_at = self._delayed[0][0]
            wait = due - self._clock()
            if wait > 0:
                await self._sleep(wait)
            # What slept says that it is time, whatever the clock says.
            while self._delayed and self._delayed[0][0] <= due:
                *_, queue, entry = heappop(self._delayed)
                queue.delayed -= 1
                self._append(queue, entry)
                self._pump(queue)
