"""The generation service, as this one calls it."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from services.api_platform.generations._errors import GenerationRefusedException
from services.api_platform.upstream import upstream_error
from shared.dtos.base import BaseDTO
from shared.dtos.generation import (
    GenerationCreateRequestDTO,
    GenerationCreateResponseDTO,
    GenerationStatusResponseDTO,
)
from shared.errors import (
    BadRequestException,
    BaseAPIException,
    NotFoundError,
    NotFoundException,
    UpstreamException,
    ValidationException,
)
from shared.http_client import ServiceClient

PATH: Final = "/api/v1/generations"


class UserContext(BaseDTO):
    """On whose behalf a generation is."""

    user_id: UUID
    api_key_id: UUID
    environment: Literal["live", "test"]
    idempotency_key: str
    """By which the service knows a call that is repeated."""


class AIGenOrchestrationClient:
    """Typed calls of the generation service.

    Args:
        client: With its token, its time-outs, its retry budget and its breaker.
    """

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def initiate_generation(
        self, generation_data: GenerationCreateRequestDTO, user_context: UserContext
    ) -> GenerationCreateResponseDTO:
        """Begin a job.

        Raises:
            GenerationRefusedException: The service says in words why it doesn't.
            ValidationException: It says what of the input doesn't fit.
            UpstreamException: Its answer is wrong, or too late.
            ServiceUnavailableException: There is none.
        """
        whose = user_context.model_dump(mode="json", exclude={"idempotency_key"})
        order = generation_data.model_dump(mode="json", exclude_none=True) | whose
        try:
            return await self._client.post(
                PATH,
                json=order,
                idempotency_key=user_context.idempotency_key,
                response_model=GenerationCreateResponseDTO,
            )
        except BaseAPIException as error:
            raise _refusal(error) or upstream_error(error) from error

    async def get_generation_status(self, job_id: UUID) -> GenerationStatusResponseDTO:
        """How far a job is.

        Raises:
            NotFoundError: The service has forgotten it.
            UpstreamException: Its answer is wrong, or too late.
            ServiceUnavailableException: There is none.
        """
        try:
            found = await self._client.get(
                f"{PATH}/{{job_id}}",
                path_params={"job_id": job_id},
                response_model=GenerationStatusResponseDTO,
            )
        except NotFoundException as error:
            raise NotFoundError("Generation", job_id) from error
        except BaseAPIException as error:
            raise upstream_error(error) from error
        if found.id != job_id:
            raise UpstreamException
        return found


def _refusal(error: BaseAPIException) -> BaseAPIException | None:
    """What our caller can mend; None for what is a matter of the two services.

    A 400 or 422 without a word comes from whatever stands in between.
    """
    items = error.extra_info.get("errors")
    if isinstance(error, ValidationException) and items:
        return ValidationException(items)
    told = error.detail != BadRequestException.detail
    if isinstance(error, BadRequestException) and error.status_code == 400 and told:
        return GenerationRefusedException(error.detail)
    return None
