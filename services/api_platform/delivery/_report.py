"""How deliveries go, for admins. FastAPI evaluates the annotations."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from services.api_platform.delivery._options import NEWER, STABLE
from services.api_platform.delivery._store import Rate, Store
from shared.auth import TokenPayload
from shared.auth.dependencies import require_role
from shared.dtos.base import BaseDTO, with_examples
from shared.errors import (
    AuthenticationException,
    PermissionDeniedException,
    ValidationException,
    responses_for,
)
from shared.validation import UtcDateTime

PATH = "/api/v1/admin/webhook-deliveries"

Admin = Annotated[TokenPayload, Depends(require_role("admin"))]
_WELL = {"attempts": 1900, "failures": 19, "failure_rate": 0.01, "average_ms": 180.5}
_WORSE = {"attempts": 100, "failures": 3, "failure_rate": 0.03, "average_ms": 161.0}
_MOMENT = "2026-01-31T12:00:00Z"


class RateDTO(BaseDTO):
    """How the attempts with some settings went."""

    model_config = with_examples(_WELL)

    attempts: int
    failures: int
    failure_rate: float | None = Field(description="Null: there was no attempt.")
    average_ms: float | None = Field(description="Of all attempts, failed ones too.")


class DeliveryReportResponseDTO(BaseDTO):
    """How attempts went with the usual settings, and with the newer ones."""

    model_config = with_examples({"since": _MOMENT, "stable": _WELL, "canary": _WORSE})

    since: UtcDateTime
    stable: RateDTO
    canary: RateDTO = Field(
        description="Of the share that enableCanaryDeploymentsForWebhooks chooses."
    )


def build_router(store: Store, now: Callable[[], datetime]) -> APIRouter:
    """The endpoint, for admins."""
    router = APIRouter(
        prefix=PATH,
        tags=["admin"],
        responses=responses_for(
            AuthenticationException, PermissionDeniedException, ValidationException
        ),
    )

    @router.get("/report")
    async def report_deliveries(
        _: Admin,
        hours: Annotated[
            int, Query(ge=1, le=168, description="How far back to look.")
        ] = 24,
    ) -> DeliveryReportResponseDTO:
        """Compare the failure rates of both delivery settings."""
        since = now() - timedelta(hours=hours)
        rates = await store.rates(since)
        return DeliveryReportResponseDTO(
            since=since,
            stable=_shown(rates.get(STABLE)),
            canary=_shown(rates.get(NEWER)),
        )

    return router


def _shown(rate: Rate | None) -> RateDTO:
    if rate is None:
        return RateDTO(attempts=0, failures=0, failure_rate=None, average_ms=None)
    return RateDTO(
        attempts=rate.attempts,
        failures=rate.failures,
        failure_rate=rate.failures / rate.attempts,
        average_ms=rate.average_ms,
    )
