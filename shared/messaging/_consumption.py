"""What a subscription does with its messages, on whichever bus.

A bus hands messages in with `Consumption.accept` and settles them as its `Settler` is
told. How often, in which order and how many at once is decided here and nowhere else.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from shared.events import BaseEvent, EventFormatError, EventRegistry
from shared.logging import correlation_id_var, parse_traceparent, trace_context_var
from shared.messaging._bus import Observation, Observer, Outcome
from shared.messaging._delivery import Delivery, delivery_var
from shared.messaging._history import History, Reason, death
from shared.messaging._message import TRACEPARENT, IncomingMessage, read_event
from shared.messaging._subscription import Subscription
from shared.resilience import timeout

_log = logging.getLogger("shared.messaging")

Reader = Callable[[IncomingMessage], BaseEvent[Any]]

# How long a handler that is cancelled has to end.
_GRACE: Final = 5.0


class DeliveryLostError(Exception):
    """The message is not ours any more: the broker gives it to somebody again."""


class Settler(Protocol):
    """What a bus does with a message in the end. Each may raise `DeliveryLostError`.

    Else it returns when the broker has what it is to keep: it tries again for itself.
    """

    async def done(self, message: IncomingMessage) -> None:
        """Forget it."""
        ...

    async def retry(
        self, message: IncomingMessage, *, delay: float, headers: dict[str, Any]
    ) -> None:
        """Keep it, with these headers too, and hand it in again after *delay*."""
        ...

    async def dead(self, message: IncomingMessage, *, headers: dict[str, Any]) -> None:
        """Put it to the dead letters, with these headers too."""
        ...


@dataclass(slots=True, eq=False)
class _Job:
    message: IncomingMessage
    event: BaseEvent[Any] | None
    unreadable: EventFormatError | None
    lane: str | None
    task: asyncio.Task[None] | None = None
    handling: bool = False  # its handler runs, or its outcome is being settled
    history: History = field(default_factory=History)


class Consumption:
    """Handles the messages of one subscription, some at once.

    Args:
        subscription: Whose messages.
        settler: Of the bus.
        registry: Reads the events.
        observe: Told of each outcome.
        max_bytes: How large an event may be.
        now: The time of day, for histories.
        clock: Seconds, for measuring.
        sleep: Waits, where an ordered handler holds an event.
    """

    def __init__(
        self,
        subscription: Subscription,
        settler: Settler,
        *,
        registry: EventRegistry,
        observe: Observer | None,
        max_bytes: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.subscription = subscription
        self._settler = settler
        self._registry = registry
        self._observe = observe
        self._max_bytes = max_bytes
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._slots = asyncio.Semaphore(subscription.concurrency)
        self._jobs: set[_Job] = set()
        # Aggregates of which an event is being handled, with those that wait for it.
        self._lanes: dict[str, deque[_Job]] = {}
        self._waiting = 0
        self._stopping = False

    @property
    def in_hand(self) -> int:
        """Messages that were accepted and are not settled."""
        return len(self._jobs) + self._waiting

    def accept(self, message: IncomingMessage) -> None:
        """Handle *message* as soon as there is room, and settle it."""
        if self._stopping:
            return
        event: BaseEvent[Any] | None = None
        unreadable: EventFormatError | None = None
        try:
            event = read_event(message, self._registry, max_bytes=self._max_bytes)
        except EventFormatError as error:
            unreadable = error
        ordered = self.subscription.ordered and event is not None
        lane = event.aggregate_id if ordered and event is not None else None
        job = _Job(message, event, unreadable, lane)
        if lane is None:
            self._begin(job)
        elif lane in self._lanes:
            self._lanes[lane].append(job)
            self._waiting += 1
        else:
            self._lanes[lane] = deque()
            self._begin(job)

    async def stop(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Begin no more, and wait for the handlers that run.

        Those that do not end within *timeout* seconds are cancelled. What is not
        settled then is the bus's to give back.
        """
        self._stopping = True
        self._lanes.clear()
        self._waiting = 0
        for job in self._jobs:
            if not job.handling and job.task is not None:
                job.task.cancel()
        tasks = {job.task for job in self._jobs if job.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                _log.warning(
                    "%d handlers of %s did not end in %g seconds and were cancelled.",
                    *(len(late), self.subscription.consumer, timeout),
                )
                await asyncio.wait(late, timeout=_GRACE)

    def _begin(self, job: _Job) -> None:
        self._jobs.add(job)
        # Not in the context of whoever connected: neither his ids nor his deadline.
        job.task = asyncio.get_running_loop().create_task(
            self._run(job), context=Context()
        )

    async def _run(self, job: _Job) -> None:
        try:
            async with self._slots:
                job.handling = True
                await self._carry_out(job)
        except DeliveryLostError:
            self._tell(Outcome.RELEASED, job)
        except asyncio.CancelledError:
            self._tell(Outcome.RELEASED, job)
            if not self._stopping:
                raise
        except Exception:
            # The bus could not settle it. It is not acknowledged, so it comes again.
            _log.exception(
                "A message of %s could not be settled.", self.subscription.consumer
            )
            self._tell(Outcome.RELEASED, job)
        finally:
            self._jobs.discard(job)
            self._next_in_lane(job)

    def _next_in_lane(self, job: _Job) -> None:
        if job.lane is None or job.lane not in self._lanes:
            return
        waiting = self._lanes[job.lane]
        if waiting:
            self._waiting -= 1
            self._begin(waiting.popleft())
        else:
            del self._lanes[job.lane]

    async def _carry_out(self, job: _Job) -> None:
        event = job.event
        job.history = History.of(job.message.headers)
        if event is None:
            await self._bury(job, Reason.MALFORMED, job.unreadable)
            return
        correlation_id_var.set(event.correlation_id)
        traceparent = job.message.headers.get(TRACEPARENT)
        if isinstance(traceparent, bytes):
            traceparent = traceparent.decode("latin-1")
        if isinstance(traceparent, str):
            trace_context_var.set(parse_traceparent(traceparent))
        if not self.subscription.accepts(event):
            await self._bury(job, Reason.UNKNOWN_SCHEMA, None)
            return
        while True:
            started = self._clock()
            error, tries = await self._round(job, event)
            seconds = self._clock() - started
            if error is None:
                await self._settler.done(job.message)
                self._tell(Outcome.HANDLED, job, seconds)
                self._log_handled(job, event, tries, seconds)
                return
            delay = self._delay_after(job, error, tries)
            if delay is None:
                reason = Reason.EXHAUSTED
                if isinstance(error, self.subscription.policy.never_retry):
                    reason = Reason.REJECTED
                await self._bury(job, reason, error, seconds)
                return
            self._log_retry(job, error, delay)
            if not self.subscription.ordered:
                headers = job.history.headers()
                await self._settler.retry(job.message, delay=delay, headers=headers)
                self._tell(Outcome.RETRIED, job, seconds)
                return
            self._tell(Outcome.RETRIED, job, seconds)
            await self._hold(job, delay)

    async def _hold(self, job: _Job, delay: float) -> None:
        """Wait with the event in hand, and let others have its place meanwhile."""
        job.handling = False
        self._slots.release()
        try:
            if self._stopping:
                raise asyncio.CancelledError
            await self._sleep(delay)
        finally:
            # The block that this is in gives it back, so it must be ours again.
            await _uncancelled(self._slots.acquire())
        job.handling = True

    async def _round(
        self, job: _Job, event: BaseEvent[Any]
    ) -> tuple[Exception | None, int]:
        """The error of the last try, None if there was none; and the tries."""
        policy = self.subscription.policy
        tries = 0
        while True:
            tries += 1
            delivery = Delivery(
                event,
                self.subscription.consumer,
                job.history.attempts + tries,
                job.message.redelivered,
                job.message.headers,
            )
            delivery_var.set(delivery)
            try:
                async with self._limit():
                    await self.subscription.handler(event)
            except asyncio.CancelledError as cancelled:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # Nobody cancelled us: the handler awaited what somebody cancelled.
                error: Exception = _AwaitedCancelledError(str(cancelled))
                error.__traceback__ = cancelled.__traceback__
            except Exception as failed:
                error = failed
            else:
                return None, tries
            if tries > policy.immediate_retries or isinstance(
                error, policy.never_retry
            ):
                return error, tries

    def _limit(self) -> AbstractAsyncContextManager[object]:
        # Sets the deadline too: calls and statements of the handler end by themselves.
        return timeout(self.subscription.policy.timeout)

    def _delay_after(self, job: _Job, error: Exception, tries: int) -> float | None:
        """Note the failed round; the seconds until the next, None if there is none."""
        policy = self.subscription.policy
        job.history = job.history.after(error, tries=tries, now=self._now())
        rounds = job.history.rounds
        if rounds >= policy.rounds or isinstance(error, policy.never_retry):
            return None
        return policy.delays[rounds - 1]

    async def _bury(
        self,
        job: _Job,
        reason: Reason,
        error: Exception | None,
        seconds: float = 0.0,
    ) -> None:
        headers = job.history.headers() | death(
            reason, error, consumer=self.subscription.consumer, now=self._now()
        )
        await self._settler.dead(job.message, headers=headers)
        self._tell(Outcome.DEAD, job, seconds)
        _log.error(
            "An event is a dead letter (%s).",
            reason.value,
            extra=self._facts(job) | {"reason": reason.value},
            exc_info=error,
        )

    def _tell(self, outcome: Outcome, job: _Job, seconds: float = 0.0) -> None:
        if self._observe is None:
            return
        event_type = job.event.event_type if job.event else job.message.event_type
        observation = Observation(
            outcome, event_type, self.subscription.consumer, seconds
        )
        tell(self._observe, observation)

    def _facts(self, job: _Job) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "consumer": self.subscription.consumer,
            "attempts": job.history.attempts,
        }
        event = job.event
        if event is None:
            return facts | {
                "event_type": job.message.event_type,
                "message_id": job.message.message_id,
            }
        facts |= {"event_type": event.event_type, "event_id": str(event.event_id)}
        if event.causation_id is not None:
            facts["causation_id"] = str(event.causation_id)
        return facts

    def _log_handled(
        self, job: _Job, event: BaseEvent[Any], tries: int, seconds: float
    ) -> None:
        if _log.isEnabledFor(logging.INFO):
            facts = self._facts(job) | {
                "attempts": job.history.attempts + tries,
                "duration_ms": round(seconds * 1000, 3),
            }
            _log.info("%s was handled.", event.event_type, extra=facts)

    def _log_retry(self, job: _Job, error: Exception, delay: float) -> None:
        _log.warning(
            "An event failed, and is tried again in %g seconds.",
            delay,
            extra=self._facts(job),
            exc_info=error,
        )


class _AwaitedCancelledError(Exception):
    """What the handler waited for was cancelled."""


def tell(observe: Observer | None, observation: Observation) -> None:
    """Call the hook; its errors are logged, since the message is more important."""
    if observe is None:
        return
    with suppress(Exception):
        try:
            observe(observation)
        except Exception:
            _log.exception("An observe= hook failed.")
            raise


async def _uncancelled(waiting: Awaitable[Any]) -> None:
    """Wait for it, whoever cancels us meanwhile, and only then be cancelled."""
    task = asyncio.ensure_future(waiting)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
