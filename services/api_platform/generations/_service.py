"""Jobs of the generation service, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.generations._client import (
    AIGenOrchestrationClient,
    UserContext,
)
from services.api_platform.limits import Limits
from services.api_platform.models import APIClient, GenerationJob
from services.api_platform.quota import Action, QuotaService, Usage
from shared.database import Database, DuplicateException
from shared.dtos.generation import (
    GenerationCreateRequestDTO,
    GenerationCreateResponseDTO,
    GenerationStatusResponseDTO,
)
from shared.errors import NotFoundError, UpstreamException

CREATE: Final = "generation.create"


@dataclass(frozen=True, slots=True)
class GenerationService:
    """Begins jobs within the quotas, and shows keys those of their user.

    Attributes:
        database: Where the jobs' owners are.
        orchestration: Makes what is asked for.
        quota: Counts it.
        limits: Of the settings.
        now: The clock.
    """

    database: Database
    orchestration: AIGenOrchestrationClient
    quota: QuotaService
    limits: Limits
    now: Callable[[], datetime]

    async def create(
        self,
        db: AsyncSession,
        client: APIClient,
        request: GenerationCreateRequestDTO,
        *,
        idempotency_key: str | None,
    ) -> tuple[GenerationCreateResponseDTO, Usage]:
        """Begin a job; its row and its usage are of the transaction of *db*.

        Raises:
            RateLimitExceededException: A quota is used up; or what else
                `QuotaService.check_and_log_usage` and
                `AIGenOrchestrationClient.initiate_generation` raise. Then it costs
                nothing.
        """
        action = Action(
            CREATE,
            without_store=self.limits.without_store,
            without_billing=self.limits.without_billing,
        )
        cost = self.limits.generation_cost * request.sample_count
        usage = await self.quota.check_and_log_usage(db, client, cost, action=action)
        async with usage:
            context = UserContext(
                user_id=client.user_id,
                api_key_id=client.id,
                environment=client.environment,
                idempotency_key=_key_for(client, request, idempotency_key, usage),
            )
            accepted = await self.orchestration.initiate_generation(request, context)
            if await self._keep(db, client, accepted.job_id):
                await usage.commit()
            else:
                await usage.refund()
        return accepted, usage

    async def get(self, client: APIClient, job_id: UUID) -> GenerationStatusResponseDTO:
        """How far a job of the key's user is.

        Raises:
            NotFoundError: The user has no such job, or the service has forgotten it.
            UpstreamException: The service's answer is wrong, or too late.
            ServiceUnavailableException: There is none.
        """
        # Closed before the call, which may take long.
        async with self.database.session(read_only=True) as session:
            job = await session.get(GenerationJob, job_id)
        if job is None or job.user_id != client.user_id:
            raise NotFoundError("Generation", job_id)
        found = await self.orchestration.get_generation_status(job_id)
        if found.user_id != client.user_id:
            raise UpstreamException
        return found

    async def _keep(self, db: AsyncSession, client: APIClient, job_id: UUID) -> bool:
        """Note whose the job is; False if it is known, of an earlier repetition.

        Raises:
            UpstreamException: It is another key's.
        """
        known = await db.get(GenerationJob, job_id)
        if known is not None:
            if known.api_client_id != client.id:
                raise UpstreamException
            return False
        now = self.now()
        db.add(
            GenerationJob(
                id=job_id,
                user_id=client.user_id,
                api_client_id=client.id,
                created_at=now,
                updated_at=now,
            )
        )
        try:
            await db.flush()
        except DuplicateException as error:  # made twice in the same moment
            raise UpstreamException from error
        return True


def _key_for(
    client: APIClient,
    request: GenerationCreateRequestDTO,
    sent: str | None,
    usage: Usage,
) -> str:
    """What tells the generation service that a call is the same one again.

    The caller's key if there is one, so that a repetition after a crash makes no second
    job. With the body, since after a failure a key may come with a corrected one.
    """
    if sent is None:
        return str(usage.id)
    body = sha256(request.model_dump_json().encode()).hexdigest()
    return str(uuid5(client.id, f"{sent}:{body}"))
