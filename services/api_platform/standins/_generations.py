"""Plays the generation service: its jobs go on by the clock, and make nothing.

FastAPI reads the annotations of the endpoints, so they are evaluated here.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import FastAPI, Header

from shared.dtos.common import ErrorDetail
from shared.dtos.generation import (
    GeneratedAssetDTO,
    GenerationCreateRequestDTO,
    GenerationCreateResponseDTO,
    GenerationStatus,
    GenerationStatusResponseDTO,
)
from shared.errors import NotFoundError
from shared.errors.handlers import register_exception_handlers
from shared.events import (
    BaseEvent,
    GenerationAsset,
    GenerationCompletedEvent,
    GenerationCompletedPayload,
    GenerationFailedEvent,
    GenerationFailedPayload,
)
from shared.resilience import deadline_scope

_log = logging.getLogger("api_platform.standins")

FAILING_PROMPT: Final = "fail:"
"""A job whose prompt begins with it fails, to see what that looks like."""

_MOST: Final = 10_000
_CREDITS: Final = Decimal("0.5")

Publish = Callable[[BaseEvent[Any]], Awaitable[object]]


class _Order(GenerationCreateRequestDTO):
    user_id: UUID


@dataclass(slots=True)
class _Job:
    id: UUID
    order: _Order
    created_at: datetime
    began: float
    asset_id: UUID = field(default_factory=uuid4)
    finished: bool = False

    @property
    def fails(self) -> bool:
        return self.order.prompt.lower().startswith(FAILING_PROMPT)

    @property
    def credits(self) -> Decimal:
        return Decimal(0) if self.fails else _CREDITS * self.order.sample_count

    @property
    def asset(self) -> dict[str, Any]:
        return {
            "url": f"https://cdn.example.com/generated/{self.id}.png",
            "asset_type": "image",
            "mime_type": "image/png",
        }


class GenerationStandIn:
    """The generation service, in this process and its memory.

    A job is pending for a quarter of its time, then processing, then completed with an
    asset whose URL leads nowhere. What the real service tells by an event it does too.

    Args:
        publish: Takes the event of a job's end.
        now: The time of day.
        seconds: That a job takes.
        clock: Seconds, for measuring.
    """

    def __init__(
        self,
        publish: Publish,
        *,
        now: Callable[[], datetime],
        seconds: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._now = now
        self._seconds = seconds
        self._clock = clock
        self._jobs: dict[UUID, _Job] = {}
        self._by_key: dict[str, UUID] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.app = FastAPI(title="Stand-in for the generation service")
        register_exception_handlers(self.app)
        self._add_routes()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End the jobs that are under way with the service."""
        try:
            yield
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _add_routes(self) -> None:
        @self.app.post("/api/v1/generations", status_code=202)
        async def create(
            order: _Order,
            idempotency_key: Annotated[str | None, Header()] = None,
        ) -> GenerationCreateResponseDTO:
            known = self._by_key.get(idempotency_key or "")
            job = self._jobs.get(known) if known else None
            if job is None:
                job = self._begin(order)
                if idempotency_key:
                    self._by_key[idempotency_key] = job.id
            return GenerationCreateResponseDTO(job_id=job.id)

        @self.app.get("/api/v1/generations/{job_id}")
        async def status(job_id: UUID) -> GenerationStatusResponseDTO:
            job = self._jobs.get(job_id)
            if job is None:
                raise NotFoundError("Job", job_id)
            return self._shown(job)

    def _begin(self, order: _Order) -> _Job:
        while len(self._jobs) >= _MOST:  # the oldest is in front
            del self._jobs[next(iter(self._jobs))]
        while len(self._by_key) >= _MOST:
            del self._by_key[next(iter(self._by_key))]
        job = _Job(uuid4(), order, self._now(), self._clock())
        self._jobs[job.id] = job
        # With the correlation id of the request, which a task takes with it
        task = asyncio.create_task(self._finish(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _finish(self, job: _Job) -> None:
        await asyncio.sleep(self._seconds)
        job.finished = True
        try:
            with deadline_scope(None):  # that of the request, which is over
                await self._publish(_event_of(job))
        except Exception:
            # The real service has an outbox for it; whoever asks is told anyway.
            _log.warning("The end of job %s was not told.", job.id, exc_info=True)

    def _shown(self, job: _Job) -> GenerationStatusResponseDTO:
        passed = self._clock() - job.began
        part = min(passed / self._seconds, 0.99) if self._seconds else 0.99
        status = GenerationStatus.PROCESSING
        if job.finished:
            part = 1.0
            status = GenerationStatus.COMPLETED
            if job.fails:
                status = GenerationStatus.FAILED
        elif part < 0.25:
            status = GenerationStatus.PENDING
        done = status is GenerationStatus.COMPLETED
        ended = job.created_at + timedelta(seconds=self._seconds)
        error = ErrorDetail(code="prompt_refused", detail="The prompt asked for it.")
        return GenerationStatusResponseDTO(
            id=job.id,
            created_at=job.created_at,
            updated_at=ended if job.finished else job.created_at,
            user_id=job.order.user_id,
            project_id=job.order.project_id,
            status=status,
            progress=round(100 * part),
            assets=[GeneratedAssetDTO(id=job.asset_id, **job.asset)] if done else [],
            final_asset_id=job.asset_id if done else None,
            credits_used=job.credits if job.finished else None,
            error=error if status is GenerationStatus.FAILED else None,
            completed_at=ended if job.finished else None,
        )


def _event_of(job: _Job) -> BaseEvent[Any]:
    if job.fails:
        return GenerationFailedEvent(
            payload=GenerationFailedPayload(
                generation_id=job.id,
                user_id=job.order.user_id,
                error_code="prompt_refused",
                error_message="The prompt asked for it.",
            )
        )
    return GenerationCompletedEvent(
        payload=GenerationCompletedPayload(
            generation_id=job.id,
            user_id=job.order.user_id,
            final_asset_id=job.asset_id,
            assets=(GenerationAsset(asset_id=job.asset_id, **job.asset),),
            credits_used=job.credits,
        )
    )
