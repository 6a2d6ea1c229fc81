"""From the outbox to the bus.

Private: import these names from ``shared.messaging.outbox``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite
from operator import attrgetter
from typing import Final, Protocol, Self

from shared.database import Database
from shared.messaging._errors import BrokerUnavailableException
from shared.messaging._message import OutgoingMessage
from shared.messaging._outbox_postgresql import PostgresqlRows
from shared.messaging._outbox_rows import Row, Rows
from shared.messaging._outbox_sqlite import SqliteRows
from shared.messaging._outbox_writer import Outbox, OutboxStalledError

_log = logging.getLogger("shared.messaging")

_FIRST_PAUSE: Final = 0.1
_MOST_AT_ONCE: Final = 10_000
# A statement that has no answer after this has none any more.
_DATABASE_SECONDS: Final = 60.0
_GRACE: Final = 5.0


class Publisher(Protocol):
    """What takes messages; every `EventBus` does."""

    async def publish_messages(
        self, messages: Sequence[OutgoingMessage]
    ) -> list[Exception | None]:
        """For each message None, or why it was not taken."""
        ...


@dataclass(slots=True)
class _Backoff:
    """Seconds to wait after each of several failures in a row."""

    longest: float
    rng: Callable[[], float]
    failures: int = 0

    def next(self) -> float:
        ceiling = min(self.longest, _FIRST_PAUSE * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return ceiling * (0.5 + 0.5 * self.rng())


@dataclass(slots=True)
class _Held:
    """A partition that waits for its first event to be taken."""

    backoff: _Backoff
    until: float


@dataclass(slots=True)
class _Outcome:
    """What became of a batch."""

    published: list[Row] = field(default_factory=list)
    refused: dict[int, tuple[Row, Exception]] = field(default_factory=dict)
    """By partition, the first that was not taken, though the broker is there."""
    outage: Exception | None = None


class OutboxRelay:
    """Publishes what is in the outbox, in order for each aggregate, at least once.

    An event is deleted from the outbox when the bus has it, so there is nothing to
    clean. On PostgreSQL there may be several relays, which share the work; on SQLite
    one works and the others stand by.

    ``async with relay:`` runs it in the background; or await `run`.

    Where the broker is away events stay in the outbox, and it is tried again after a
    pause that grows. An event that the bus refuses holds those with which it shares a
    partition, a sixteenth, until somebody puts it right or deletes its row; it is
    logged as an error each time.

    Args:
        outbox: What to publish.
        database: Where it is. On PostgreSQL the relay has a connection of its own,
            beside the pool, which a pooler between them must leave to it.
        bus: Where to.
        batch: How many events are read, and handed to the bus, at once.
        poll: Seconds after which to look for events of which no notice came.
        max_pause: The longest, in seconds, between tries while the broker or the
            database is away.
        publish_timeout: Seconds after which the bus is taken to be away.
        listen: Have writers wake it. Without, it polls.
        clock: Seconds, for measuring.
        sleep: Waits between tries.
        rng: A random number from 0 to 1.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        outbox: Outbox,
        database: Database,
        bus: Publisher,
        *,
        batch: int = 100,
        poll: float = 1.0,
        max_pause: float = 30.0,
        publish_timeout: float = 30.0,
        listen: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if not 1 <= batch <= _MOST_AT_ONCE:
            raise ValueError(f"batch must be from 1 to {_MOST_AT_ONCE} (got {batch}).")
        for name, value in (
            ("poll", poll),
            ("max_pause", max_pause),
            ("publish_timeout", publish_timeout),
        ):
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive seconds (got {value}).")
        self._outbox = outbox
        self._database = database
        self._bus = bus
        self._batch = batch
        self._poll = poll
        self._max_pause = max_pause
        self._publish_timeout = publish_timeout
        self._listen = listen
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._held: dict[int, _Held] = {}
        self._broker = _Backoff(max_pause, rng)
        self._failing = _Backoff(max_pause, rng)
        self._stopping = asyncio.Event()
        self._rows: Rows | None = None
        self._standing_by = False
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it is started, and was neither stopped nor cancelled."""
        return self._rows is not None

    async def run(self) -> None:
        """Publish until `stop`, or until the task is cancelled.

        Raises:
            RuntimeError: It runs already.
        """
        if self._rows is not None:
            raise RuntimeError("The relay runs already.")
        rows = self._rows = self._make_rows()
        try:
            while not self._stopping.is_set():
                await self._step(rows)
            await rows.close()
        finally:
            rows.abandon()
            self._rows = None
            self._stopping.clear()  # it may be run again

    async def start(self) -> None:
        """Run in the background. Neither database nor broker need be there yet.

        Raises:
            RuntimeError: It runs already.
        """
        if self._task is not None and not self._task.done():
            raise RuntimeError("The relay runs already.")
        # Not in the context of whoever starts it: neither his ids nor his deadline.
        self._task = asyncio.get_running_loop().create_task(
            self.run(), context=Context(), name="outbox-relay"
        )

    async def stop(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """Finish what is in hand, and end.

        Args:
            timeout: Seconds after which it is cancelled. What it had published and not
                deleted is published again by the next relay.
        """
        task, self._task = self._task, None
        if self._rows is None and (task is None or task.done()):
            return
        self._stopping.set()
        if self._rows is not None:
            self._rows.wake()
        if task is None:  # somebody awaits run(), which returns
            return
        _, late = await asyncio.wait([task], timeout=timeout)
        if late:
            _log.warning("The relay did not end in %g seconds: cancelled.", timeout)
            task.cancel()
            await asyncio.wait([task], timeout=_GRACE)

    async def check(self, *, max_seconds: float = 60.0) -> None:
        """Whether it runs, and events leave the outbox in time; for health checks.

        Raises:
            OutboxStalledError: It does not, or the oldest has waited for too long.
        """
        if not self.running:
            raise OutboxStalledError("The relay of the outbox does not run.")
        await self._outbox.check(self._database, max_seconds=max_seconds)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _make_rows(self) -> Rows:
        if self._database.dialect == "sqlite":
            return SqliteRows(self._outbox, self._database)
        return PostgresqlRows(
            self._outbox.table,
            self._database,
            look_back=self._poll,
            idle_in_transaction=self._publish_timeout + 30,
            listen=self._listen,
            clock=self._clock,
        )

    async def _step(self, rows: Rows) -> None:
        """Publish a batch, or wait for one."""
        try:
            pause = await self._work(rows)
        except Exception:
            rows.abandon()
            pause = self._failing.next()
            _log.warning(
                "The outbox can't be read or written; the next try is in %.1f s.",
                pause,
                exc_info=True,
            )
        else:
            if self._failing.failures:
                _log.info("The outbox can be read and written again.")
                self._failing.failures = 0
        # The transaction is over: nobody waits for what we hold, as we hold nothing.
        if pause:
            await self._pause(pause)

    async def _work(self, rows: Rows) -> float:
        """Publish a batch, or wait for one; the seconds to pause then."""
        async with asyncio.timeout(_DATABASE_SECONDS):
            if not await rows.open():
                self._stand_by()
                return self._poll
            self._standing_by = False
            now = self._clock()
            held = [part for part, one in self._held.items() if one.until > now]
            batch = self._not_behind(await rows.take(self._batch, without=held))
        if not batch:
            if not self._stopping.is_set():
                await rows.wait(self._longest_wait(now))
            return 0.0
        outcome = await self._publish(batch)
        async with asyncio.timeout(_DATABASE_SECONDS):
            await rows.settle(outcome.published)
        self._settle_held(batch, outcome)
        return self._after(outcome)

    def _not_behind(self, rows: list[Row]) -> list[Row]:
        """Without those behind one that was refused: a bus may take them each time."""
        first: set[int] = set()
        tried: list[Row] = []
        for row in rows:
            if row.partition not in self._held or row.partition not in first:
                first.add(row.partition)
                tried.append(row)
        return tried

    def _longest_wait(self, now: float) -> float:
        ends = [one.until - now for one in self._held.values()]
        return max(0.0, min([self._poll, *(end for end in ends if end > 0)]))

    async def _publish(self, batch: list[Row]) -> _Outcome:
        outcome = _Outcome()
        try:
            results = await self._hand_over(batch)
        except Exception as error:
            if not _is_outage(error):
                # It says nothing of which one it is about.
                return await self._publish_singly(batch)
            results = [error] * len(batch)
        for row, error_or_none in zip(batch, results, strict=True):
            self._note(outcome, row, error_or_none)
        return outcome

    async def _publish_singly(self, batch: list[Row]) -> _Outcome:
        """Find the culprit: each partition one by one, until one is refused."""
        outcome = _Outcome()
        for _, rows in groupby(batch, attrgetter("partition")):
            for row in rows:
                try:
                    (result,) = await self._hand_over([row])
                except Exception as error:
                    result = error
                self._note(outcome, row, result)
                if outcome.outage is not None:
                    return outcome
                if result is not None:
                    break
        return outcome

    async def _hand_over(self, rows: Sequence[Row]) -> list[Exception | None]:
        async with asyncio.timeout(self._publish_timeout):
            results = await self._bus.publish_messages([row.message for row in rows])
        if len(results) != len(rows):
            raise RuntimeError(
                f"The bus answered {len(results)} results for {len(rows)} messages."
            )
        return results

    def _note(self, outcome: _Outcome, row: Row, error: Exception | None) -> None:
        """What is behind one that was not taken waits, though the bus may have it."""
        if error is not None and _is_outage(error):
            outcome.outage = outcome.outage or error
            outcome.refused.setdefault(row.partition, (row, error))
        elif row.partition in outcome.refused:
            return
        elif error is not None:
            outcome.refused[row.partition] = (row, error)
        else:
            outcome.published.append(row)

    def _settle_held(self, batch: Iterable[Row], outcome: _Outcome) -> None:
        for partition in {row.partition for row in batch} - outcome.refused.keys():
            if outcome.outage is None:
                self._held.pop(partition, None)
        for partition, (row, error) in outcome.refused.items():
            if _is_outage(error):
                continue
            held = self._held.setdefault(
                partition, _Held(_Backoff(self._max_pause, self._rng), 0.0)
            )
            pause = held.backoff.next()
            held.until = self._clock() + pause
            _log.error(
                "An event can't be published and holds others; the next try is in "
                "%.1f s.",
                pause,
                extra={
                    "event_id": str(row.message.event_id),
                    "event_type": row.message.event_type,
                    "position": row.position,
                },
                exc_info=error,
            )

    def _after(self, outcome: _Outcome) -> float:
        """The seconds to pause after a batch."""
        if outcome.outage is None:
            if self._broker.failures:
                _log.info("The broker takes events again.")
                self._broker.failures = 0
            return 0.0
        if outcome.published:
            self._broker.failures = 0
        pause = self._broker.next()
        _log.warning(
            "The broker does not take events, which stay in the outbox; the next try "
            "is in %.1f s.",
            pause,
            exc_info=outcome.outage,
        )
        return pause

    def _stand_by(self) -> None:
        if not self._standing_by:
            self._standing_by = True
            _log.info(
                "Another relay has the outbox %s; this one stands by.",
                self._outbox.table.name,
            )

    async def _pause(self, seconds: float) -> None:
        """Wait, or be stopped."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                {sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            sleeping.cancel()
            stopping.cancel()


def _is_outage(error: Exception) -> bool:
    """Whether the broker is away, which is nobody's fault here."""
    return isinstance(error, BrokerUnavailableException | OSError)
