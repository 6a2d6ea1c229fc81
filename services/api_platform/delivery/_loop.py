"""The loop that delivers. Any number of workers run one each.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

from services.api_platform.delivery._metrics import DeliveryMetrics
from services.api_platform.delivery._options import Choice, DeliveryOptions, Settings
from services.api_platform.delivery._recorder import Recorder
from services.api_platform.delivery._results import Outcome, Recorded
from services.api_platform.delivery._sender import Attempt, Leased, Sender, Target
from services.api_platform.delivery._store import Store
from shared.errors import BaseAPIException
from shared.logging import correlation_id_var

_log = logging.getLogger("api_platform.delivery")

_END_SECONDS: Final = 5.0
"""For what is left to write when everything was cancelled."""


class DeliveryLoop:
    """Leases deliveries that are due, makes the attempts, and writes what came of them.

    A worker that is killed loses its leases, in time, and nothing else: the attempts
    are made again by another. So a target gets an event at least once.

    Args:
        store: The deliveries.
        sender: Makes attempts.
        choose: Says which endpoints get the newer settings.
        options: How many at a time, and so on.
        metrics: Count.
        sleep: Waits while the database is away.
    """

    def __init__(
        self,
        store: Store,
        sender: Sender,
        *,
        choose: Callable[[], Awaitable[Choice]],
        options: DeliveryOptions,
        metrics: DeliveryMetrics,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._sender = sender
        self._choose = choose
        self._options = options
        self._metrics = metrics
        self._recorder = Recorder(store, sleep=sleep)
        self._under_way: Counter[UUID] = Counter()
        self._of_users: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._untried: list[Leased] = []
        self._stopping = False
        self._woken: asyncio.Event | None = None

    @property
    def running(self) -> bool:
        """Whether `run` does."""
        return self._woken is not None

    def wake(self) -> None:
        """Look now, as there is something new. For the event loop's own thread."""
        if self._woken is not None:
            self._woken.set()

    async def run(self) -> None:
        """Deliver, until `stop` or until the task is cancelled."""
        self._stopping = False
        self._woken = woken = asyncio.Event()
        pause = self._options.busy_poll
        try:
            while not self._stopping:
                woken.clear()
                try:
                    begun = await self.begin()
                except Exception as error:
                    pause = self._options.poll
                    _log.warning(
                        "No deliveries can be leased: %s",
                        error.code if isinstance(error, BaseAPIException) else error,
                        exc_info=not isinstance(error, BaseAPIException),
                    )
                    begun = 0
                if begun:
                    pause = self._options.busy_poll
                if begun and self._store.crowded:
                    continue  # others were quicker: there may be more
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), pause)
                    if self._tasks:
                        await asyncio.sleep(self._options.gather)
                if not begun:
                    pause = min(2 * pause, self._options.poll)
        finally:
            self._woken = None

    async def stop(self, *, timeout: float) -> None:  # noqa: ASYNC109 - a limit of ours
        """Lease nothing more, finish what is under way, and give back the rest.

        Args:
            timeout: Seconds after which attempts are broken off. Their targets may have
                got the event, and get it again.
        """
        self._stopping = True
        self.wake()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_SECONDS)
        await self._recorder.finish(timeout=_END_SECONDS)
        untried, self._untried = self._untried, []
        try:
            await self._store.release(untried)
        except BaseAPIException as error:
            _log.warning("%d leases end by themselves: %s", len(untried), error)

    async def begin(self) -> int:
        """Begin as many deliveries as there are and may be; how many."""
        room = self._options.concurrency - len(self._tasks)
        if room <= 0:
            return 0
        choice = await self._choose()
        leased = await self._store.lease(
            room,
            per_endpoint=self._options.per_endpoint,
            busy=self._under_way,
            busy_users=self._of_users,
            duration=choice.longest + self._options.lease_margin,
        )
        for each in leased:
            target = each.target
            self._under_way[target.webhook_id] += 1
            self._of_users[target.user_id] += 1
            settings = choice.of(target.webhook_id)
            task = asyncio.create_task(self._deliver(each, settings))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, target))
        self._metrics.under_way.set(len(self._tasks))
        return len(leased)

    async def round(self) -> int:
        """Lease once, and see it through; how many that were."""
        begun = await self.begin()
        if self._tasks:
            await asyncio.wait(self._tasks)
        return begun

    def _ended(self, target: Target, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        for counts, key in (
            (self._under_way, target.webhook_id),
            (self._of_users, target.user_id),
        ):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
        self._metrics.under_way.set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("A delivery ended by a fault of ours.", exc_info=error)
        self.wake()

    async def _deliver(self, leased: Leased, settings: Settings) -> None:
        correlation_id_var.set(leased.correlation_id)
        if self._store.now() >= leased.until:
            return  # the process stood still meanwhile: it is another worker's now
        try:
            attempt = await self._sender.send(leased, settings)
        except asyncio.CancelledError:
            self._untried.append(leased)
            raise
        recorded = await self._recorder.record(attempt)
        self._metrics.count(attempt, recorded)
        _tell(attempt, recorded)


def _tell(attempt: Attempt, recorded: Recorded | None) -> None:
    """Write a line of what failed; the rest is in metrics and in the table."""
    if recorded is None or (
        attempt.error is None and recorded.outcome is not Outcome.STALE
    ):
        return
    leased = attempt.leased
    _log.info(
        "Delivery %s of %s to webhook %s: attempt %d, %s, %s",
        leased.delivery_id,
        leased.event_type,
        leased.target.webhook_id,
        leased.number,
        attempt.error or "delivered",
        recorded.outcome,
        extra={
            "delivery_id": str(leased.delivery_id),
            "webhook_id": str(leased.target.webhook_id),
            "error_code": attempt.error,
            "status_code": attempt.status,
        },
    )
    if recorded.disabled is not None:
        _log.warning(
            "Webhook %s is disabled: %s", leased.target.webhook_id, recorded.disabled
        )
