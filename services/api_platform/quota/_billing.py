"""Whether a user pays, as the business service says."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

from services.api_platform.upstream import upstream_error
from shared.cache import Codec, InMemoryCache
from shared.dtos.base import BaseDTO, with_examples
from shared.errors import BaseAPIException, UpstreamException
from shared.http_client import ServiceClient
from shared.validation import DecimalNumber

PATH: Final = "/api/v1/users/{user_id}/billing-status"


class BillingState(StrEnum):
    """Whether the business service lets a user use what costs something."""

    ACTIVE = "active"
    BLOCKED = "blocked"


class BillingStatusDTO(BaseDTO):
    """What the business service says about a user."""

    model_config = with_examples(
        {
            "user_id": "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
            "status": "active",
            "credit_balance": 250.5,
        }
    )

    user_id: UUID
    status: BillingState
    credit_balance: DecimalNumber


class BillingClient:
    """Asks the business service, and remembers the answer for a moment.

    Args:
        client: Of the business service.
        seconds: How long an answer is good. A failure is not remembered: whether to
            ask again is the matter of the client's breaker.
    """

    def __init__(self, client: ServiceClient, *, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._known = InMemoryCache(
            codec=Codec(_encoded, BillingStatusDTO.model_validate_json)
        )

    async def get_billing_status(self, user_id: UUID) -> BillingStatusDTO:
        """What is known of a user.

        Raises:
            UpstreamException: The answer is wrong, a 404 included: the user has a key.
            ServiceUnavailableException: There is no answer.
            DeadlineExceededError: Not in time.
        """

        async def ask() -> BillingStatusDTO:
            return await self._ask(user_id)

        return await self._known.get_or_fill(str(user_id), ask, ttl=self._seconds)

    async def _ask(self, user_id: UUID) -> BillingStatusDTO:
        try:
            found = await self._client.get(
                PATH,
                path_params={"user_id": user_id},
                response_model=BillingStatusDTO,
            )
        except BaseAPIException as error:
            raise upstream_error(error) from error
        if found.user_id != user_id:
            raise UpstreamException
        return found


def _encoded(status: BillingStatusDTO) -> bytes:
    return status.model_dump_json().encode()
