"""Delivery as a part of a process.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from services.api_platform.delivery._loop import DeliveryLoop
from services.api_platform.delivery._metrics import DeliveryMetrics
from services.api_platform.delivery._options import DeliveryOptions, current_choice
from services.api_platform.delivery._policy import RetryPolicy
from services.api_platform.delivery._sender import Sender
from services.api_platform.delivery._store import Backlog, Store
from services.api_platform.parts import Parts
from shared.app import DegradedError
from shared.errors import BaseAPIException

_log = logging.getLogger("api_platform.delivery")

_SAMPLE: Final = 10.0
_CLEAN: Final = 600.0
_BETWEEN_BATCHES: Final = 0.1
_END: Final = 1.0
_HELD: Final = timedelta(minutes=5)
"""For how long health warns of a fault of ours."""
_LATE: Final = 60.0
"""Seconds by which a delivery may be late before health warns."""


def delivery_store(parts: Parts, *, policy: RetryPolicy | None = None) -> Store:
    """The deliveries of a process."""
    return Store(parts.database, parts.outbox, policy or RetryPolicy(), parts.now)


def add_delivery(
    parts: Parts,
    options: DeliveryOptions | None = None,
    *,
    policy: RetryPolicy | None = None,
) -> DeliveryLoop:
    """Have this process deliver webhooks while it runs, with others or alone.

    Returns:
        The loop, to be woken when there is something new.
    """
    service, chosen = parts.service, options or DeliveryOptions()
    store = delivery_store(parts, policy=policy)
    metrics = DeliveryMetrics(service.metrics.registry)
    loop = DeliveryLoop(
        store,
        Sender(parts.transport, now=parts.now),
        choose=partial(current_choice, parts.toggles),
        options=chosen,
        metrics=metrics,
    )
    grace = service.config.server.shutdown_timeout
    latest: Backlog | None = None

    async def look() -> None:
        nonlocal latest
        latest = None
        latest = await store.backlog()
        metrics.show(latest)

    async def clean() -> None:
        while await store.clean(chosen.retention):  # noqa: ASYNC110 - in batches
            await asyncio.sleep(_BETWEEN_BATCHES)

    async def end() -> None:
        while await store.end():  # noqa: ASYNC110 - in batches
            await asyncio.sleep(0)

    @asynccontextmanager
    async def delivering() -> AsyncIterator[DeliveryLoop]:
        running = asyncio.create_task(loop.run(), name="webhook-delivery")
        beside = [
            asyncio.create_task(_regularly(_SAMPLE, look), name="webhook-backlog"),
            asyncio.create_task(_regularly(_CLEAN, clean), name="webhook-retention"),
            asyncio.create_task(_regularly(_END, end), name="webhook-ends"),
        ]
        try:
            yield loop
        finally:
            for task in beside:
                task.cancel()
            await loop.stop(timeout=grace)
            running.cancel()
            await asyncio.gather(running, *beside, return_exceptions=True)

    async def check() -> None:
        if not loop.running:
            raise DegradedError("webhooks are not delivered")
        held = metrics.held_at
        if held is not None and parts.now() - held < _HELD:
            raise DegradedError("deliveries fail by a fault of ours, and are held")
        if latest is not None and latest.oldest_due > _LATE:
            raise DegradedError(f"deliveries are late by {latest.oldest_due:.0f} s")

    service.add_resource("delivery of webhooks", delivering, close_timeout=grace + 10.0)
    service.add_check("webhook_delivery", check, critical=False)
    return loop


async def _regularly(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do it, again and again; failures are logged."""
    while True:
        try:
            await work()
        except BaseAPIException as error:
            _log.warning("Deliveries can't be looked at: %s", error.code)
        except Exception:
            _log.exception("Deliveries can't be looked at.")
        await asyncio.sleep(seconds)
