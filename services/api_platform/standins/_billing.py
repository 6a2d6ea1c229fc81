"""Plays the business service. FastAPI reads the annotations of the endpoint."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from fastapi import FastAPI

from shared.dtos.base import BaseDTO
from shared.errors.handlers import register_exception_handlers
from shared.validation import DecimalNumber

BLOCKED_USER: Final = UUID("00000000-0000-4000-8000-000000000b10")
"""The user who does not pay."""

POOR_USER: Final = UUID("00000000-0000-4000-8000-0000000000c0")
"""The user who has used all credits."""


class _Status(BaseDTO):
    user_id: UUID
    status: str
    credit_balance: DecimalNumber


class BillingStandIn:
    """The business service: everybody pays and has a thousand credits, but for two.

    `BLOCKED_USER` is blocked, and `POOR_USER` has no credits left.
    """

    def __init__(self) -> None:
        self.app = FastAPI(title="Stand-in for the business service")
        register_exception_handlers(self.app)

        @self.app.get("/api/v1/users/{user_id}/billing-status")
        async def billing_status(user_id: UUID) -> _Status:
            return _Status(
                user_id=user_id,
                status="blocked" if user_id == BLOCKED_USER else "active",
                credit_balance=Decimal(0 if user_id == POOR_USER else 1000),
            )
