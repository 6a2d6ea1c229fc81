"""The generation API in a service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from services.api_platform.generations._client import AIGenOrchestrationClient
from services.api_platform.generations._router import build_router
from services.api_platform.generations._service import GenerationService
from services.api_platform.keys import Access
from services.api_platform.limits import Limits
from services.api_platform.models import idempotency_keys
from services.api_platform.parts import Parts
from services.api_platform.quota import QuotaService, reads_policy
from shared.database import Database
from shared.errors import BaseAPIException
from shared.http_client import ServiceClient
from shared.idempotency import IdempotencyStore

_log = logging.getLogger("api_platform.generations")

_CLEANED_EVERY: Final = 600.0
_BATCH: Final = 1000
_LEASE: Final = 60.0


def add_generations(
    parts: Parts,
    access: Access,
    quota: QuotaService,
    limits: Limits,
    *,
    orchestration: ServiceClient,
) -> None:
    """Give the server the endpoints of generations.

    Args:
        parts: Of the server.
        access: Lets API keys in.
        quota: Counts what they use.
        limits: Of the settings.
        orchestration: The client of the generation service.
    """
    generations = GenerationService(
        database=parts.database,
        orchestration=AIGenOrchestrationClient(orchestration),
        quota=quota,
        limits=limits,
        now=parts.now,
    )
    # Who is at work for longer than a request may take is not at work any more.
    longest = parts.service.config.server.request_timeout
    store = IdempotencyStore(
        idempotency_keys, lease=timedelta(seconds=max(_LEASE, 2 * longest))
    )
    reads = reads_policy(limits)
    parts.service.app.include_router(
        build_router(parts.database, access, generations, store, reads)
    )

    parts.service.add_resource(
        "idempotency keys", partial(clean_idempotency_keys, store, parts.database)
    )


@asynccontextmanager
async def clean_idempotency_keys(
    store: IdempotencyStore, database: Database, *, every: float = _CLEANED_EVERY
) -> AsyncIterator[None]:
    """Forget, from time to time, the replies that nobody may ask for any more.

    Args:
        store: Has them.
        database: Where it has them.
        every: Seconds between two rounds.
    """
    task = asyncio.create_task(_clean(store, database, every))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _clean(store: IdempotencyStore, database: Database, every: float) -> None:
    while True:
        try:
            deleted = _BATCH
            while deleted == _BATCH:
                async with database.session() as session:
                    deleted = await store.delete_expired(session, limit=_BATCH)
        except BaseAPIException as error:
            _log.warning("Old idempotency keys stay until the next round: %s", error)
        except Exception:  # which must not end it
            _log.exception("Old idempotency keys stay until the next round.")
        await asyncio.sleep(every)
