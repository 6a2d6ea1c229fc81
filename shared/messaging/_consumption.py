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
from contextlib import AbstractAsyncContextManager
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

# How long a handler that is cancelled has to end.
_GRACE: Final = 5.0

# Before an event is taken up again whose task somebody else cancelled. In a loop that
# is being closed, where all tasks are, that moment never comes.
_PAUSE: Final = 0.1


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
    unreadable: Exception | None
    lane: str | None
    task: asyncio.Task[None] | None = None
    handling: bool = False  # its handler runs, or its outcome is being settled
    tries: int = 0  # in this round
    interrupted: Exception | None = None  # why the last task ended without an outcome
    history: History = field(default_factory=History)


class Consumption:
    """Handles the messages of one subscription, some at once.

    A bus makes one for each time that it consumes. Where a delivery was lost, so is
    what waits behind it for the same aggregate: the next one has it again, in order.

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
        self._stopping = False

    @property
    def in_hand(self) -> int:
        """Messages that were accepted and are not settled."""
        return len(self._jobs)

    def runs(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether *task* is that of a handler, which must not wait for itself."""
        return any(job.task is task for job in self._jobs)

    def accept(self, message: IncomingMessage) -> None:
        """Handle *message* as soon as there is room, and settle it."""
        if self._stopping:
            return
        event: BaseEvent[Any] | None = None
        unreadable: Exception | None = None
        try:
            event = read_event(message, self._registry, max_bytes=self._max_bytes)
        except EventFormatError as error:
            unreadable = error
        except Exception as error:
            _log.exception("A message can't be read, and the reader is to blame.")
            unreadable = error
        lane = None
        if self.subscription.ordered and event is not None:
            lane = event.aggregate_id
        job = _Job(message, event, unreadable, lane)
        self._jobs.add(job)
        if lane is None:
            self._begin(job)
        elif lane in self._lanes:
            self._lanes[lane].append(job)
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
        running: set[asyncio.Task[None]] = set()
        for job in [*self._jobs]:
            if job.task is not None and not job.task.done():
                running.add(job.task)
            if not job.handling:
                if job.task is not None:
                    job.task.cancel()
                self._release(job)
        if not running:
            return
        try:
            _, late = await asyncio.wait(running, timeout=timeout)
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            raise
        for task in late:
            task.cancel()
        if late:
            _log.warning(
                "%d handlers of %s did not end in %g seconds and were cancelled.",
                *(len(late), self.subscription.consumer, timeout),
            )
            await asyncio.wait(late, timeout=_GRACE)

    def _begin(self, job: _Job) -> None:
        if job not in self._jobs:  # released meanwhile
            return
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
            self._release(job)
        except asyncio.CancelledError:
            if self._stopping:
                self._release(job)
                return
            # The handler cancelled the task that it runs in, which must not make it
            # lose the event; or the loop is being closed.
            job.handling = False
            job.interrupted = _CancelledError("The handler's task was cancelled.")
            asyncio.get_running_loop().call_later(_PAUSE, self._begin, job)
            raise
        except Exception:
            # The bus could not settle it. It is not acknowledged, so it comes again.
            _log.exception(
                "A message of %s could not be settled.", self.subscription.consumer
            )
            self._release(job)
        else:
            self._jobs.discard(job)
            self._next_in_lane(job)

    def _release(self, job: _Job) -> None:
        """Not settled, so it is the broker's; and so is what waits in its lane.

        Others in the lane don't begin: this one would come again after them.
        """
        if job in self._jobs:
            self._jobs.discard(job)
            self._tell(Outcome.RELEASED, job)

    def _next_in_lane(self, job: _Job) -> None:
        if job.lane is None or job.lane not in self._lanes:
            return
        waiting = self._lanes[job.lane]
        if waiting:
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
            error, job.interrupted = job.interrupted, None
            if error is None:
                error = await self._round(job, event)
            seconds = self._clock() - started
            if error is None:
                await self._settler.done(job.message)
                self._tell(Outcome.HANDLED, job, seconds)
                self._log_handled(job, event, seconds)
                return
            delay = self._delay_after(job, error)
            if delay is None:
                final = self._is_final(error)
                reason = Reason.REJECTED if final else Reason.EXHAUSTED
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

    async def _round(self, job: _Job, event: BaseEvent[Any]) -> Exception | None:
        """The error of the last try; None if there was none."""
        policy = self.subscription.policy
        task = asyncio.current_task()
        job.tries = 0
        while True:
            job.tries += 1
            delivery = Delivery(
                event,
                self.subscription.consumer,
                job.history.attempts + job.tries,
                job.message.redelivered,
                job.message.headers,
            )
            delivery_var.set(delivery)
            error: Exception
            try:
                async with self._limit():
                    await self.subscription.handler(event)
                    if task is not None and task.cancelling():
                        # It cancelled its task and ended: that must not reach us
                        # where we settle it.
                        await asyncio.sleep(0)
            except asyncio.CancelledError as cancelled:
                if task is not None and task.cancelling():
                    raise
                # Nobody cancelled us: the handler awaited what somebody cancelled.
                error = _CancelledError("What the handler awaited was cancelled.")
                error.__traceback__ = cancelled.__traceback__
            except Exception as failed:
                error = failed
            else:
                return None
            if job.tries > policy.immediate_retries or self._is_final(error):
                return error

    def _is_final(self, error: Exception) -> bool:
        return isinstance(error, self.subscription.policy.never_retry)

    def _limit(self) -> AbstractAsyncContextManager[object]:
        # Sets the deadline too: calls and statements of the handler end by themselves.
        return timeout(self.subscription.policy.timeout)

    def _delay_after(self, job: _Job, error: Exception) -> float | None:
        """Note the failed round; the seconds until the next, None if there is none."""
        policy = self.subscription.policy
        if isinstance(error, policy.hold_on) and not self._is_final(error):
            job.history = job.history.held(tries=job.tries)
            job.tries = 0
            return policy.holding_delay(job.history.attempts)
        job.history = job.history.after(error, tries=job.tries, now=self._now())
        job.tries = 0
        rounds = job.history.rounds
        if rounds >= policy.rounds or self._is_final(error):
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

    def _log_handled(self, job: _Job, event: BaseEvent[Any], seconds: float) -> None:
        if _log.isEnabledFor(logging.INFO):
            facts = self._facts(job) | {
                "attempts": job.history.attempts + job.tries,
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


class _CancelledError(Exception):
    """The handler's task, or what it waited for, was cancelled."""


def tell(observe: Observer | None, observation: Observation) -> None:
    """Call the hook; its errors are logged, since the message is more important."""
    if observe is None:
        return
    try:
        observe(observation)
    except Exception:
        _log.exception("An observe= hook failed.")


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
