"""The generation API. FastAPI reads the annotations, so they are evaluated here."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.generations._client import PATH
from services.api_platform.generations._errors import GenerationRefusedException
from services.api_platform.generations._service import GenerationService
from services.api_platform.keys import (
    Access,
    AddressNotAllowedException,
    Scope,
    ScopeMissingException,
)
from services.api_platform.models import APIClient
from services.api_platform.quota import (
    BillingBlockedException,
    InsufficientCreditsException,
)
from shared.database import Database, get_db_dependency
from shared.dtos.generation import (
    GenerationCreateRequestDTO,
    GenerationCreateResponseDTO,
    GenerationStatusResponseDTO,
)
from shared.errors import (
    AuthenticationException,
    NotFoundError,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
    ValidationException,
    responses_for,
)
from shared.idempotency import (
    IdempotencyInProgressException,
    IdempotencyKeyInvalidException,
    IdempotencyKeyReusedException,
    IdempotencyStore,
    parse_idempotency_key,
)
from shared.idempotency.dependencies import (
    IDEMPOTENCY_KEY_HEADER,
    IdempotentRoute,
    idempotent,
)
from shared.rate_limit import RateLimitPolicy
from shared.rate_limit.dependencies import rate_limit
from shared.resilience import DeadlineExceededError

_COMMON = (
    AuthenticationException,
    AddressNotAllowedException,
    ScopeMissingException,
    ValidationException,
    RateLimitExceededException(
        "The limit of policy 'key-day' is used up.",
        retry_after=3600,
        policy="key-day",
    ),
    UpstreamException,
    ServiceUnavailableException,
    DeadlineExceededError,
)
_TEXT = {"schema": {"type": "string"}}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"description": "Where to follow the job.", **_TEXT},
            "RateLimit": {"description": "What is left of each quota.", **_TEXT},
            "RateLimit-Policy": {"description": "The quotas.", **_TEXT},
        },
        "links": {
            "job": {
                "operationId": "generations_get_generation",
                "parameters": {"job_id": "$response.body#/job_id"},
            }
        },
    }
}


def build_router(
    database: Database,
    access: Access,
    generations: GenerationService,
    store: IdempotencyStore,
    reads: RateLimitPolicy,
) -> APIRouter:
    """The endpoints, for API keys."""
    router = APIRouter(prefix=PATH, tags=["generations"], route_class=IdempotentRoute)
    # Named here: FastAPI evaluates the annotations of the functions below, and asks
    # one dependency once.
    writer = access.require(Scope.GENERATIONS_WRITE)
    reader = access.require(Scope.GENERATIONS_READ)
    get_db = get_db_dependency(database)

    async def writing(client: Annotated[APIClient, Depends(writer)]) -> str:
        return str(client.id)

    async def reading(client: Annotated[APIClient, Depends(reader)]) -> str:
        return f"reads:{client.id}"

    once = Depends(idempotent(store, get_db, writing, required=False))
    limited = Depends(rate_limit(reads, key=reading, on_failure="open"))

    @router.post(
        "",
        status_code=status.HTTP_202_ACCEPTED,
        dependencies=[once],
        responses=_ACCEPTED
        | responses_for(
            *_COMMON,
            GenerationRefusedException,
            BillingBlockedException,
            InsufficientCreditsException,
            IdempotencyKeyInvalidException,
            IdempotencyInProgressException(),
            IdempotencyKeyReusedException(),
        ),
    )
    async def create_generation(
        body: GenerationCreateRequestDTO,
        client: Annotated[APIClient, Depends(writer)],
        db: Annotated[AsyncSession, Depends(get_db)],
        request: Request,
        response: Response,
    ) -> GenerationCreateResponseDTO:
        """Begin a generation; the event `generation.completed` tells of its end."""
        sent = request.headers.getlist(IDEMPOTENCY_KEY_HEADER)
        accepted, usage = await generations.create(
            db,
            client,
            body,
            idempotency_key=parse_idempotency_key(sent) if sent else None,
        )
        response.headers["Location"] = f"{PATH}/{accepted.job_id}"
        response.headers.update(usage.fields)
        return accepted

    @router.get(
        "/{job_id}",
        dependencies=[limited],
        responses=responses_for(
            *_COMMON,
            NotFoundError("Generation", "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21"),
        ),
    )
    async def get_generation(
        job_id: UUID, client: Annotated[APIClient, Depends(reader)]
    ) -> GenerationStatusResponseDTO:
        """Return how far a generation of the user is, and what it has made."""
        return await generations.get(client, job_id)

    return router
